"""How long to wait after a post that failed."""

import email.utils
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from streamer.backoff import doubled_s

#: A server may not ask for more than this.
MOST_RETRY_AFTER_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential with jitter: the n-th wait is ``initial_s * 2**(n - 1)`` up to ``max_s``, times a random factor of
    0.5 to 1; never less than what the server asked for.
    """

    initial_s: float = 1.0
    max_s: float = 300.0
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def delay_s(self, failures: int, retry_after_s: float | None = None) -> float:
        """Seconds to wait after the ``failures``-th failure in a row (1 for the first)."""
        base = doubled_s(self.initial_s, failures - 1, most_s=self.max_s)
        return max(base * (0.5 + 0.5 * self.jitter()), retry_after_s or 0.0)


def retry_after_s(value: str | None, *, at: float) -> float | None:
    """A ``Retry-After`` header, seconds or a date (RFC 9110, 10.2.3), as seconds from ``at`` (UTC epoch s); None where
    there is none that can be understood.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MOST_RETRY_AFTER_S)
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - at
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), MOST_RETRY_AFTER_S)
