"""Keeps the frames that decided alerts for as long as a verdict may come, and those that got one for longer.

Pictures lie in ``examples/YYYY-MM-DD/<alert_id>.jpg`` of the state directory (UTC date of the frame), their facts in
the outbox's database. They are worth less than any alert: nothing of an alert waits for them, and they go first where
room is short. A crash may lose the latest.
"""

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streamer.alerts.errors import OutboxError, OutboxFullError
from streamer.alerts.outbox_db import OutboxDatabase
from streamer.alerts.outbox_files import free_bytes, is_disk_full, remove_snapshot
from streamer.alerts.payload import check_alert_id
from streamer.feedback.example import Example

_log = logging.getLogger(__name__)

_DAY_S: Final = 86_400.0
FOLDER: Final = "examples"
_HAS_VERDICT: Final = (
    "EXISTS (SELECT 1 FROM alert_notes AS said "
    "WHERE said.alert_id = examples.alert_id AND said.verdict IS NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class ExampleLimits:
    """How much is kept.

    - ``wait_s``: how long a frame waits for a verdict. ``age_s``: how long one with a verdict is kept.
    - ``max_bytes``: of all together; those without a verdict go first, the oldest first.
    - ``min_free_bytes``: of the disk are left to others.
    """

    wait_s: float = 7 * _DAY_S
    age_s: float = 30 * _DAY_S
    max_bytes: int = 500_000_000
    min_free_bytes: int = 0


class ExampleStore:
    """The kept frames of one site. Every method may be called from any thread. Raises ``OutboxError``."""

    def __init__(self, database: OutboxDatabase, state_dir: Path) -> None:
        self._db = database
        self._dir = state_dir
        with self._db.reading() as db:
            count, size = db.execute("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM examples").fetchone()
        self.count: int = int(count)
        self.size_bytes: int = int(size)

    def keep(self, alert_id: str, example: Example, limits: ExampleLimits, *, at: float) -> bool:
        """Keep the frame of an alert; ``at`` UTC epoch seconds. False when there is one already, or no room for it."""
        day = datetime.fromtimestamp(example.frame_time, UTC).date().isoformat()
        name = f"{FOLDER}/{day}/{check_alert_id(alert_id)}.jpg"
        size = len(example.jpeg)
        try:
            if free_bytes(self._dir) - size < limits.min_free_bytes:
                return False
            if not self._write(self._dir / name, example.jpeg):
                return False
        except OSError as error:
            if is_disk_full(error):
                return False
            raise OutboxError(f"cannot keep a frame in {self._dir / FOLDER}: {error.strerror}") from error
        try:
            with self._db.transaction(durable=False) as db:
                db.execute(
                    "INSERT INTO examples VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (alert_id, example.camera, example.frame_time, at, name, size, example.facts_json()),
                )
        except BaseException:
            remove_snapshot(self._dir / name)
            raise
        self.count, self.size_bytes = self.count + 1, self.size_bytes + size
        return True

    def enforce(self, limits: ExampleLimits, *, at: float, batch: int = 200) -> int:
        """Remove what is too old or too much at ``at`` (UTC epoch s), ``batch`` frames at most; returns how many."""
        with self._db.lock:
            with self._db.reading() as db:
                old = db.execute(
                    f"SELECT alert_id, picture, bytes FROM examples WHERE stored_at < "  # noqa: S608 - constant
                    f"CASE WHEN {_HAS_VERDICT} THEN ? ELSE ? END ORDER BY stored_at LIMIT ?",
                    (at - limits.age_s, at - limits.wait_s, batch),
                ).fetchall()
            self._forget(old)
            try:
                shortage = limits.min_free_bytes - free_bytes(self._dir)
            except OSError:
                shortage = 0
            excess = max(self.size_bytes - limits.max_bytes, shortage)
            return len(old) + (self.give_up(excess, batch=batch) if excess > 0 else 0)

    def give_up(self, size_bytes: int, *, batch: int) -> int:
        """Remove frames of ``size_bytes`` together at least, ``batch`` at most, those without a verdict first.

        Returns how many pictures went; on a full disk their rows may stay until there is room.
        """
        with self._db.lock:
            with self._db.reading() as db:
                rows = db.execute(
                    "SELECT alert_id, picture, bytes FROM examples "  # noqa: S608 - constant
                    f"ORDER BY {_HAS_VERDICT}, stored_at LIMIT ?",
                    (batch,),
                ).fetchall()
            chosen: list[tuple[str, str, int]] = []
            for row in rows:
                if size_bytes <= 0:
                    break
                size_bytes -= row[2]
                chosen.append(row)
            pictures = sum(int((self._dir / row[1]).exists()) for row in chosen)
            try:
                self._forget(chosen)
            except OutboxFullError:
                _log.warning("the disk is full: removed %d kept frames", pictures)
        return pictures

    def sweep(self) -> None:
        """Once, at the start: remove what a crash leaves, pictures that no row names and rows without a picture."""
        with self._db.lock:
            with self._db.reading() as db:
                rows = db.execute("SELECT alert_id, picture, bytes FROM examples").fetchall()
            known = {self._dir / row[1] for row in rows}
            there = set((self._dir / FOLDER).glob("*/*"))
            for path in there - known:
                remove_snapshot(path)
            self._forget([row for row in rows if self._dir / row[1] not in there])

    def _write(self, path: Path, jpeg: bytes) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
        except FileExistsError:
            return False
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(jpeg)
        except OSError:
            remove_snapshot(path)
            raise
        return True

    def _forget(self, rows: list[tuple[str, str, int]]) -> None:
        if not rows:
            return
        for _, picture, _ in rows:
            # the pictures first: with no room at all, the deletion of rows cannot be journalled
            remove_snapshot(self._dir / picture)
        with self._db.transaction(durable=False) as db:
            db.executemany("DELETE FROM examples WHERE alert_id = ?", [(row[0],) for row in rows])
        self.count -= len(rows)
        self.size_bytes -= sum(row[2] for row in rows)
        with suppress(OSError):
            (self._dir / FOLDER).rmdir()
