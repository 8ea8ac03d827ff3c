"""Bounds what strangers can make the server write to the log: uvicorn has a line for each request that is no HTTP."""

import logging
import time
from collections.abc import Callable
from typing import Final

_PERIOD_S: Final = 60.0
_MOST_MESSAGES: Final = 100


class RepeatFilter(logging.Filter):
    """Lets each message of a logger pass once in ``period_s``, with the number of those that were left out."""

    def __init__(
        self, *, period_s: float = _PERIOD_S, clock: Callable[[], float] = time.monotonic, name: str = ""
    ) -> None:
        super().__init__(name)
        self._period_s = period_s
        self._clock = clock
        #: By message: when it may pass again, and how many were left out since.
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` passes; its message tells of those before it that did not."""
        now = self._clock()
        key = str(record.msg)
        next_s, left_out = self._seen.get(key, (now, 0))
        if now < next_s:
            self._seen[key] = next_s, left_out + 1
            return False
        if len(self._seen) >= _MOST_MESSAGES:
            self._seen.clear()
        self._seen[key] = now + self._period_s, 0
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more since the last such line)"
            record.args = None
        return True
