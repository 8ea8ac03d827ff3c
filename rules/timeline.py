"""One camera's time: even and never going back, whatever the clock behind ``captured_at`` does."""

from bisect import bisect_right
from collections import deque
from statistics import median_low
from typing import Final

from rules.tuning import Tuning

#: Frames that come this much out of order, or twice, are left out; what goes back further is a clock set anew.
LATE_FRAME_S: Final = 1.0
#: Intervals between frames from which the usual one is taken.
_INTERVALS: Final = 9
#: Assumed interval before two frames have been seen.
_FIRST_INTERVAL_S: Final = 0.2
_MAX_SEGMENTS: Final = 1000


class Timeline:
    """Turns the frames' UTC times into seconds ``t`` since the first frame, and back.

    ``t`` follows ``captured_at`` but for jumps: when it steps back by a second or more, or ahead by more than
    ``clock_jump_s`` beyond the time that ``idle`` has reported, the clock was set; then ``t`` goes on by the usual
    interval (or the reported idle time) and later times are mapped by the new offset.
    """

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        #: start of each stretch of even time, and what to add to ``t`` in it
        self._starts: list[float] = []
        self._offsets: list[float] = []
        self._intervals: deque[float] = deque(maxlen=_INTERVALS)
        self._last_frame_at = 0.0
        self._last_idle_at = 0.0
        self._is_resumed = False
        self.frame_t = 0.0
        self.idle_s = 0.0
        #: the usual time between two frames: the median of the latest ones
        self.interval_s = _FIRST_INTERVAL_S

    @property
    def has_begun(self) -> bool:
        """Whether there was a frame at all."""
        return bool(self._starts)

    @property
    def t(self) -> float:
        """Now: the latest frame and the idle time since."""
        return self.frame_t + self.idle_s

    @property
    def outage_s(self) -> float:
        """Frames farther apart than this leave a hole in what is known."""
        return max(self._tuning.outage_s, 3.5 * self.interval_s)

    def frame(self, captured_at: float) -> float | None:
        """Take a frame's time; returns the seconds since the frame before, or None for a late or repeated frame."""
        if not self._starts:
            self._starts, self._offsets = [0.0], [captured_at]
            self._set_frame(captured_at, 0.0)
            return 0.0
        step = captured_at - self._last_frame_at
        if -LATE_FRAME_S < step <= 0 and self.idle_s < LATE_FRAME_S:
            return None
        if step > 0 and abs(step - self.idle_s) <= self._tuning.clock_jump_s:
            passed = step
        else:
            passed = max(self.idle_s, self.interval_s)
            self._jump(self.frame_t + passed, captured_at)
        if not self._is_resumed:
            self._intervals.append(passed)
            self.interval_s = median_low(self._intervals)
        self._is_resumed = False
        self._set_frame(captured_at, self.frame_t + passed)
        return passed

    def resume(self, saved_at: float) -> None:
        """Begin with the time of another run's last frame; the gap that follows says nothing of the usual interval."""
        self.frame(saved_at)
        self._is_resumed = True

    def idle(self, at: float) -> float:
        """Take the time of a moment without a new frame; returns the idle seconds since the latest frame."""
        if not self._starts:
            return 0.0
        step = at - self._last_idle_at
        if 0 < step <= self._tuning.clock_jump_s:
            self.idle_s += step
        if step > 0 or step <= -LATE_FRAME_S:
            self._last_idle_at = at
        return self.idle_s

    def wall(self, t: float) -> float:
        """UTC epoch seconds of ``t``, by the clock as it stood then."""
        if not self._starts:
            return t
        return t + self._offsets[max(0, bisect_right(self._starts, t) - 1)]

    def schedule_at(self) -> float:
        """Now, UTC epoch seconds, by the clock that schedules go by: a new one counts once it has settled."""
        position = len(self._starts) - 1
        while position > 0 and self.t - self._starts[position] < self._tuning.clock_settle_s:
            position -= 1
        return self.t + self._offsets[position] if self._starts else 0.0

    def _jump(self, t: float, captured_at: float) -> None:
        self._starts.append(t)
        self._offsets.append(captured_at - t)
        del self._starts[:-_MAX_SEGMENTS], self._offsets[:-_MAX_SEGMENTS]

    def _set_frame(self, captured_at: float, t: float) -> None:
        self._last_frame_at = self._last_idle_at = captured_at
        self.frame_t = t
        self.idle_s = 0.0
