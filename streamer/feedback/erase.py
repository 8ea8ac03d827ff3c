"""Erases alerts on request: rows, pictures, kept frames and what was said of them, delivered or not.

What stays: the counters and the numbers that were given out (a subscriber sees a gap where something had waited), and
suppression areas, which are a box and a rule's name. What has been sent is with whoever got it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox_db import OutboxDatabase
from streamer.alerts.outbox_files import lock_folder, remove_snapshot
from streamer.feedback.example_store import FOLDER


@dataclass(frozen=True, slots=True)
class Erased:
    """How much went: alerts with a message or a frame, messages, pictures, notes."""

    alerts: int
    messages: int
    pictures: int
    notes: int


def erase(state_dir: Path, *, alert_ids: Sequence[str] = (), before: float | None = None) -> Erased:
    """Erase alerts by id, and all from before a time (UTC epoch s). Databases that were damaged and moved aside go too.

    No daemon may run on the folder. Raises ``OutboxError``.
    """
    path = state_dir / "outbox.sqlite3"
    if not path.exists():
        raise OutboxError(f"{state_dir} holds no outbox")
    try:
        lock = lock_folder(state_dir)
    except BlockingIOError as error:
        raise OutboxError(f"{state_dir} is in use: stop ppewatch first") from error
    except OSError as error:
        raise OutboxError(f"cannot use {state_dir}: {error.strerror}") from error
    try:
        database = OutboxDatabase(path)
        try:
            return _erase(database, state_dir, alert_ids, before)
        finally:
            database.close()
    finally:
        lock.close()


def _erase(
    database: OutboxDatabase, state_dir: Path, alert_ids: Sequence[str], before: float | None
) -> Erased:
    limit = float("-inf") if before is None else before
    with database.transaction(durable=True) as db:
        db.execute("CREATE TEMP TABLE chosen (alert_id TEXT PRIMARY KEY)")
        db.executemany("INSERT OR IGNORE INTO chosen VALUES (?)", [(alert_id,) for alert_id in alert_ids])
        # an alert goes as a whole, when its last message is old enough
        db.execute(
            "INSERT OR IGNORE INTO chosen SELECT alert_id FROM messages GROUP BY alert_id HAVING MAX(created_at) < ?",
            (limit,),
        )
        db.execute(
            "INSERT OR IGNORE INTO chosen SELECT alert_id FROM examples WHERE stored_at < ? "
            "AND alert_id NOT IN (SELECT alert_id FROM messages)",
            (limit,),
        )
        gone = [
            row
            for table, column in (("messages", "snapshot"), ("examples", "picture"))
            for row in db.execute(
                f"DELETE FROM {table} WHERE alert_id IN (SELECT alert_id FROM chosen) RETURNING alert_id, {column}"  # noqa: S608
            ).fetchall()
        ]
        # not those that were asked for: of a mistyped one nothing was here
        alerts = len({alert_id for alert_id, _ in gone})
        pictures = [picture for _, picture in gone]
        messages = len(pictures)
        notes = db.execute(
            "DELETE FROM alert_notes WHERE at < ? OR alert_id IN (SELECT alert_id FROM chosen)", (limit,)
        ).rowcount
        db.execute("DELETE FROM held_episodes WHERE at < ?", (limit,))
        db.execute("DROP TABLE chosen")
        # before the rows are gone for good: a crash in between leaves rows, and whoever asks again erases them
        for name in pictures:
            if name is not None:
                remove_snapshot(state_dir / name)
    for damaged in state_dir.glob("outbox.sqlite3.damaged-*"):
        damaged.unlink()
    with database.reading() as db:
        # nothing of it in free pages or in the journal
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    kept_frames = sum(name is not None and name.startswith(f"{FOLDER}/") for name in pictures)
    return Erased(
        alerts=alerts,
        messages=messages - kept_frames,
        pictures=sum(name is not None for name in pictures),
        notes=notes,
    )
