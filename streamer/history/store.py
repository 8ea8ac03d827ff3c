"""The history on disk: ``compliance.sqlite3`` in the state directory.

A database of its own beside the outbox: what is lost of it in a power cut, some seconds, is no alert, so it need
not wait for the disk, and nothing that goes wrong in it touches alerts.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from streamer.history.buckets import Bucket, PersonSeconds, Place
from streamer.history.errors import HistoryError

FILE_NAME: Final = "compliance.sqlite3"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS person_seconds (
    starts_at INTEGER NOT NULL,
    camera TEXT NOT NULL,
    zone TEXT NOT NULL,
    gear TEXT NOT NULL,
    worn_s REAL NOT NULL,
    missing_s REAL NOT NULL,
    incorrect_s REAL NOT NULL,
    unknown_s REAL NOT NULL,
    PRIMARY KEY (starts_at, camera, zone, gear)
) WITHOUT ROWID;
"""
_ADD: Final = """
INSERT INTO person_seconds VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (starts_at, camera, zone, gear) DO UPDATE SET
    worn_s = worn_s + excluded.worn_s, missing_s = missing_s + excluded.missing_s,
    incorrect_s = incorrect_s + excluded.incorrect_s, unknown_s = unknown_s + excluded.unknown_s
"""


class ComplianceHistory:
    """Keeps buckets in ``state_dir``. Opened for each call, so that any thread may call, and a file that was taken away
    comes back. Raises ``HistoryError``.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE_NAME

    def add(self, buckets: Iterable[Bucket]) -> None:
        """Add to what is kept, all or nothing."""
        rows = [
            (
                bucket.starts_at,
                bucket.place.camera,
                bucket.place.zone,
                bucket.place.gear,
                bucket.seconds.worn_s,
                bucket.seconds.missing_s,
                bucket.seconds.incorrect_s,
                bucket.seconds.unknown_s,
            )
            for bucket in buckets
        ]
        if rows:
            with self._writing() as db:
                db.executemany(_ADD, rows)

    def remove_before(self, at: float) -> int:
        """Forget buckets that began before ``at``, UTC epoch seconds; returns how many."""
        if not self._path.exists():
            return 0
        with self._writing() as db:
            return db.execute("DELETE FROM person_seconds WHERE starts_at < ?", (at,)).rowcount

    def between(self, since: float, until: float, *, camera: str | None = None) -> list[Bucket]:
        """The buckets that begin at ``since`` or later and before ``until``, in order of time, camera, zone and gear;
        none where nothing was ever kept.
        """
        if not self._path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)) as db:
                rows = db.execute(
                    "SELECT * FROM person_seconds WHERE starts_at >= ? AND starts_at < ? AND (? IS NULL OR camera = ?)"
                    " ORDER BY starts_at, camera, zone, gear",
                    (since, until, camera, camera),
                ).fetchall()
        except sqlite3.Error as error:
            raise HistoryError(f"{self._path}: cannot be read: {error}") from error
        return [
            Bucket(starts_at, Place(name, zone, gear), PersonSeconds(*seconds))
            for starts_at, name, zone, gear, *seconds in rows
        ]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=5.0)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.executescript(_SCHEMA)
                with db:
                    yield db
        except sqlite3.Error as error:
            raise HistoryError(f"{self._path}: cannot be written: {error}") from error
