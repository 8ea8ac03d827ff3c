"""Writes a first SITE.yaml and the files of its passwords: checked before, all at once, and none of it by halves."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from config import ConfigError, SiteSettings
from config.document import parse_document
from config.loading import load_site, settings_of
from streamer.errors import StreamerError
from streamer.first_run.plan import SecretPlace, SitePlan
from streamer.first_run.site_text import SiteText, env_text, site_text

_OWNER_ONLY: Final = 0o600


class FirstRunError(StreamerError):
    """A first SITE.yaml could not be made."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One file: where it goes, and what of it lies ready."""

    target: Path
    ready: Path


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be written: the ``text`` of SITE.yaml, the same as it may be ``shown``, and the paths of all files,
    SITE.yaml first.
    """

    path: Path
    text: SiteText = field(repr=False)
    shown: str
    paths: tuple[Path, ...]

    def existing(self) -> tuple[Path, ...]:
        """Those of them that are there already."""
        return tuple(path for path in self.paths if path.exists() or path.is_symlink())


def prospect(plan: SitePlan, path: Path, place: SecretPlace) -> Prospect:
    """What ``write_site`` would write. Raises ``FirstRunError``."""
    today = datetime.now().astimezone().date().isoformat()
    try:
        text, shown = (
            site_text(each, place=place, stem=path.stem, today=today) for each in (plan, plan.masked())
        )
    except ValueError as error:
        raise FirstRunError(str(error)) from None
    return Prospect(
        path, text, shown.yaml, (path, *(path.parent / name for name in _secret_files(path.stem, text)))
    )


def settings_of_plan(plan: SitePlan, environ: Mapping[str, str]) -> SiteSettings:
    """The settings that ``plan`` means, without a file. Raises ``ConfigError``."""
    text = site_text(plan, place=SecretPlace.ENV, stem="site", today="")
    document = parse_document(text.yaml.encode(), "site.yaml")
    return settings_of(document, Path.cwd(), {**environ, **text.variables})


def write_site(coming: Prospect, environ: Mapping[str, str], *, replace: bool) -> tuple[Path, ...]:
    """Write it all; returns the paths, SITE.yaml last. With ``replace`` False nothing that is there is touched.

    The files are made in a folder beside the target and read as ``ppewatch check`` reads them; then they go to their
    places one after the other, SITE.yaml last, and what went is taken back where one cannot. Raises ``ConfigError``,
    ``FirstRunError``, ``OSError``.
    """
    folder = coming.path.absolute().parent
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=".ppewatch-init."))
    try:
        pieces = list(_staged(coming, staging, folder))
        try:
            load_site(staging / coming.path.name, {**environ, **coming.text.variables})
        except ConfigError as error:
            hidden = str(error).replace(f"{staging}{os.sep}", "")
            raise FirstRunError(f"these answers make no right site file:\n{hidden}") from None
        _put_in_place(pieces, replace=replace)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return tuple(piece.target for piece in pieces)


def _secret_files(stem: str, text: SiteText) -> dict[str, str]:
    files = {f"{stem}.secrets/{name}": value + "\n" for name, value in text.files.items()}
    if text.variables:
        files[f"{stem}.env"] = env_text(text.variables)
    return files


def _staged(coming: Prospect, staging: Path, folder: Path) -> Iterator[_Piece]:
    for name, content in _secret_files(coming.path.stem, coming.text).items():
        ready = staging / name
        ready.parent.mkdir(mode=0o700, exist_ok=True)
        _write(ready, content, _OWNER_ONLY)
        yield _Piece(folder / name, ready)
    ready = staging / coming.path.name
    # a link goes on to lead where it led
    target = coming.path.absolute()
    target = target.resolve() if target.is_symlink() else target
    _write(ready, coming.text.yaml, _OWNER_ONLY if coming.text.holds_secret else 0o644 & ~_umask())
    yield _Piece(target, ready)


def _write(path: Path, content: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _put_in_place(pieces: list[_Piece], *, replace: bool) -> None:
    undo: list[Callable[[], object]] = []
    try:
        for piece in pieces:
            folder = piece.target.parent
            if not folder.exists():
                folder.mkdir(mode=0o700)
                undo.append(folder.rmdir)
            if replace and piece.target.exists():
                undo.append(_exchange(piece))
            else:
                _place_new(piece)
                undo.append(piece.target.unlink)
    except BaseException:
        # an interrupt too: what has gone to its place is taken back, the last first
        for take_back in reversed(undo):
            with contextlib.suppress(OSError):
                take_back()
        raise


def _exchange(piece: _Piece) -> Callable[[], object]:
    """Put ``piece`` where another file is, with that one's owner and rights as far as it may; returns the way back."""
    before = piece.ready.with_name(f"{piece.ready.name}.before")
    shutil.copy2(piece.target, before)
    old = piece.target.stat()
    kept = stat.S_IMODE(piece.ready.stat().st_mode) & stat.S_IMODE(old.st_mode) | stat.S_IRUSR | stat.S_IWUSR
    with contextlib.suppress(OSError):
        os.chown(piece.ready, old.st_uid, old.st_gid)
        os.chown(before, old.st_uid, old.st_gid)
    os.chmod(piece.ready, kept)
    os.replace(piece.ready, piece.target)
    return partial(os.replace, before, piece.target)


def _place_new(piece: _Piece) -> None:
    """Put ``piece`` where nothing is. Unlike a rename a link never replaces what somebody has put there meanwhile."""
    try:
        os.link(piece.ready, piece.target)
    except FileExistsError:
        raise FirstRunError(f"{piece.target} exists already; nothing was written") from None
    except OSError:
        # a file system without links
        if piece.target.exists():
            raise FirstRunError(f"{piece.target} exists already; nothing was written") from None
        os.rename(piece.ready, piece.target)


def _umask() -> int:
    """The process' own, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
