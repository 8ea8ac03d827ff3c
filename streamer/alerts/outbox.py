"""The durable queue between the rules and the broker: nothing is published that is not on the disk first.

One SQLite database in WAL mode per site, and the snapshots beside it as plain files, in the state directory:

    outbox.sqlite3                          messages, in order of ``seq``
    outbox.reserved                         no ``seq`` above this number has ever been given out
    outbox.last                             the ``seq`` that was stored last
    snapshots/YYYY-MM-DD/<alert_id>.jpg     UTC date of the frame; later pictures of an alert add ``.<seq>``
    examples/YYYY-MM-DD/<alert_id>.jpg      frames that wait for a verdict (``streamer.feedback.example_store``)

``seq`` counts the messages of a site without gaps; a gap that a subscriber sees is a message that was lost or
dropped on the way. An enqueue is one transaction with ``synchronous=FULL``: when it returns, the message
survives ``kill -9`` and power loss. An acknowledgement is written with ``synchronous=NORMAL``: to lose one
costs a duplicate, no message.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from streamer.alerts.errors import OutboxDamagedError, OutboxError, OutboxFullError
from streamer.alerts.outbox_db import MESSAGE_COLUMNS, OutboxDatabase, readable_last_seq, readable_pending
from streamer.alerts.outbox_files import (
    LastStored,
    SequenceReserve,
    lock_folder,
    move_aside,
    remove_parts,
    remove_snapshot,
    remove_stored_picture,
    snapshot_path,
    stored_picture,
    write_durably,
)
from streamer.alerts.outbox_history import History, OutboxLimits, Tally
from streamer.alerts.outbox_rescue import is_whole, rescued
from streamer.alerts.payload import Alert, AlertType
from streamer.feedback import tables as feedback_tables
from streamer.feedback.example_store import ExampleStore
from streamer.feedback.store import FeedbackStore
from streamer.webhooks import tables as webhook_tables
from streamer.webhooks.ledger import WebhookLedger

_log = logging.getLogger(__name__)

#: On a full disk this many delivered messages go at once, that often at most for one alert.
_ROOM_BATCH: Final = 20
_ROOM_ATTEMPTS: Final = 50
#: Of the kept frames, which go before that, about this much at once.
_ROOM_BYTES: Final = 10_000_000

_T = TypeVar("_T")

_INSERT: Final = f"INSERT INTO messages ({MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_COUNT_DROPPED: Final = (
    "INSERT INTO counters VALUES ('dropped', ?) "
    "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message as it lies in the outbox: ``body`` and ``trace`` are JSON, ``snapshot`` its picture."""

    seq: int
    alert_id: str
    type: str
    camera: str
    body: bytes
    trace: bytes | None
    snapshot: Path | None
    snapshot_bytes: int
    created_at: float
    acked_at: float | None

    @classmethod
    def of(cls, row: Sequence[Any], state_dir: Path) -> "StoredMessage":
        """A row of ``MESSAGE_COLUMNS``."""
        message = cls(*row)
        return replace(message, snapshot=stored_picture(state_dir, row[6]))


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """``pending`` messages wait for the broker, ``kept`` ones are history;

    ``dropped`` counts over the site's life.
    """

    last_seq: int
    pending: int
    pending_bytes: int
    kept: int
    kept_bytes: int
    dropped: int


class Outbox:
    """The outbox of one site. Every method may be called from any thread; one process at a time may open it.

    A damaged database is moved aside (``recovered_from``); a new one takes over what can still be read of the
    undelivered messages and goes on above every ``seq`` ever given out. So does one that is whole but has lost its
    latest messages, which are counted as dropped. ``max_pages`` caps the database file,
    in pages of 4 KiB. Raises ``OutboxFullError`` when there is no room, ``OutboxError`` for whatever else
    stops it.
    """

    def __init__(
        self, state_dir: Path, *, limits: OutboxLimits | None = None, max_pages: int | None = None
    ) -> None:
        self._dir = state_dir
        self._limits = limits or OutboxLimits()
        self._max_pages = max_pages
        self.recovered_from: Path | None = None
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._lock_file = lock_folder(state_dir)
            remove_parts(state_dir)
            self._reserve = SequenceReserve(state_dir / "outbox.reserved")
            self._last = LastStored(state_dir / "outbox.last")
        except BlockingIOError as error:
            raise OutboxError(f"{state_dir} is in use by another ppewatch") from error
        except OSError as error:
            raise OutboxError(f"cannot use the state directory {state_dir}: {error.strerror}") from error
        self._path = state_dir / "outbox.sqlite3"
        try:
            self._db = self._open_or_start_anew()
        except BaseException:
            self._last.close()
            self._lock_file.close()
            raise

    def close(self) -> None:
        """Close the database; what is stored stays."""
        self._db.close()
        self._last.close()
        self._lock_file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing ------------------------------------------------------------------------------------

    def enqueue(
        self, alert: Alert, snapshot_jpeg: bytes | None = None, *, at: float, trace: Any = None
    ) -> int:
        """Store a message, its picture and its trace (anything JSON) durably, and return its ``seq``.

        ``at`` is the wall clock, UTC epoch seconds. An alert has one ``new`` and one ``end``: a second one is
        not stored and returns the number of the first. Raises ``ValueError`` when the picture is not the one
        that ``alert.snapshot`` describes, ``OutboxFullError`` when there is no room even after the delivered
        history was given up; then nothing was stored and no ``seq`` was spent.
        """
        check_snapshot(alert, snapshot_jpeg)
        trace_json = None if trace is None else json.dumps(trace, ensure_ascii=False).encode()
        with self._db.lock:
            try:
                seq = self._making_room(lambda: self._store(alert, snapshot_jpeg, at, trace_json))
            except OutboxDamagedError as error:
                self._db.close()
                self._db = self._start_anew(error)
                seq = self._store(alert, snapshot_jpeg, at, trace_json)
            try:
                self._bound_backlog()
            except OutboxError as error:
                # the message is stored: whoever is told otherwise stores it again
                _log.error("what waits for the broker cannot be kept within its limits: %s", error)
        return seq

    def acknowledge(self, seq: int, *, at: float) -> None:
        """The broker has taken the message. Unknown and already acknowledged numbers are ignored."""
        with self._db.lock:
            self._making_room(lambda: self._acknowledge(seq, at))

    def enforce_limits(self, *, at: float, batch: int = 500) -> int:
        """Remove delivered messages that are too old or too much, with their pictures, oldest first.

        Removes ``batch`` at most and returns how many, so that a caller with other duties can come back for
        more.
        """
        return self._history.enforce(self._limits, at=at, batch=batch)

    # -- reading ------------------------------------------------------------------------------------

    def pending(self, *, after_seq: int = 0, limit: int = 100) -> list[StoredMessage]:
        """What the broker has not acknowledged, in order of ``seq``, above ``after_seq``."""
        return self._select("WHERE acked_at IS NULL AND seq > ? ORDER BY seq LIMIT ?", (after_seq, limit))

    def messages_of(self, alert_id: str) -> list[StoredMessage]:
        """Every stored message of one alert, in order of ``seq``."""
        return self._select("WHERE alert_id = ? ORDER BY seq", (alert_id,))

    def message(self, seq: int) -> StoredMessage | None:
        """One stored message; None when it is not, or no longer, kept."""
        return next(iter(self._select("WHERE seq = ?", (seq,))), None)

    def latest(self, *, limit: int = 100, before_seq: int | None = None) -> list[StoredMessage]:
        """The newest messages first, delivered or not."""
        bound = 2**62 if before_seq is None else before_seq
        return self._select("WHERE seq < ? ORDER BY seq DESC LIMIT ?", (bound, limit))

    def open_alerts(self) -> list[StoredMessage]:
        """The latest message of every alert that has got no ``end``, in order of ``seq``; where the disk has torn it,
        the one before. An alert of which nothing can be read is left out, and said.
        """
        latest = self._rows(
            "WHERE seq IN (SELECT MAX(seq) FROM messages GROUP BY alert_id HAVING SUM(type = 'end') = 0) ORDER BY seq",
            (),
        )
        found = []
        for row in latest:
            rows = [row] if is_whole(row) else self._rows("WHERE alert_id = ? ORDER BY seq DESC", (row[1],))
            whole = next(filter(is_whole, rows), None)
            if whole is None:
                _log.critical("message %d is not what was stored: its alert gets no end", row[0])
            else:
                found.append(StoredMessage.of(whole, self._dir))
        return found

    def stats(self) -> OutboxStats:
        """Counts for the health page, the metrics and the ``stats`` message."""
        with self._db.reading() as db:
            counters = dict(db.execute("SELECT name, value FROM counters").fetchall())
            return OutboxStats(
                last_seq=counters["seq"],
                pending=self._pending.count,
                pending_bytes=self._pending.size,
                kept=self._history.kept.count,
                kept_bytes=self._history.kept.size,
                dropped=counters.get("dropped", 0),
            )

    def get_state(self, key: str) -> Any:
        """What ``put_state`` stored under ``key``, or None; so where the disk has torn it."""
        with self._db.reading() as db:
            row = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        try:
            return None if row is None else json.loads(row[0])
        except (ValueError, TypeError) as error:
            _log.error("what was kept under %s cannot be read: %s", key, error)
            return None

    def put_state(self, key: str, value: Any) -> None:
        """Keep anything JSON under ``key`` across restarts, durably; None removes it."""
        with self._db.transaction(durable=True) as db:
            if value is None:
                db.execute("DELETE FROM state WHERE key = ?", (key,))
            else:
                db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, json.dumps(value)))

    # -- inside -------------------------------------------------------------------------------------

    def _open_or_start_anew(self) -> OutboxDatabase:
        try:
            return self._open()
        except OutboxDamagedError as error:
            return self._start_anew(error)

    def _open(self, *, after_damage: bool = False) -> OutboxDatabase:
        database = OutboxDatabase(self._path, max_pages=self._max_pages)
        try:
            self._check_pending(database)
        except BaseException:
            database.close()
            raise
        with database.transaction(durable=True) as db:
            row = db.execute("SELECT value FROM counters WHERE name = 'seq'").fetchone()
            known = row[0] if row is not None else self._reserve.upper if after_damage else 0
            if row is None or known < self._last.seq:
                self._begin_above(db, known)
            totals = "SELECT COUNT(*), COALESCE(SUM(snapshot_bytes + length(body)), 0) FROM messages "
            self._pending = Tally(*db.execute(totals + "WHERE acked_at IS NULL").fetchone())
            kept = Tally(*db.execute(totals + "WHERE acked_at IS NOT NULL").fetchone())
        self._history = History(database, self._dir, kept)
        #: what people say of alerts, and the frames that are kept for it, in the same database
        self.feedback = FeedbackStore(database)
        self.examples = ExampleStore(database, self._dir)
        #: what webhooks have still to be told
        self.webhooks = WebhookLedger(database)
        return database

    def _check_pending(self, database: OutboxDatabase) -> None:
        """Raises ``OutboxDamagedError`` where a message that waits is not what was stored."""
        with database.reading() as db:
            for row in db.execute(f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE acked_at IS NULL"):  # noqa: S608
                if not is_whole(row):
                    raise OutboxDamagedError(f"{self._path}: message {row[0]} is not what was stored")

    def _begin_above(self, db: sqlite3.Connection, known: int) -> None:
        """Go on above every number that was given out, where the database knows of ``known`` of them."""
        upper = max(self._reserve.upper, self._last.seq)
        db.execute("INSERT OR REPLACE INTO counters VALUES ('seq', ?)", (upper,))
        if known >= self._last.seq:
            return
        db.execute(_COUNT_DROPPED, (self._last.seq - known,))
        _log.critical(
            "the disk has lost what it had confirmed (a power cut? an older copy?): seq %d to %d were stored and are "
            "gone, delivered or not; numbers go on above seq %d",
            known + 1,
            self._last.seq,
            upper,
        )

    def _start_anew(self, error: OutboxDamagedError) -> OutboxDatabase:
        try:
            moved = self.recovered_from = move_aside(self._path)
        except OSError as moving:
            raise OutboxError(f"{error}, and it cannot be moved aside: {moving.strerror}") from moving
        database = self._open(after_damage=True)
        found = readable_pending(moved)
        upper = max(self._reserve.upper, self._last.seq)
        if upper:
            rows = [row for row in (rescued(row, self._dir) for row in found if row[0] <= upper) if row]
        else:
            # the files that say how far numbers went are lost too: what can be read says it
            rows = [row for row in (rescued(row, self._dir) for row in found) if row]
            upper = max([readable_last_seq(moved), *(row[0] for row in rows)])
        with database.transaction(durable=True) as db:
            db.execute("UPDATE counters SET value = ? WHERE name = 'seq'", (upper,))
            webhook_tables.rescue_targets(moved, db)
            db.executemany(_INSERT, rows)
            webhook_tables.rescue_entries(moved, db, rescued={row[0] for row in rows})
            feedback_tables.rescue(moved, db)
        self._pending.add(len(rows), sum(len(row[4]) + row[7] for row in rows))
        _log.critical(
            "the outbox was damaged (%s): moved to %s. %d undelivered alerts could be read back; "
            "others are lost, numbers go on above seq %d; the pictures under %s are untouched",
            error,
            moved,
            len(rows),
            upper,
            self._dir / "snapshots",
        )
        return database

    def _store(self, alert: Alert, jpeg: bytes | None, at: float, trace: bytes | None) -> int:
        written: Path | None = None
        try:
            with self._db.transaction(durable=True) as db:
                if alert.type is not AlertType.UPDATE:
                    known = db.execute(
                        "SELECT seq FROM messages WHERE alert_id = ? AND type = ?",
                        (alert.alert_id, alert.type),
                    ).fetchone()
                    if known is not None:
                        return int(known[0])
                seq = int(db.execute("SELECT value FROM counters WHERE name = 'seq'").fetchone()[0]) + 1
                self._reserve.cover(seq)
                if jpeg is not None and alert.snapshot is not None:
                    target = snapshot_path(self._dir, alert.alert_id, alert.snapshot.frame_time, seq)
                    write_durably(target, jpeg)
                    written = target
                body = alert.to_json(seq=seq)
                size = 0 if jpeg is None else len(jpeg)
                name = None if written is None else str(written.relative_to(self._dir))
                db.execute("UPDATE counters SET value = ? WHERE name = 'seq'", (seq,))
                db.execute(
                    _INSERT,
                    (seq, alert.alert_id, str(alert.type), alert.camera, body, trace, name, size, at, None),
                )
        except BaseException:
            if written is not None:
                remove_snapshot(written)
            raise
        self._last.note(seq)
        self._pending.add(1, len(body) + size)
        return seq

    def _acknowledge(self, seq: int, at: float) -> None:
        with self._db.transaction(durable=False) as db:
            row = db.execute(
                "UPDATE messages SET acked_at = ? WHERE seq = ? AND acked_at IS NULL "
                "RETURNING snapshot_bytes + length(body)",
                (at, seq),
            ).fetchone()
        if row is not None:
            self._pending.add(-1, -row[0])
            self._history.kept.add(1, row[0])

    def _making_room(self, action: Callable[[], _T]) -> _T:
        """Do ``action``; on a full disk give up history bit by bit: it is worth less than what nobody has seen."""
        attempt = 0
        while True:
            try:
                return action()
            except OutboxFullError:
                # the journal's own room first, then history
                if attempt == _ROOM_ATTEMPTS or (attempt and not self._give_up()):
                    raise
                self._db.release_journal()
                attempt += 1

    def _give_up(self) -> int:
        """Kept frames before delivered alerts; returns how many went."""
        return self.examples.give_up(_ROOM_BYTES, batch=_ROOM_BATCH) or self._history.give_up(
            batch=_ROOM_BATCH
        )

    def _bound_backlog(self) -> None:
        """Drop what is over the limits of the backlog: updates first, then the oldest, never the last one."""
        limits = self._limits
        while self._pending.count > 1 and (
            self._pending.count > limits.backlog_messages or self._pending.size > limits.backlog_bytes
        ):
            with self._db.transaction(durable=True) as db:
                seq, alert_id, kind, picture, size = db.execute(
                    "SELECT seq, alert_id, type, snapshot, snapshot_bytes + length(body) FROM messages "
                    "WHERE acked_at IS NULL ORDER BY type = 'update' DESC, seq LIMIT 1"
                ).fetchone()
                db.execute("DELETE FROM messages WHERE seq = ?", (seq,))
                db.execute(_COUNT_DROPPED, (1,))
            self._pending.add(-1, -size)
            remove_stored_picture(self._dir, picture)
            _log.error(
                "too much waits for the broker (%d messages, %d bytes): dropped %s of alert %s, seq %d",
                self._pending.count + 1,
                self._pending.size + size,
                kind,
                alert_id,
                seq,
            )

    def _select(self, clause: str, values: tuple[Any, ...]) -> list[StoredMessage]:
        return [StoredMessage.of(row, self._dir) for row in self._rows(clause, values)]

    def _rows(self, clause: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._db.reading() as db:
            return db.execute(f"SELECT {MESSAGE_COLUMNS} FROM messages {clause}", values).fetchall()  # noqa: S608


def check_snapshot(alert: Alert, jpeg: bytes | None) -> None:
    """Raises ``ValueError`` when the picture is not the one that ``alert.snapshot`` describes."""
    described = None if alert.snapshot is None else (alert.snapshot.sha256, alert.snapshot.size_bytes)
    given = None if jpeg is None else (sha256(jpeg).hexdigest(), len(jpeg))
    if described != given:
        raise ValueError(
            f"alert {alert.alert_id}: the picture is not the one that its snapshot field describes"
        )
