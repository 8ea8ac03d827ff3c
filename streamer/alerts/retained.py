"""Retained messages: the last value of each topic, announced again on every connection."""

import threading
import time
from collections.abc import Callable, Iterable


class RetainedStore:
    """Latest wins: a value that was replaced before it was sent is never sent. Safe from any thread.

    An empty payload removes the topic's retained message at the broker; it stays in the store so that the
    removal too is repeated after an outage. With ``refresh_s`` every value is announced again after that
    time, for messages that expire.
    """

    def __init__(
        self, *, refresh_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, bytes] = {}
        self._due: dict[str, None] = {}
        self._refresh_s = refresh_s
        self._clock = clock
        self._announced_at = clock()

    def put(self, topic: str, payload: bytes, *, again: bool = False) -> bool:
        """Set the value of ``topic``; returns whether it is to be sent: it is another than before, or ``again``."""
        with self._lock:
            if self._values.get(topic) == payload and not again:
                return False
            self._values[topic] = payload
            self._due[topic] = None
            return True

    def announce_all(self) -> None:
        """Everything is due again: a connection was made."""
        with self._lock:
            self._due = dict.fromkeys(self._values)
            self._announced_at = self._clock()

    def take_due(self) -> list[tuple[str, bytes]]:
        """What has to be sent now, in the order in which it became due. Taken values are no longer due."""
        if self._refresh_s is not None and self._clock() - self._announced_at >= self._refresh_s:
            self.announce_all()
        with self._lock:
            due = [(topic, self._values[topic]) for topic in self._due]
            self._due.clear()
            return due

    def topics(self) -> list[str]:
        """The topics that hold a value, removed ones left out."""
        with self._lock:
            return sorted(topic for topic, payload in self._values.items() if payload)

    def remove_except(self, keep: Iterable[str], known_before: Iterable[str], *, below: str = "") -> None:
        """Remove every topic of ``known_before``, and of the store as far as it begins with ``below``, that is not in
        ``keep``.
        """
        held = {topic for topic in self.topics() if topic.startswith(below)}
        for topic in held.union(known_before).difference(keep):
            self.put(topic, b"")
