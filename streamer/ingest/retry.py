"""When to try a camera again: pure policy, no thread and no clock."""

import random
from collections.abc import Callable
from typing import Final

from streamer.backoff import doubled_s
from streamer.ingest.errors import CameraBusy, CredentialsRefused, EndOfStream, IngestError

#: After these nothing is tried until somebody asks: the account would be locked; there is nothing more to
#: come.
_FINAL: Final = (CredentialsRefused, EndOfStream)

#: A camera without a free session needs its old ones to time out first: begin this many doublings later.
_BUSY_HEAD_START: Final = 3


class RetryPolicy:
    """Exponential backoff with full jitter: the n-th wait is uniform in ``floor_s .. min(cap_s, base_s *
    2**n)``.

    Full jitter spreads the cameras of a site over the whole interval when their switch comes back (M.
    Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A connection that was online
    for ``healthy_s`` counts as a success and starts the series anew.

    - ``uniform(a, b)``: a random number between; to be replaced in tests.
    """

    def __init__(
        self,
        *,
        base_s: float = 1.0,
        cap_s: float = 60.0,
        floor_s: float = 0.2,
        healthy_s: float = 30.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if not 0 <= floor_s <= base_s <= cap_s:
            raise ValueError(f"expected 0 <= floor_s <= base_s <= cap_s, got {floor_s}, {base_s}, {cap_s}")
        self._base_s = base_s
        self._cap_s = cap_s
        self._floor_s = floor_s
        self._healthy_s = healthy_s
        self._uniform = uniform
        self._failures = 0

    def delay_after(self, ended: IngestError, online_s: float) -> float | None:
        """Seconds to wait after a connection that ended so, having been online for ``online_s``.

        None: do not try again until asked to.
        """
        if isinstance(ended, _FINAL):
            return None
        if online_s >= self._healthy_s:
            self._failures = 0
        exponent = self._failures + (_BUSY_HEAD_START if isinstance(ended, CameraBusy) else 0)
        self._failures += 1
        bound_s = doubled_s(self._base_s, exponent, most_s=self._cap_s)
        return self._uniform(self._floor_s, bound_s)

    def reset(self) -> None:
        """Begin the series anew: somebody asked to try now, or changed the settings."""
        self._failures = 0
