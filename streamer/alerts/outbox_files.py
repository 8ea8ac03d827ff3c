"""The files beside the outbox database: pictures, the reserve of sequence numbers, the last one that was stored."""

import errno
import fcntl
import logging
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, Final, TypeGuard

from streamer.alerts.payload import check_alert_id

_log = logging.getLogger(__name__)

#: One durable write of the reserve covers this many messages.
RESERVE_STEP: Final = 1024
#: No site gives out so many numbers: what is longer was not written by us, and may be too much for SQLite.
_MOST_DIGITS: Final = 15

_PICTURE: Final = re.compile(r"snapshots/[0-9]{4}-[0-9]{2}-[0-9]{2}/[^/\x00]+\.jpg", re.ASCII)

_FULL_ERRNOS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_disk_full(error: OSError) -> bool:
    """Whether the error says that there is no room: disk, quota or file size limit."""
    return error.errno in _FULL_ERRNOS


def free_bytes(folder: Path) -> int:
    """Room that is left on the disk of ``folder`` for this user. Raises ``OSError``."""
    return shutil.disk_usage(folder).free


def _number_in(text: bytes) -> int:
    """The number that a file holds, 0 where it is empty. Raises ``ValueError`` where it is none that we wrote."""
    digits = text.strip().lstrip(b"0")
    if digits and not (digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise ValueError("no sequence number")
    return int(digits or 0)


class SequenceReserve:
    """A number on the disk above which no ``seq`` has ever been given out.

    It is kept outside the database, so that a database that is lost does not make the numbers start over: a
    subscriber that remembers the last ``seq`` would take the new alerts for duplicates.
    Raises ``OSError`` when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.upper = 0
        try:
            self.upper = _number_in(path.read_bytes())
        except FileNotFoundError:
            pass
        except ValueError:
            _log.error("%s does not hold a number; sequence numbers may start over", path)

    def cover(self, seq: int) -> None:
        """Make sure that ``upper`` is at least ``seq``, durably."""
        if seq > self.upper:
            upper = seq + RESERVE_STEP - 1
            write_durably(self._path, f"{upper}\n".encode())
            self.upper = upper


#: A number that no open file has: the number of a file that was closed may soon be another file's.
_CLOSED: Final = -1


class LastStored:
    """The newest ``seq`` that the database has confirmed, noted outside of it.

    A database that comes back with less has lost what it had confirmed: its journal was cut off, or an older copy was
    put in its place. Nothing inside would show that. The note is not forced to the disk, because it says nothing that
    the database does not: to lose it costs the detection, and no message.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._troubled = False
        try:
            self.seq = _number_in(os.pread(self._file, 64, 0))
        except ValueError:
            self.seq = 0

    def note(self, seq: int) -> None:
        """``seq`` is stored."""
        self.seq = seq
        try:
            # always the same bytes of the same block: needs no room on the disk
            os.pwrite(self._file, b"%020d\n" % seq, 0)
        except OSError as error:
            if not self._troubled:
                _log.warning("cannot note that seq %d is stored: %s", seq, error.strerror)
            self._troubled = True
        else:
            self._troubled = False

    def close(self) -> None:
        """Close the file, if it is open; what is noted later goes nowhere."""
        file, self._file = self._file, _CLOSED
        if file != _CLOSED:
            os.close(file)


def lock_folder(folder: Path) -> IO[bytes]:
    """Take the folder for this process until the file that is returned is closed or the process ends.

    Raises ``OSError``, ``BlockingIOError`` when another one has it.
    """
    file = open(folder / "outbox.lock", "ab", opener=_private)  # noqa: SIM115 - open as long as the lock is held
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def snapshot_path(state_dir: Path, alert_id: str, frame_time: float, seq: int) -> Path:
    """Where the picture of message ``seq`` goes. The first of an alert has the plain name."""
    folder = state_dir / "snapshots" / f"{datetime.fromtimestamp(frame_time, UTC):%Y-%m-%d}"
    plain = folder / f"{check_alert_id(alert_id)}.jpg"
    return folder / f"{alert_id}.{seq}.jpg" if plain.exists() else plain


def is_picture_name(stored: Any) -> TypeGuard[str]:
    """Whether this, as it stands in the database, is the name of a picture that ``snapshot_path`` gives."""
    return isinstance(stored, str) and _PICTURE.fullmatch(stored) is not None


def stored_picture(state_dir: Path, stored: str | None) -> Path | None:
    """Where the picture of a message lies; a place where nothing lies when the database is damaged there."""
    if stored is None:
        return None
    return state_dir / (stored if is_picture_name(stored) else "snapshots/damaged.jpg")


def write_durably(path: Path, data: bytes) -> None:
    """Write ``path`` so that after a crash it holds all of ``data`` or is as it was. Makes its folder."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        _sync_folder(path.parent.parent)
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove_stored_picture(state_dir: Path, stored: str | None) -> None:
    """``remove_snapshot`` of a message's picture, if it has one."""
    path = stored_picture(state_dir, stored)
    if path is not None:
        remove_snapshot(path)


def remove_snapshot(path: Path) -> None:
    """Remove a picture, and its day's folder when it was the last one there."""
    try:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
            _log.warning("cannot remove %s: %s", path, error.strerror)


def remove_strays(state_dir: Path, *, before: float, is_known: Callable[[str], bool]) -> None:
    """Remove days of pictures that are older than ``before`` and of which ``is_known(folder)`` knows no
    message.

    A crash between a picture and its message leaves a picture that no message names.
    """
    oldest_kept = datetime.fromtimestamp(before, UTC).date()
    for folder in sorted((state_dir / "snapshots").glob("????-??-??")):
        try:
            day = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if day < oldest_kept and not is_known(f"snapshots/{folder.name}"):
            shutil.rmtree(folder, ignore_errors=True)


def remove_parts(state_dir: Path) -> None:
    """Remove what a crash left half written."""
    for part in state_dir.glob("snapshots/*/.*.part"):
        part.unlink(missing_ok=True)


def remove_damaged(state_dir: Path, *, before: float) -> None:
    """Remove databases that were moved aside and last written before ``before`` (UTC epoch s): they hold alerts too."""
    for database in state_dir.glob("outbox.sqlite3.damaged-*"):
        try:
            if database.stat().st_mtime < before:
                database.unlink()
        except OSError as error:
            _log.warning("cannot remove %s: %s", database, error.strerror)


def move_aside(database: Path) -> Path:
    """Rename a database with its WAL files to a name that is free, and return that of the database."""
    number = 1
    while (target := database.with_name(f"{database.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        source = database.with_name(database.name + suffix)
        if source.exists():
            source.rename(target.with_name(target.name + suffix))
    return target


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
