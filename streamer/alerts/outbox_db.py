"""The outbox's database: schema, transactions, and SQLite's errors as those of ``streamer.alerts``."""

import os
import sqlite3
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from streamer.alerts.errors import OutboxDamagedError, OutboxError, OutboxFullError
from streamer.alerts.outbox_files import is_disk_full
from streamer.feedback import tables as feedback_tables
from streamer.webhooks import tables as webhook_tables

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL,
    type TEXT NOT NULL,
    camera TEXT NOT NULL,
    body BLOB NOT NULL,
    trace BLOB,
    snapshot TEXT,
    snapshot_bytes INTEGER NOT NULL,
    created_at REAL NOT NULL,
    acked_at REAL
);
CREATE INDEX IF NOT EXISTS messages_alert ON messages (alert_id, type);
CREATE INDEX IF NOT EXISTS messages_pending ON messages (seq) WHERE acked_at IS NULL;
CREATE INDEX IF NOT EXISTS messages_acked ON messages (acked_at) WHERE acked_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_snapshot ON messages (snapshot) WHERE snapshot IS NOT NULL;
CREATE TABLE IF NOT EXISTS feed (
    seq INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL,
    camera TEXT NOT NULL,
    zone TEXT,
    rule TEXT,
    confirmed_at TEXT
);
CREATE TRIGGER IF NOT EXISTS feed_add AFTER INSERT ON messages WHEN new.type = 'new' BEGIN
    INSERT OR REPLACE INTO feed VALUES (
        new.seq, new.alert_id, new.camera, json_extract(CAST(new.body AS TEXT), '$.zone'),
        json_extract(CAST(new.body AS TEXT), '$.rule'), json_extract(CAST(new.body AS TEXT), '$.confirmed_at')
    );
END;
CREATE TRIGGER IF NOT EXISTS feed_remove AFTER DELETE ON messages WHEN old.type = 'new' BEGIN
    DELETE FROM feed WHERE seq = old.seq;
END;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

#: What the feed of alerts is filtered by, taken from the messages: ten thousand alerts are found without reading one.
#: Filled here where the messages are older than the table; then it is the triggers that keep it.
_FILL_FEED: Final = """
INSERT OR IGNORE INTO feed
SELECT seq, alert_id, camera, json_extract(CAST(body AS TEXT), '$.zone'), json_extract(CAST(body AS TEXT), '$.rule'),
    json_extract(CAST(body AS TEXT), '$.confirmed_at')
FROM messages WHERE type = 'new' AND json_valid(CAST(body AS TEXT))
"""

#: Every column, in the order of ``streamer.alerts.outbox.StoredMessage``.
MESSAGE_COLUMNS: Final = (
    "seq, alert_id, type, camera, body, trace, snapshot, snapshot_bytes, created_at, acked_at"
)

#: No outbox is larger; a header that says so is damaged too.
_MOST_BYTES: Final = 2**36
#: No site gives out so many numbers.
_MOST_SEQ: Final = 10**15

_DAMAGED_CODES: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class OutboxDatabase:
    """One connection behind one lock. Raises the errors of ``streamer.alerts.errors`` and no others.

    ``max_pages`` caps the file at that many SQLite pages of 4 KiB.
    """

    def __init__(self, path: Path, *, max_pages: int | None = None) -> None:
        self.path = path
        self.lock = threading.RLock()
        with _translated(path):
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(max_pages)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, max_pages: int | None) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        # a disk that fills up should find little room taken by a journal: 1 MB instead of 4, and given back
        self._db.execute("PRAGMA wal_autocheckpoint = 256")
        self._db.execute("PRAGMA journal_size_limit = 1048576")
        # what was removed is overwritten, and not found in free pages
        self._db.execute("PRAGMA secure_delete = ON")
        if max_pages is not None:
            self._db.execute(f"PRAGMA max_page_count = {int(max_pages)}")
        if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise OutboxDamagedError(f"{self.path}: the database is malformed")
        has_feed = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'feed'").fetchone() is not None
        self._db.executescript(_SCHEMA)
        if not has_feed:
            self._db.execute(_FILL_FEED)
        feedback_tables.prepare(self._db)
        webhook_tables.prepare(self._db)

    def release_journal(self) -> None:
        """Move the journal into the database and give its room back, where that can be done."""
        try:
            with self.reading() as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except OutboxFullError:
            # the database itself would have to grow; the journal stays as it is and loses nothing
            return

    def close(self) -> None:
        """Close the connection; what is stored stays."""
        with self.lock:
            self._db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for queries."""
        with self.lock, _translated(self.path):
            yield self._db

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """The connection, inside a write transaction that is rolled back on any error.

        ``durable``: on the disk when the block ends (``synchronous=FULL``); otherwise a power loss may undo
        it.
        """
        with self.lock, _translated(self.path):
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite rolls back by itself on some errors, a full disk among them
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def readable_pending(damaged: Path) -> list[tuple[Any, ...]]:
    """The undelivered messages of a damaged database, from both ends up to the first place that cannot be read; whether
    they are what was stored ``outbox_rescue`` tells.
    """
    _fill_up(damaged)
    rows: dict[int, tuple[Any, ...]] = {}
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(damaged)) as db:
            # the table itself: an index that is damaged would hide rows that can be read
            for row in db.execute(
                f"SELECT {MESSAGE_COLUMNS} FROM messages NOT INDEXED "  # noqa: S608
                f"WHERE acked_at IS NULL ORDER BY seq {order}"
            ):
                if row[0] in rows:
                    break
                rows[row[0]] = row
    return [rows[seq] for seq in sorted(rows)]


def readable_last_seq(damaged: Path) -> int:
    """The newest ``seq`` that a damaged database says it has given out; 0 where that cannot be read."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(damaged)) as db:
        row = db.execute("SELECT value FROM counters WHERE name = 'seq'").fetchone()
        if row is not None and isinstance(row[0], int) and 0 < row[0] <= _MOST_SEQ:
            return row[0]
    return 0


def _fill_up(damaged: Path) -> None:
    """Give a file that was cut off its length back, in zeros: SQLite reads nothing at all of one that is too short."""
    with suppress(OSError, struct.error), damaged.open("r+b") as file:
        page_size, pages = struct.unpack_from(">H10xI", file.read(100), 16)
        whole = pages * (65536 if page_size == 1 else page_size)
        if os.fstat(file.fileno()).st_size < whole <= _MOST_BYTES:
            file.truncate(whole)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        # the primary code is the low byte of the extended one
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise OutboxFullError(f"no room for alerts in {path}: {error}") from error
        if code in _DAMAGED_CODES:
            raise OutboxDamagedError(f"{path}: {error}") from error
        raise OutboxError(f"{path}: {error}") from error
    except OSError as error:
        if is_disk_full(error):
            raise OutboxFullError(f"no room for alerts beside {path}: {error.strerror}") from error
        raise OutboxError(f"cannot write beside {path}: {error.strerror}") from error
