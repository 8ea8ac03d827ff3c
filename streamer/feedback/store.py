"""Notes on alerts and suppression areas, in the outbox's database."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ulid import ULID

from rules import AreaPolicy, JudgedAlert, Suppression, learn_area, relative_head
from rules.areas import iou
from rules.geometry import Box
from streamer.alerts.outbox_db import OutboxDatabase
from streamer.alerts.payload import parse_utc
from streamer.feedback.areas import AREA_COLUMNS, StoredArea, readable_areas
from streamer.feedback.words import AlertNote, Verdict

#: More areas than this at one camera are a wrong rule or a wrong zone.
MAX_AREAS_PER_CAMERA: Final = 50
#: Episodes that were held back are kept in full, newest last, as many as this.
MAX_HELD: Final = 1000

_NOTE_COLUMNS: Final = "alert_id, at, said_by, note, verdict, what"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert was: what learning needs of its message. ``head_xyxy`` is relative to the picture."""

    camera: str
    rule: str
    confirmed_at: float
    head_xyxy: Box | None

    @classmethod
    def of_message(cls, told: dict[str, Any]) -> "Place":
        """Read from an ``alerts`` message."""
        width, height = told["frame_size"]
        x1, y1, x2, y2 = told["box"]
        head = None if told.get("head") is None else tuple(told["head"])
        return cls(
            camera=told["camera"],
            rule=told["rule"],
            confirmed_at=parse_utc(told["confirmed_at"]),
            head_xyxy=relative_head((x1, y1, x2, y2), head, (height, width)),
        )


@dataclass(frozen=True, slots=True)
class HeldEpisode:
    """An episode that an area held back: when (UTC epoch s), where, how sure, and its trace (JSON)."""

    area_id: str
    zone: str | None
    at: float
    track_id: int
    score: float
    trace: Any


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a verdict led to."""

    made: StoredArea | None = None
    removed: tuple[StoredArea, ...] = ()


class FeedbackStore:
    """Every method may be called from any thread. Raises ``OutboxError``."""

    def __init__(self, database: OutboxDatabase) -> None:
        self._db = database

    # -- notes --------------------------------------------------------------------------------------

    def acknowledge(self, note: AlertNote) -> None:
        """Keep an acknowledgement, durably, in place of an earlier one of the same alert."""
        with self._db.transaction(durable=True) as db:
            db.execute(
                "INSERT OR REPLACE INTO alert_notes (alert_id, kind, at, said_by, note) VALUES (?, 'ack', ?, ?, ?)",
                (note.alert_id, note.at, note.by, note.note),
            )

    def judge(self, note: AlertNote, place: Place, policy: AreaPolicy) -> Consequence:
        """Keep a verdict, durably, in place of an earlier one; make the area that it completes, and take back the one
        that an earlier verdict on this alert helped to make when it is withdrawn, or that the alert proves wrong.
        """
        with self._db.transaction(durable=True) as db:
            earlier = db.execute(
                "SELECT area_id FROM alert_notes WHERE alert_id = ? AND kind = 'feedback'", (note.alert_id,)
            ).fetchone()
            taught = None if earlier is None else earlier[0]
            removed: list[StoredArea] = []
            if not note.is_thing and taught is not None:
                removed = _take_back(db, taught)
                taught = None
            if note.verdict is Verdict.TRUE_ALARM and place.head_xyxy is not None:
                for area in read_areas(db, place.camera):
                    if area.rule == place.rule and iou(area.head_xyxy, place.head_xyxy) >= policy.iou:
                        removed += _take_back(db, area.area_id)
            db.execute(
                "INSERT OR REPLACE INTO alert_notes (alert_id, kind, at, said_by, note, verdict, what, camera, rule, "
                "confirmed_at, head, area_id) VALUES (?, 'feedback', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(note.alert_id, note.at, note.by, note.note, note.verdict, note.what),
                    *(place.camera, place.rule, place.confirmed_at),
                    None if place.head_xyxy is None else json.dumps(place.head_xyxy),
                    taught,
                ),
            )
            made = None if taught is not None else _learn(db, note, place, policy)
        return Consequence(made, tuple(removed))

    def notes_of(self, alert_ids: Sequence[str]) -> dict[str, list[AlertNote]]:
        """What was said of each of these alerts, the acknowledgement first."""
        with self._db.reading() as db:
            return read_notes(db, alert_ids)

    # -- areas --------------------------------------------------------------------------------------

    def areas(self, camera: str | None = None) -> list[StoredArea]:
        """The areas of a camera, or all of them, oldest first."""
        with self._db.reading() as db:
            return read_areas(db, camera)

    def remove_area(self, area_id: str) -> StoredArea | None:
        """Take an area away, durably; None when there is none. Its false alarms teach no other."""
        with self._db.transaction(durable=True) as db:
            return next(iter(_remove(db, "area_id = ?", (area_id,))), None)

    def expire(self, at: float) -> list[StoredArea]:
        """Take away the areas whose time is over at ``at`` (UTC epoch s)."""
        with self._db.reading() as db:
            if db.execute("SELECT 1 FROM suppression_areas WHERE expires_at <= ?", (at,)).fetchone() is None:
                return []
        with self._db.transaction(durable=True) as db:
            return _remove(db, "expires_at <= ?", (at,))

    def note_held(self, episodes: Iterable[Suppression]) -> None:
        """Count episodes that areas held back, and keep the latest in full."""
        with self._db.transaction(durable=False) as db:
            for held in episodes:
                db.execute(
                    "UPDATE suppression_areas SET held = held + 1, last_held_at = MAX(?, COALESCE(last_held_at, 0)) "
                    "WHERE area_id = ?",
                    (held.at, held.because_of),
                )
                db.execute(
                    "INSERT INTO held_episodes (area_id, zone, at, track_id, score, trace) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        *(held.because_of, held.zone, held.at, held.track_id, held.score),
                        json.dumps([entry.as_dict() for entry in held.trace]).encode(),
                    ),
                )
            db.execute(
                "DELETE FROM held_episodes WHERE number <= (SELECT MAX(number) FROM held_episodes) - ?",
                (MAX_HELD,),
            )

    def changed_elsewhere(self) -> int:
        """A number that changes when another process has changed the database."""
        with self._db.reading() as db:
            return int(db.execute("PRAGMA data_version").fetchone()[0])

    # -- retention ----------------------------------------------------------------------------------

    def forget(self, *, before: float) -> int:
        """Remove notes and held episodes from before ``before`` (UTC epoch s); returns how many."""
        with self._db.reading() as db:
            queries = [f"SELECT 1 FROM {table} WHERE at < ?" for table in ("alert_notes", "held_episodes")]  # noqa: S608
            if not any(db.execute(query, (before,)).fetchone() for query in queries):
                return 0
        with self._db.transaction(durable=False) as db:
            notes = db.execute("DELETE FROM alert_notes WHERE at < ?", (before,)).rowcount
            return notes + db.execute("DELETE FROM held_episodes WHERE at < ?", (before,)).rowcount


def read_notes(db: sqlite3.Connection, alert_ids: Sequence[str]) -> dict[str, list[AlertNote]]:
    """``FeedbackStore.notes_of`` over any connection."""
    marks = ", ".join("?" * len(alert_ids))
    found: dict[str, list[AlertNote]] = {}
    for alert_id, at, by, note, verdict, what in db.execute(
        f"SELECT {_NOTE_COLUMNS} FROM alert_notes WHERE alert_id IN ({marks}) ORDER BY kind",  # noqa: S608
        tuple(alert_ids),
    ):
        said = AlertNote(alert_id, at, by, note, None if verdict is None else Verdict(verdict), what)
        found.setdefault(alert_id, []).append(said)
    return found


def read_areas(db: sqlite3.Connection, camera: str | None = None) -> list[StoredArea]:
    """``FeedbackStore.areas`` over any connection."""
    rows = db.execute(
        f"SELECT {AREA_COLUMNS} FROM suppression_areas WHERE ? IS NULL OR camera = ? ORDER BY made_at, area_id",  # noqa: S608
        (camera, camera),
    )
    return readable_areas(rows)


def read_held(db: sqlite3.Connection, area_id: str) -> list[HeldEpisode]:
    """What an area held back, as far as it is kept, oldest first."""
    rows = db.execute(
        "SELECT area_id, zone, at, track_id, score, trace FROM held_episodes WHERE area_id = ? ORDER BY number",
        (area_id,),
    )
    return [
        HeldEpisode(area, zone, at, track_id, score, json.loads(trace))
        for area, zone, at, track_id, score, trace in rows
    ]


def _remove(db: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> list[StoredArea]:
    rows = db.execute(
        f"DELETE FROM suppression_areas WHERE {condition} RETURNING {AREA_COLUMNS}",  # noqa: S608 - constants
        values,
    ).fetchall()
    return readable_areas(rows)


def _take_back(db: sqlite3.Connection, area_id: str) -> list[StoredArea]:
    """Remove an area that was a mistake; its other false alarms may teach again."""
    db.execute("UPDATE alert_notes SET area_id = NULL WHERE area_id = ?", (area_id,))
    return _remove(db, "area_id = ?", (area_id,))


def _learn(db: sqlite3.Connection, note: AlertNote, place: Place, policy: AreaPolicy) -> StoredArea | None:
    """Make the area that this verdict completes."""
    latest = _judged(note, place)
    if latest is None:
        return None
    rows = db.execute(
        f"SELECT {_NOTE_COLUMNS}, camera, rule, confirmed_at, head FROM alert_notes WHERE camera = ? AND rule = ? "  # noqa: S608
        "AND verdict IS NOT NULL AND area_id IS NULL AND head IS NOT NULL AND confirmed_at BETWEEN ? AND ?",
        (
            *(place.camera, place.rule),
            *(place.confirmed_at - policy.within_s, place.confirmed_at + policy.within_s),
        ),
    ).fetchall()
    others = [
        judged
        for row in rows
        if (
            judged := _judged(
                AlertNote(row[0], row[1], row[2], row[3], Verdict(row[4]), row[5]),
                Place(row[6], row[7], row[8], tuple(json.loads(row[9]))),
            )
        )
        is not None
    ]
    learned = learn_area(latest, others, policy)
    count = db.execute("SELECT COUNT(*) FROM suppression_areas WHERE camera = ?", (place.camera,)).fetchone()[
        0
    ]
    if learned is None or count >= MAX_AREAS_PER_CAMERA:
        return None
    made = StoredArea(
        area_id=str(ULID.from_timestamp(note.at)),
        camera=place.camera,
        rule=learned.rule,
        head_xyxy=learned.head_xyxy,
        alert_ids=learned.alert_ids,
        made_at=note.at,
        expires_at=note.at + policy.lasts_s,
    )
    made.insert(db)
    db.executemany(
        "UPDATE alert_notes SET area_id = ? WHERE alert_id = ? AND kind = 'feedback'",
        [(made.area_id, alert_id) for alert_id in learned.alert_ids],
    )
    return made


def _judged(note: AlertNote, place: Place) -> JudgedAlert | None:
    if place.head_xyxy is None or note.verdict is None:
        return None
    return JudgedAlert(
        alert_id=note.alert_id,
        rule=place.rule,
        confirmed_at=place.confirmed_at,
        head_xyxy=place.head_xyxy,
        is_thing=note.is_thing,
        is_true=note.verdict is Verdict.TRUE_ALARM,
    )
