"""Which frames of a stream are due when fewer are analysed than come."""

import math
from typing import Final

_GOLDEN: Final = (math.sqrt(5) - 1) / 2


class FrameSampler:
    """Chooses frames by time so that on average at most ``fps`` a second are due; None takes all.

    Frames are measured against a fixed grid, with half an interval of slack: a stream that comes at just
    the wanted rate keeps all its frames however they jitter, and 25 a second give 5 evenly. Times must come
    from one clock; when they go back or leave a gap the grid starts anew.

    ``phase``, 0 to 1: after the first frame the grid is late by this part of an interval, so that cameras which begin
    together are not looked at together ever after (``phase_of``).
    """

    def __init__(self, fps: float | None, *, phase: float = 0.0) -> None:
        if fps is not None and fps <= 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self._interval_s = 0.0 if fps is None else 1.0 / fps
        self._late_s = phase * self._interval_s
        self._next_s: float | None = None

    def due(self, at_s: float) -> bool:
        """Whether the frame of this time, in seconds, is to be analysed; each frame is asked for once."""
        if not self._interval_s:
            return True
        if self._next_s is None or abs(at_s - self._next_s) > 2 * self._interval_s:
            self._next_s = at_s + self._interval_s + self._late_s
            return True
        if at_s < self._next_s - self._interval_s / 2:
            return False
        self._next_s += self._interval_s
        return True


def phase_of(number: int) -> float:
    """The phase of the camera that was added as the ``number``-th: whatever their count, they are spread about evenly
    (the fractional parts of the multiples of the golden ratio; Knuth, The Art of Computer Programming, 6.4)."""
    return number * _GOLDEN % 1.0
