"""An error flood becomes one line a second with a count."""

import logging
import time
from collections.abc import Callable
from threading import Lock


class LogCollapser:
    """Logs the first of a burst of messages at once, then at most one line per ``period_s`` with a count.

    A damaged stream gives hundreds of decoder messages a second; what people need is that it happens, how
    often, and the last one. Any thread may call.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        *,
        period_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._period_s = period_s
        self._clock = clock
        self._lock = Lock()
        self._count = 0
        self._last = ""
        self._next_s = float("-inf")

    def add(self, message: str) -> None:
        """Report one message, now or as part of the next line."""
        with self._lock:
            self._count += 1
            self._last = message
        self.flush()

    def flush(self, *, at_once: bool = False) -> None:
        """Write what has gathered if its time has come; ``at_once`` at the end of a connection."""
        with self._lock:
            now = self._clock()
            if not self._count or (now < self._next_s and not at_once):
                return
            line = self._last if self._count == 1 else f"{self._count} messages, the last: {self._last}"
            self._count = 0
            self._next_s = now + self._period_s
        self._log(line)


def collapsing_warnings(logger: logging.Logger, prefix: str) -> LogCollapser:
    """A collapser that writes warnings beginning with ``prefix``, such as the camera's name."""
    return LogCollapser(lambda line: logger.warning("%s: %s", prefix, line))
