"""What a site's file was before each change: kept beside the state, a bounded number, as private as the file itself."""

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from streamer.zone_editor.errors import ZoneEditError
from streamer.zone_editor.site_file import become_alike, sync_folder
from streamer.zone_editor.values import Version

MOST_VERSIONS: Final = 20

_FORM: Final = "%Y%m%dT%H%M%S.%fZ"
_VERSION: Final = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z", re.ASCII)
_MOST_WORDS: Final = 500


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions in ``folder``; ``most`` are kept, the latest. One thread at a time keeps some."""

    folder: Path
    most: int = MOST_VERSIONS

    def keep(self, raw: bytes, *, like: Path, what: str, at: float) -> str:
        """Keep ``raw``, which ``what`` is about to change, with the permissions of ``like``; returns its name.

        Raises ``ZoneEditError``.
        """
        name = self._next_name(at)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{name}.yaml"
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(number, "wb") as file:
                _as_private(number, like.stat())
                file.write(raw)
                file.flush()
                os.fsync(number)
            path.with_suffix(".txt").write_text(what[:_MOST_WORDS], encoding="utf-8")
        except OSError as error:
            raise ZoneEditError(
                f"the present version cannot be kept in {self.folder}: {error.strerror}"
            ) from error
        sync_folder(self.folder)
        for old in self._names()[self.most :]:
            self.forget(old)
        return name

    def _next_name(self, at: float) -> str:
        """The time, or just after the latest version where the clock was set back: names say what came after what."""
        when = datetime.fromtimestamp(at, UTC)
        latest = next(iter(self._names()), None)
        if latest is not None:
            when = max(when, datetime.strptime(latest, _FORM).replace(tzinfo=UTC) + timedelta(microseconds=1))
        return f"{when:{_FORM}}"

    def forget(self, version: str) -> None:
        """Remove a version, if it is there."""
        for suffix in (".yaml", ".txt"):
            with suppress(OSError):
                (self.folder / f"{version}{suffix}").unlink()

    def all(self) -> tuple[Version, ...]:
        """Those that are kept, the latest first."""
        return tuple(
            Version(
                version=name,
                at=datetime.strptime(name, _FORM).replace(tzinfo=UTC).timestamp(),
                what=self._words(name),
            )
            for name in self._names()[: self.most]
        )

    def read(self, version: str) -> bytes | None:
        """What the file was; None: there is no such version. Raises ``ZoneEditError``."""
        if not _VERSION.fullmatch(version):
            return None
        try:
            return (self.folder / f"{version}.yaml").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ZoneEditError(f"the version cannot be read: {error.strerror}") from error

    def _names(self) -> list[str]:
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        stems = (name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
        return sorted(filter(_VERSION.fullmatch, stems), reverse=True)

    def _words(self, name: str) -> str:
        try:
            return (self.folder / f"{name}.txt").read_text(encoding="utf-8")[:_MOST_WORDS]
        except (OSError, UnicodeDecodeError):
            return ""


def _as_private(number: int, like: os.stat_result) -> None:
    """With the file's owner and permissions; where the owner cannot be had, for this user alone."""
    try:
        become_alike(number, like)
    except PermissionError:
        os.fchmod(number, stat.S_IMODE(like.st_mode) & 0o600)
