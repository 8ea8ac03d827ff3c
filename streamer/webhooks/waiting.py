"""The events that one target has still to be told, in memory: which is next, and which are given up first."""

from collections.abc import Iterable, Iterator
from itertools import islice

from streamer.webhooks.ledger import Entry
from streamer.webhooks.target import ALERT_EVENTS


class WaitingEvents:
    """Entries in their order. Those of a subject are told one after the other; what the target does not take holds up
    its own subject alone. Used by one thread.
    """

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        #: when entries came, monotonic s; those that are not here are older than this process knows
        self._came_s: dict[int, float] = {}
        self._held_until_s: dict[str, float] = {}
        self._attempts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entries: Iterable[Entry], *, came_s: float | None = None) -> None:
        """Entries behind those that are there. ``came_s``: when they came, monotonic s; None where nobody knows."""
        for entry in entries:
            self._entries[entry.number] = entry
            if came_s is not None:
                self._came_s[entry.number] = came_s

    def oldest(self) -> Entry | None:
        """The first of all."""
        return next(iter(self._entries.values()), None)

    def due(self, now_s: float) -> Entry | None:
        """The first whose subject is not held at monotonic time ``now_s``."""
        self._held_until_s = {subject: at_s for subject, at_s in self._held_until_s.items() if at_s > now_s}
        return next(
            (entry for entry in self._entries.values() if entry.subject not in self._held_until_s), None
        )

    def next_due_s(self) -> float | None:
        """When the first of the subjects that are held is due again; None when none is held."""
        return min(self._held_until_s.values(), default=None)

    def attempted(self, entry: Entry) -> int:
        """Count an attempt that the target did not take for the entry's own sake; returns how many there were."""
        self._attempts[entry.number] = count = self._attempts.get(entry.number, 0) + 1
        return count

    def hold(self, entry: Entry, until_s: float) -> None:
        """Hold back the entry's subject until monotonic time ``until_s``."""
        self._held_until_s[entry.subject] = until_s

    def release(self) -> None:
        """Hold back nothing any more."""
        self._held_until_s.clear()

    def remove(self, entry: Entry) -> None:
        """It waits no more."""
        self._entries.pop(entry.number, None)
        self._came_s.pop(entry.number, None)
        self._attempts.pop(entry.number, None)
        self._held_until_s.pop(entry.subject, None)

    def surplus(self, *, most: int, max_age_s: float, at: float, now_s: float) -> list[Entry]:
        """What is beyond the bounds, and is removed: the entries that have waited for longer than ``max_age_s`` at
        ``at`` (UTC epoch s), by the monotonic clock at ``now_s`` where it is known when they came, and so many that
        ``most`` are left, updates of alerts first, then the oldest.
        """
        # a clock that is set, as by the first answer of a time server, makes nothing older
        gone = [
            entry
            for entry in self._entries.values()
            if (
                entry.created_at < at - max_age_s
                if (came_s := self._came_s.get(entry.number)) is None
                else came_s < now_s - max_age_s
            )
        ]
        for entry in gone:
            self.remove(entry)
        too_many = len(self._entries) - most
        if too_many > 0:
            chosen = list(islice(self._by_worth(), too_many))
            for entry in chosen:
                self.remove(entry)
            gone += chosen
        return gone

    def _by_worth(self) -> Iterator[Entry]:
        entries = list(self._entries.values())
        yield from (entry for entry in entries if entry.type == ALERT_EVENTS["update"])
        yield from (entry for entry in entries if entry.type != ALERT_EVENTS["update"])
