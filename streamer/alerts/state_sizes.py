"""Which retained states the broker takes, as far as their size goes: one that it does not take must not end, again and
again, the connection that carries alerts.

Brokers of MQTT 5 say how much they take. Others, and those that bound the message and not the packet, just end the
connection.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

#: Every broker takes states of this size; what breaks a connection over them is something else.
_SURELY_TAKEN_BYTES: Final = 4096
#: A connection that breaks this often while the same state is the largest on its way may break because of it.
_SUSPECT_AFTER: Final = 3
#: What was left out on suspicion is tried again with the first connection after so long.
_SUSPECT_S: Final = 3600.0


class StateSizes:
    """What is known of the sizes that the broker takes, from what it says and from connections that ended. Used by one
    thread.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._most_bytes: int | None = None
        self._on_their_way: dict[int, tuple[str, int]] = {}
        self._breaks: dict[str, int] = {}
        #: what of a topic was not taken: bytes, and when (monotonic s)
        self._refused: dict[str, tuple[int, float]] = {}
        self._told: set[str] = set()

    @property
    def suspicious(self) -> bool:
        """Whether a state is on its way over which connections broke before: nobody else is to be blamed then."""
        return any(topic in self._breaks for topic, _ in self._on_their_way.values())

    def begin(self, *, max_payload_bytes: int | None) -> None:
        """A connection was made to a broker that takes so much; None: it did not say."""
        self._most_bytes = max_payload_bytes
        before_s = self._clock() - _SUSPECT_S
        self._refused = {topic: one for topic, one in self._refused.items() if one[1] > before_s}
        self._on_their_way.clear()

    def takes(self, topic: str, payload: bytes) -> bool:
        """Whether the broker takes this, as far as is known; said once in the log where it does not."""
        size = len(payload)
        refused = self._refused.get(topic)
        taken = (self._most_bytes is None or size <= self._most_bytes) and (
            refused is None or size < refused[0]
        )
        if taken:
            self._told.discard(topic)
        elif topic not in self._told:
            self._told.add(topic)
            _log.error("%s is not published: the broker does not take its %d bytes", topic, size)
        return taken

    def sent(self, number: int, topic: str, payload: bytes) -> None:
        """It is on its way under this number."""
        self._on_their_way[number] = (topic, len(payload))

    def acknowledged(self, number: int) -> None:
        """The broker has taken the message of this number, or refused it for another reason; others than ours are
        ignored.
        """
        topic, _ = self._on_their_way.pop(number, ("", 0))
        self._breaks.pop(topic, None)

    def broken(self) -> None:
        """The connection ended. The largest state on its way is remembered, to be left out when this goes on."""
        topic, size = max(self._on_their_way.values(), key=lambda one: one[1], default=("", 0))
        self._on_their_way.clear()
        if size <= _SURELY_TAKEN_BYTES:
            return
        self._breaks[topic] = self._breaks.get(topic, 0) + 1
        if self._breaks[topic] >= _SUSPECT_AFTER:
            del self._breaks[topic]
            self._refused[topic] = (size, self._clock())
