"""When to try the broker again, and how to tell that somebody else uses our client id."""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from streamer.alerts.errors import BrokerError, BrokerRefusedError, BrokerTakenOverError
from streamer.backoff import doubled_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """Exponential backoff with jitter, slow retries after a refusal.

    The n-th wait is ``initial_s * 2**n`` up to ``max_s``, times a random factor of 0.5 to 1, so that a site's
    many clients do not come back in step. A refusal (credentials, certificate, a taken client id) waits
    ``refused_s``. A connection that held ``stable_s`` starts the count over; one that broke sooner does not.
    """

    initial_s: float = 1.0
    max_s: float = 30.0
    refused_s: float = 60.0
    stable_s: float = 10.0
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def delay_s(self, failures: int, error: BrokerError) -> float:
        """Seconds to wait after the ``failures``-th failure in a row (1 for the first)."""
        if isinstance(error, BrokerRefusedError | BrokerTakenOverError):
            base = self.refused_s
        else:
            base = doubled_s(self.initial_s, failures - 1, most_s=self.max_s)
        return base * (0.5 + 0.5 * self.jitter())


class FlapDetector:
    """Counts connections that the broker took and that ended soon after.

    MQTT 3.1.1 does not say why: two clients with one id throw each other out for ever.
    """

    def __init__(
        self,
        *,
        count: int = 3,
        within_s: float = 180.0,
        short_s: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ends: deque[float] = deque(maxlen=count)
        self._within_s = within_s
        self._short_s = short_s
        self._clock = clock

    def broker_was_away(self) -> None:
        """Nobody answered: it is the broker that comes and goes, not a second client."""
        self._ends.clear()

    def ended(self, *, held_s: float) -> bool:
        """Note that a connection ended after ``held_s``; returns whether they keep ending."""
        if held_s > self._short_s:
            self._ends.clear()
            return False
        self._ends.append(self._clock())
        return len(self._ends) == self._ends.maxlen and self._ends[-1] - self._ends[0] <= self._within_s
