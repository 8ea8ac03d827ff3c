"""Reads, and with care changes, feedback beside the daemon that owns the outbox."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from streamer.alerts.errors import OutboxError
from streamer.feedback.areas import AREA_COLUMNS, StoredArea
from streamer.feedback.store import HeldEpisode, read_areas, read_held, read_notes
from streamer.feedback.words import AlertNote

_BUSY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class StoredExample:
    """A kept frame that somebody has judged: its picture, its facts (JSON) and what was said."""

    alert_id: str
    camera: str
    frame_time: float
    picture: Path
    facts: bytes
    note: AlertNote


def notes_of(state_dir: Path, alert_id: str) -> list[AlertNote]:
    """What was said of an alert, the acknowledgement first. Raises ``OutboxError``."""
    with _open(state_dir, "ro") as db:
        return read_notes(db, [alert_id]).get(alert_id, []) if _has_feedback(db) else []


def areas(state_dir: Path) -> list[StoredArea]:
    """The suppression areas, oldest first. Raises ``OutboxError``."""
    with _open(state_dir, "ro") as db:
        return read_areas(db) if _has_feedback(db) else []


def held_in(state_dir: Path, area_id: str) -> list[HeldEpisode]:
    """What an area held back, as far as it is kept, oldest first. Raises ``OutboxError``."""
    with _open(state_dir, "ro") as db:
        return read_held(db, area_id) if _has_feedback(db) else []


def judged_examples(state_dir: Path, *, since: float = 0.0) -> list[StoredExample]:
    """Kept frames with a verdict, of alerts from ``since`` (UTC epoch s) on, oldest first. Raises ``OutboxError``."""
    with _open(state_dir, "ro") as db:
        if not _has_feedback(db):
            return []
        rows = db.execute(
            "SELECT alert_id, camera, frame_time, picture, facts FROM examples WHERE frame_time >= ? "
            "ORDER BY frame_time, alert_id",
            (since,),
        ).fetchall()
        found: list[StoredExample] = []
        for alert_id, camera, frame_time, picture, facts in rows:
            notes = read_notes(db, [alert_id]).get(alert_id, [])
            note = next((said for said in notes if said.verdict is not None), None)
            if note is not None:
                found.append(StoredExample(alert_id, camera, frame_time, state_dir / picture, facts, note))
        return found


def remove_areas(
    state_dir: Path, *, area_id: str | None = None, camera: str | None = None
) -> list[StoredArea]:
    """Take away one area, or all of a camera; a daemon that runs notices within about a second.

    Raises ``OutboxError``.
    """
    with _open(state_dir, "rw") as db:
        if not _has_feedback(db):
            return []
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        rows: list[tuple[Any, ...]] = db.execute(
            f"DELETE FROM suppression_areas WHERE area_id = ? OR camera = ? RETURNING {AREA_COLUMNS}",  # noqa: S608
            (area_id, camera),
        ).fetchall()
        return [StoredArea.of_row(row) for row in rows]


@contextmanager
def _open(state_dir: Path, mode: str) -> Iterator[sqlite3.Connection]:
    path = state_dir / "outbox.sqlite3"
    if not path.exists():
        raise OutboxError(f"{state_dir} holds no outbox")
    try:
        db = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
        )
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as error:
        raise OutboxError(f"{path}: cannot be read: {error}") from error


def _has_feedback(db: sqlite3.Connection) -> bool:
    """Whether the outbox has these tables; one that no newer daemon has opened yet has not."""
    names = ("alert_notes", "examples", "suppression_areas", "held_episodes")
    found = db.execute(
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN (?, ?, ?, ?)", names
    )
    return int(found.fetchone()[0]) == len(names)
