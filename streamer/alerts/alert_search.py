"""Finds alerts in an outbox beside the daemon that writes it: connections of their own, which only read."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import StoredMessage
from streamer.alerts.outbox_db import MESSAGE_COLUMNS
from streamer.alerts.outbox_rescue import is_whole
from streamer.alerts.payload import utc_iso


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are asked for; None: all.

    - ``zone`` empty: those in no zone, of rules that hold in the whole picture.
    - ``since``, ``until``: when they were confirmed, UTC epoch seconds, the latter not included.
    """

    camera: str | None = None
    zone: str | None = None
    rule: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class FoundAlert:
    """One alert: its messages from the newest to the oldest, and the number of the first, which orders alerts."""

    seq: int
    messages: tuple[StoredMessage, ...]


class AlertSearch:
    """Looks into ``state_dir``. Any thread may call. Raises ``OutboxError`` when the outbox cannot be read.

    Messages that the disk has torn are left out.
    """

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir
        self._path = state_dir / "outbox.sqlite3"

    def find(
        self, wanted: AlertFilter | None = None, *, limit: int = 50, before_seq: int | None = None
    ) -> list[FoundAlert]:
        """The latest alerts, newest first; ``before_seq``: those whose first message is older than that."""
        found: list[FoundAlert] = []
        with self._reading() as db:
            # again only where nothing can be read of an alert
            while len(found) < limit:
                clause, values = _clause(wanted or AlertFilter(), before_seq)
                firsts = db.execute(
                    f"SELECT seq, alert_id FROM feed WHERE TRUE {clause} ORDER BY seq DESC LIMIT ?",  # noqa: S608
                    (*values, limit - len(found)),
                ).fetchall()
                if not firsts:
                    break
                read = (FoundAlert(seq, self._messages(db, alert_id)) for seq, alert_id in firsts)
                found += [one for one in read if one.messages]
                before_seq = firsts[-1][0]
        return found

    def messages_of(self, alert_id: str) -> tuple[StoredMessage, ...]:
        """Every message of an alert from the newest to the oldest; none when it is not, or no longer, there."""
        with self._reading() as db:
            return self._messages(db, alert_id)

    def places(self) -> list[tuple[str, str | None, str]]:
        """Camera, zone and rule of every alert that is kept, each once, in their order."""
        with self._reading() as db:
            rows: Sequence[tuple[str, str | None, str]] = db.execute(
                "SELECT DISTINCT camera, zone, rule FROM feed"
            ).fetchall()
        return sorted(rows, key=lambda row: (row[0], row[1] or "", row[2]))

    def _messages(self, db: sqlite3.Connection, alert_id: str) -> tuple[StoredMessage, ...]:
        rows = db.execute(
            f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE alert_id = ? ORDER BY seq DESC",  # noqa: S608
            (alert_id,),
        ).fetchall()
        return tuple(StoredMessage.of(row, self._dir) for row in rows if is_whole(row))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if not self._path.exists():
            raise OutboxError(f"{self._dir} holds no outbox")
        try:
            with closing(sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)) as db:
                yield db
        except sqlite3.Error as error:
            raise OutboxError(f"{self._path}: cannot be read: {error}") from error


def _clause(wanted: AlertFilter, before_seq: int | None) -> tuple[str, list[object]]:
    """The conditions, each with ``AND`` before it, and their values."""
    conditions: list[tuple[str, object]] = []
    if before_seq is not None:
        conditions.append(("seq < ?", before_seq))
    if wanted.camera is not None:
        conditions.append(("camera = ?", wanted.camera))
    if wanted.zone is not None:
        conditions.append(("zone IS ?", wanted.zone or None))
    if wanted.rule is not None:
        conditions.append(("rule = ?", wanted.rule))
    # ISO 8601 in UTC with as many digits each: the order of the texts is that of the times
    if wanted.since is not None:
        conditions.append(("confirmed_at >= ?", utc_iso(wanted.since)))
    if wanted.until is not None:
        conditions.append(("confirmed_at < ?", utc_iso(wanted.until)))
    clause = " ".join(f"AND {condition}" for condition, _ in conditions)
    return clause, [value for _, value in conditions]
