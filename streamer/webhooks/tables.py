"""The ledger's tables in the outbox's database.

A message and its entry for each target are written in one transaction, by a trigger: what the outbox holds is owed to
every target that was there then, whatever happens to this process. A message that the outbox gives up takes its
entries along, counted as dropped.
"""

import sqlite3
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS webhook_targets (
    name TEXT PRIMARY KEY,
    dropped INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS webhook_entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    event_id TEXT NOT NULL,
    seq INTEGER,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB,
    created_at REAL NOT NULL,
    UNIQUE (target, event_id)
);
CREATE INDEX IF NOT EXISTS webhook_entries_target ON webhook_entries (target, number);
CREATE INDEX IF NOT EXISTS webhook_entries_seq ON webhook_entries (seq) WHERE seq IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS webhook_entries_add AFTER INSERT ON messages BEGIN
    INSERT OR IGNORE INTO webhook_entries (target, event_id, seq, type, subject, created_at)
    SELECT name, new.alert_id || '_' || new.seq, new.seq, 'alert.' || new.type, new.alert_id, new.created_at
    FROM webhook_targets;
END;
CREATE TRIGGER IF NOT EXISTS webhook_entries_drop AFTER DELETE ON messages
WHEN EXISTS (SELECT 1 FROM webhook_entries WHERE seq = old.seq) BEGIN
    UPDATE webhook_targets SET dropped = dropped + 1
    WHERE name IN (SELECT target FROM webhook_entries WHERE seq = old.seq);
    DELETE FROM webhook_entries WHERE seq = old.seq;
END;
"""


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables; again on each opening, to no effect."""
    db.executescript(SCHEMA)


def rescue_targets(damaged: Path, db: sqlite3.Connection) -> None:
    """Copy the targets from a damaged database, before messages are put back, inside a transaction of ``db``."""
    with suppress(sqlite3.Error):
        old = sqlite3.connect(damaged, isolation_level=None)
        try:
            for row in old.execute("SELECT name, dropped FROM webhook_targets NOT INDEXED"):
                db.execute("INSERT OR IGNORE INTO webhook_targets VALUES (?, ?)", row)
        finally:
            old.close()


def rescue_entries(damaged: Path, db: sqlite3.Connection, *, rescued: Collection[int]) -> None:
    """After the messages ``rescued`` (their ``seq``) were put back: entries that hold their own text are copied, those
    of messages that are gone are counted as dropped, as far as either can be read.
    """
    with suppress(sqlite3.Error):
        old = sqlite3.connect(damaged, isolation_level=None)
        try:
            for target, event_id, seq, kind, subject, body, created_at in old.execute(
                "SELECT target, event_id, seq, type, subject, body, created_at FROM webhook_entries NOT INDEXED"
            ):
                if seq is None:
                    db.execute(
                        "INSERT OR IGNORE INTO webhook_entries (target, event_id, type, subject, body, created_at) "
                        "VALUES (?, ?, ?, ?, ?, ?)",
                        (target, event_id, kind, subject, body, created_at),
                    )
                elif seq not in rescued:
                    db.execute("UPDATE webhook_targets SET dropped = dropped + 1 WHERE name = ?", (target,))
        finally:
            old.close()
