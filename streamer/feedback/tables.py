"""The tables of feedback in the outbox's database, and the way there from what older versions kept."""

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alert_notes (
    alert_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    said_by TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',
    verdict TEXT,
    what TEXT NOT NULL DEFAULT '',
    camera TEXT,
    rule TEXT,
    confirmed_at REAL,
    head TEXT,
    area_id TEXT,
    PRIMARY KEY (alert_id, kind)
);
CREATE INDEX IF NOT EXISTS alert_notes_place ON alert_notes (camera, rule) WHERE verdict IS NOT NULL;
CREATE TABLE IF NOT EXISTS examples (
    alert_id TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    frame_time REAL NOT NULL,
    stored_at REAL NOT NULL,
    picture TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    facts BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS suppression_areas (
    area_id TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    head TEXT NOT NULL,
    alerts TEXT NOT NULL,
    made_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    held INTEGER NOT NULL DEFAULT 0,
    last_held_at REAL
);
CREATE TABLE IF NOT EXISTS held_episodes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    area_id TEXT NOT NULL,
    zone TEXT,
    at REAL NOT NULL,
    track_id INTEGER NOT NULL,
    score REAL NOT NULL,
    trace BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS held_episodes_area ON held_episodes (area_id);
"""

#: Where versions before these tables kept notes: one JSON object by alert id under each key of ``state``.
_OLD_KEYS: Final = (("alerts.ack", "ack"), ("alerts.feedback", "feedback"))
_RESCUED: Final = ("alert_notes", "suppression_areas", "examples", "held_episodes")


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables, and move older notes into them; again on each opening, to no effect."""
    db.executescript(SCHEMA)
    for key, kind in _OLD_KEYS:
        row = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        if row is None:
            continue
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                "INSERT OR IGNORE INTO alert_notes (alert_id, kind, at, verdict) VALUES (?, ?, ?, ?)",
                _old_notes(row[0], kind),
            )
            db.execute("DELETE FROM state WHERE key = ?", (key,))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def rescue(damaged: Path, db: sqlite3.Connection) -> None:
    """Copy what can still be read of these tables from a damaged database, inside a transaction of ``db``.

    They are worth less than the alerts: what cannot be read is left, and said by nobody.
    """
    with suppress(sqlite3.Error):
        old = sqlite3.connect(damaged, isolation_level=None)
        try:
            for table in _RESCUED:
                with suppress(sqlite3.Error):
                    for row in old.execute(f"SELECT * FROM {table} NOT INDEXED"):  # noqa: S608 - constants
                        marks = ", ".join("?" * len(row))
                        db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608
        finally:
            old.close()


def _old_notes(text: str, kind: str) -> list[tuple[str, str, float, str | None]]:
    try:
        return [
            (str(alert_id), kind, float(told["at"]), str(told["note"]) if kind == "feedback" else None)
            for alert_id, told in json.loads(text).items()
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        # nobody but us has ever written it; if it is unreadable all the same, there is nothing to move
        return []
