"""A site's file, replaced as a whole or not at all, with the owner and the permissions that it has."""

import hmac
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from config.document import MAX_FILE_BYTES
from streamer.zone_editor.errors import ConflictError, NotWritableError, ZoneEditError


@dataclass(frozen=True, slots=True)
class SiteFile:
    """The file at ``path``; where that is a link, the file that it leads to."""

    path: Path
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def read(self) -> bytes:
        """What it holds. Raises ``ZoneEditError``."""
        try:
            with self.path.open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ZoneEditError(f"{self.path} cannot be read: {error.strerror}") from error
        if len(raw) > MAX_FILE_BYTES:
            raise ZoneEditError(f"{self.path} is larger than {MAX_FILE_BYTES} bytes")
        return raw

    def revision(self, raw: bytes) -> str:
        """A name of these bytes that tells nothing of them; another one after a restart."""
        return hmac.digest(self._key, raw, sha256).hex()

    def trouble(self) -> str:
        """Why it cannot be written, as far as that is known before; empty: nothing is known."""
        target = self.path.resolve()
        if not os.access(target.parent, os.W_OK | os.X_OK):
            return f"ppewatch may not write in {target.parent}"
        with suppress(OSError):
            owner = target.stat().st_uid
            if os.geteuid() not in (0, owner):
                return f"{target} belongs to another user, and would have to change hands"
        return ""

    def replace(self, raw: bytes, *, expected: str) -> None:
        """Put ``raw`` into its place, durably, if it still has the revision ``expected``.

        Raises ``ConflictError`` and ``NotWritableError``; then it is as it was.
        """
        target = self.path.resolve()
        if self.revision(self.read()) != expected:
            raise ConflictError("the file has changed since this page was opened")
        try:
            like = target.stat()
            number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        except OSError as error:
            raise NotWritableError(f"ppewatch may not write in {target.parent}: {error.strerror}") from error
        part = Path(name)
        try:
            with open(number, "wb") as file:
                become_alike(number, like)
                _copy_attributes(target, part)
                file.write(raw)
                file.flush()
                os.fsync(number)
            # once more: somebody may have saved from an editor just now
            if self.revision(self.read()) != expected:
                raise ConflictError("the file has just been changed by somebody else")
            part.replace(target)
        except PermissionError as error:
            raise NotWritableError(
                f"{target} belongs to another user or group, and would have to change hands"
            ) from error
        except OSError as error:
            raise NotWritableError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        sync_folder(target.parent)


def become_alike(number: int, like: os.stat_result) -> None:
    """Give an open file the owner, group and permissions of another. Raises ``PermissionError``."""
    own = os.fstat(number)
    if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(number, like.st_uid, like.st_gid)
    os.fchmod(number, stat.S_IMODE(like.st_mode))


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable, where the file system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _copy_attributes(source: Path, target: Path) -> None:
    """Access lists and labels, as far as this user may set them."""
    with suppress(OSError):
        for name in os.listxattr(source):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
