"""What the outbox keeps of delivered alerts, and gives up: by age, by size, and on a full disk."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamer.alerts.errors import OutboxFullError
from streamer.alerts.outbox_db import OutboxDatabase
from streamer.alerts.outbox_files import free_bytes, remove_damaged, remove_stored_picture, remove_strays

_log = logging.getLogger(__name__)

_DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much is kept. ``acked_*`` bound the history of delivered alerts, ``backlog_*`` what still waits.

    ``min_free_bytes`` of the disk are left to others: history goes for that too.
    When the backlog is over a limit, updates go first and then the oldest messages; each is counted and said.
    """

    acked_age_s: float = 30 * _DAY_S
    acked_bytes: int = 5_000_000_000
    backlog_messages: int = 100_000
    backlog_bytes: int = 5_000_000_000
    min_free_bytes: int = 0


@dataclass(slots=True)
class Tally:
    """Messages and their bytes, kept in memory so that limits cost no scan of the table."""

    count: int = 0
    size: int = 0

    def add(self, count: int, size: int) -> None:
        """Count ``count`` messages of ``size`` bytes together; negative numbers take them away."""
        self.count += count
        self.size += size


class History:
    """The delivered messages of an outbox. ``kept`` counts them."""

    def __init__(self, database: OutboxDatabase, state_dir: Path, kept: Tally) -> None:
        self._db = database
        self._dir = state_dir
        self.kept = kept

    def enforce(self, limits: OutboxLimits, *, at: float, batch: int) -> int:
        """Remove what is beyond the limits at wall clock ``at``, oldest first, ``batch`` messages at most."""
        before = at - limits.acked_age_s
        with self._db.lock:
            with self._db.reading() as db:
                shortage = limits.min_free_bytes - free_bytes(self._dir)
                rows = db.execute(
                    "SELECT seq, snapshot, snapshot_bytes + length(body), acked_at FROM messages "
                    "WHERE acked_at IS NOT NULL ORDER BY acked_at, seq LIMIT ?",
                    (batch,),
                ).fetchall()
            excess = max(self.kept.size - limits.acked_bytes, shortage)
            chosen = []
            for seq, picture, size, acked_at in rows:
                if acked_at >= before and excess <= 0:
                    break
                excess -= size
                chosen.append((seq, picture, size))
            self._forget(chosen)
            # a day more, because the folder's date is that of the frame, not of the acknowledgement
            remove_strays(self._dir, before=before - _DAY_S, is_known=self._knows_folder)
            remove_damaged(self._dir, before=before)
        return len(chosen)

    def give_up(self, *, batch: int) -> int:
        """Make room on a full disk: remove delivered pictures, and their messages if that can be written."""
        with self._db.lock:
            with self._db.reading() as db:
                rows = db.execute(
                    "SELECT seq, snapshot, snapshot_bytes + length(body) FROM messages "
                    "WHERE acked_at IS NOT NULL ORDER BY seq LIMIT ?",
                    (batch,),
                ).fetchall()
            # the pictures first: with no room at all, the deletion of rows cannot be journalled
            for _, picture, _ in rows:
                remove_stored_picture(self._dir, picture)
            try:
                self._forget(rows)
            except OutboxFullError:
                _log.warning("the disk is full: removed the pictures of %d delivered alerts", len(rows))
            else:
                if rows:
                    _log.error(
                        "the disk is full: gave up %d delivered alert messages for new ones", len(rows)
                    )
        return len(rows)

    def _forget(self, rows: list[tuple[int, str | None, int]]) -> None:
        if not rows:
            return
        with self._db.transaction(durable=False) as db:
            db.executemany("DELETE FROM messages WHERE seq = ?", [(seq,) for seq, _, _ in rows])
        self.kept.add(-len(rows), -sum(size for _, _, size in rows))
        for _, picture, _ in rows:
            remove_stored_picture(self._dir, picture)

    def _knows_folder(self, folder: str) -> bool:
        with self._db.reading() as db:
            query = "SELECT 1 FROM messages WHERE snapshot >= ? AND snapshot < ? LIMIT 1"
            # "0" is the character after "/"
            return db.execute(query, (f"{folder}/", f"{folder}0")).fetchone() is not None
