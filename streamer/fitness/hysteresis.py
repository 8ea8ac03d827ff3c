"""A finding that begins late, ends late, and in between does not flicker."""

from streamer.fitness.limits import Limit


class Hysteresis:
    """Follows one value. Times are seconds of any one clock that does not go back.

    ``is_on``: whether it is bad. ``since_s``: when it became so, or good: when the value first crossed the limit, not
    when it had held.
    """

    def __init__(self, limit: Limit, *, hold_s: float | None = None) -> None:
        self._limit = limit
        self._hold_s = limit.hold_s if hold_s is None else hold_s
        self._turning_s: float | None = None
        self.is_on = False
        self.since_s = 0.0
        self.value = 0.0

    @property
    def is_turning(self) -> bool:
        """Whether the value is beyond the limit, and has not been for long enough."""
        return self._turning_s is not None

    def update(self, value: float | None, at_s: float) -> bool:
        """Take the value of this moment; whether ``is_on`` changed. None: it cannot be told now, and what was begun
        begins anew."""
        if value is None:
            self._turning_s = None
            return False
        self.value = value
        turns = self._limit.is_good(value) if self.is_on else self._limit.is_bad(value)
        if not turns:
            self._turning_s = None
            return False
        if self._turning_s is None:
            self._turning_s = at_s
        wait_s = self._limit.clear_s if self.is_on else self._hold_s
        if at_s - self._turning_s < wait_s:
            return False
        self.is_on = not self.is_on
        self.since_s, self._turning_s = self._turning_s, None
        return True

    def reset(self) -> None:
        """Good, and nothing begun."""
        self.is_on, self._turning_s = False, None
