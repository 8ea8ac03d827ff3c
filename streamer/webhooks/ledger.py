"""What each target has still to be told: entries in the outbox's database."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from streamer.alerts.outbox_db import OutboxDatabase


@dataclass(frozen=True, slots=True)
class Entry:
    """One event that a target has not acknowledged.

    - ``number`` orders them; ``event_id`` is the same in every attempt, and at every target.
    - ``seq``: of the outbox's message; None where the entry holds its text itself (``WebhookLedger.body``).
    - ``subject``: the alert's or the camera's name; entries of one subject are told in order.
    - ``created_at``: UTC epoch s.
    """

    number: int
    event_id: str
    seq: int | None
    type: str
    subject: str
    created_at: float


class WebhookLedger:
    """The entries of all targets. Any thread may call. Raises ``OutboxError``.

    A removal is written so that a crash may undo it: the event is posted again then, under the same id.
    """

    def __init__(self, database: OutboxDatabase) -> None:
        self._db = database

    def targets(self) -> dict[str, int]:
        """Name, and how many events were given up, of every target that is owed what comes."""
        with self._db.reading() as db:
            return dict(db.execute("SELECT name, dropped FROM webhook_targets").fetchall())

    def add_target(self, name: str) -> None:
        """Owe it every event from now on; to no effect where it is owed them already."""
        if name in self.targets():
            return
        with self._db.transaction(durable=True) as db:
            db.execute("INSERT OR IGNORE INTO webhook_targets (name) VALUES (?)", (name,))

    def remove_target(self, name: str) -> int:
        """Owe it nothing any more; returns how many events waited."""
        with self._db.transaction(durable=True) as db:
            waiting = db.execute("DELETE FROM webhook_entries WHERE target = ?", (name,)).rowcount
            db.execute("DELETE FROM webhook_targets WHERE name = ?", (name,))
        return int(waiting)

    def add(
        self, names: Iterable[str], *, event_id: str, type_: str, subject: str, body: bytes, at: float
    ) -> None:
        """Owe an event that is no alert to those targets of ``names`` that are known. A power cut may lose it."""
        with self._db.transaction(durable=False) as db:
            db.executemany(
                "INSERT OR IGNORE INTO webhook_entries (target, event_id, type, subject, body, created_at) "
                "SELECT name, ?, ?, ?, ?, ? FROM webhook_targets WHERE name = ?",
                [(event_id, type_, subject, body, at, name) for name in names],
            )

    def entries(self, name: str, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """What a target is owed above number ``after``, in order."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT number, event_id, seq, type, subject, created_at FROM webhook_entries "
                "WHERE target = ? AND number > ? ORDER BY number LIMIT ?",
                (name, after, limit),
            ).fetchall()
        return [Entry(*row) for row in rows]

    def body(self, name: str, event_id: str) -> bytes | None:
        """The text of an event that is no alert; None when it is gone."""
        with self._db.reading() as db:
            row = db.execute(
                "SELECT body FROM webhook_entries WHERE target = ? AND event_id = ?", (name, event_id)
            ).fetchone()
        return None if row is None else row[0]

    def settle(self, name: str, event_ids: Collection[str], *, dropped: bool = False) -> None:
        """The target has acknowledged these events, or does not want them; ``dropped``: they are given up."""
        if not event_ids:
            return
        with self._db.transaction(durable=dropped) as db:
            gone = 0
            for event_id in event_ids:
                gone += db.execute(
                    "DELETE FROM webhook_entries WHERE target = ? AND event_id = ?", (name, event_id)
                ).rowcount
            if dropped:
                db.execute("UPDATE webhook_targets SET dropped = dropped + ? WHERE name = ?", (gone, name))
