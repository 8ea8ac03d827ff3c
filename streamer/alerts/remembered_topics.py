"""Which retained states lie at the broker, across runs of the daemon.

Those of a camera that was removed in between must still be taken off it.
"""

from collections.abc import Callable
from threading import Lock
from typing import Final

from streamer.alerts.outbox import Outbox
from streamer.alerts.retained import RetainedStore

_KEY: Final = "mqtt.retained_topics"


class RememberedTopics:
    """The list of the topics below ``below`` that are retained, in the outbox. Any thread may call."""

    def __init__(self, outbox: Outbox, *, below: str) -> None:
        self._outbox = outbox
        self._below = below
        self._lock = Lock()
        self._kept: set[str] = set()

    def keep(self, store: RetainedStore, is_kept: Callable[[str], bool]) -> None:
        """Remove from ``store``, and so from the broker, what ``is_kept`` refuses by the topic's part after ``below``;
        what earlier runs left there too. The list of the others is kept.

        Raises ``OutboxError`` when it cannot be; what is refused is removed all the same.
        """
        with self._lock:
            earlier = self._earlier()
            known = earlier | self._held(store)
            kept = {topic for topic in known if is_kept(topic.removeprefix(self._below))}
            store.remove_except(kept, known, below=self._below)
            self._write(kept, earlier)

    def note(self, store: RetainedStore) -> None:
        """Add to the list what ``store`` has come to hold. Raises ``OutboxError`` when it cannot be kept."""
        with self._lock:
            held = self._held(store)
            if not self._kept.issuperset(held):
                earlier = self._earlier()
                self._write(earlier | held, earlier)

    def _held(self, store: RetainedStore) -> set[str]:
        return {topic for topic in store.topics() if topic.startswith(self._below)}

    def _earlier(self) -> set[str]:
        return set(self._outbox.get_state(_KEY) or [])

    def _write(self, topics: set[str], before: set[str]) -> None:
        if topics != before:
            self._outbox.put_state(_KEY, sorted(topics))
        self._kept = topics
