"""Which messages of others reach a handler: none that is retained, few at a time, short ones under plain names.

A broker repeats a retained command at every connection, so a single one would hold for ever. Who may publish commands
at all is for the broker's access rules to say.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

#: Far more than any command needs.
MAX_PAYLOAD_BYTES: Final = 4096
MAX_TOPIC_BYTES: Final = 512
#: Commands that are taken at once, and how many more each second: an operator's script, not a flood.
BURST: Final = 100
PER_S: Final = 10.0
#: Between two lines of the log about what was turned away.
_REMINDER_S: Final = 30.0
#: MQTT's wildcards, which no name holds, and what the standard says that a receiver may close the connection for
#: (section 1.5.4): control characters and what is no character.
_NOT_IN_NAMES: Final = re.compile(r"[+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class CommandGate:
    """Decides one message at a time, on one thread, and says now and then how many it turned away, and why."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = float(BURST)
        self._at_s = clock()
        self._refused: Counter[str] = Counter()
        self._told_s = float("-inf")

    def admits(self, topic: str, payload: bytes, retained: bool) -> bool:
        """Whether this message goes on to its handler."""
        reason = self._problem(topic, payload, retained)
        if reason is not None:
            self._refused[reason] += 1
            self._tell()
        return reason is None

    def _problem(self, topic: str, payload: bytes, retained: bool) -> str | None:
        if retained:
            return "retained"
        if len(payload) > MAX_PAYLOAD_BYTES:
            return f"longer than {MAX_PAYLOAD_BYTES} bytes"
        if len(topic.encode("utf-8", "surrogatepass")) > MAX_TOPIC_BYTES or _NOT_IN_NAMES.search(topic):
            return "under an odd name"
        now = self._clock()
        self._left = min(float(BURST), self._left + (now - self._at_s) * PER_S)
        self._at_s = now
        if self._left < 1.0:
            return f"more than {PER_S:g} a second"
        self._left -= 1.0
        return None

    def _tell(self) -> None:
        now = self._clock()
        if now - self._told_s < _REMINDER_S:
            return
        self._told_s = now
        # the name is left out: it is the sender's own text
        told = ", ".join(f"{count} {reason}" for reason, count in self._refused.items())
        _log.warning("commands that were not obeyed: %s", told)
        self._refused.clear()
