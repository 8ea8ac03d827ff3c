"""How a camera's clocks go beside ours, as far as a stream tells.

- **Rate**, from any live stream with time stamps: the least delay of each ten seconds between time stamp and arrival
  changes with the clocks alone, for a network only adds (S. B. Moon, P. Skelly, D. Towsley, Estimation and removal of
  clock skew from network delay measurements, INFOCOM 1999). The median of the slopes of all pairs (Theil and Sen) is
  the drift. It says nothing of the time of day: a camera without NTP has one too.
- **Offset**, where the camera sends RTCP sender reports (RFC 3550, 6.4.1) whose time is a time of day.
"""

from collections import deque
from statistics import median
from typing import Final

import numpy as np

from streamer.fitness.limits import MOST_CLOCK_DRIFT_PPM, MOST_CLOCK_OFFSET_S

_WINDOW_S: Final = 10.0
#: Ten minutes of windows; the first verdict after five, when 20 ms of jitter are 70 parts per million.
_WINDOWS: Final = 60
_LEAST_WINDOWS: Final = 30
#: Time stamps that jump by more than this beside their arrival begin anew.
_JUMP_S: Final = 2.0
_OFFSETS: Final = 50


class StreamClock:
    """Follows the time stamps of one camera's packets. Times are seconds."""

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=_OFFSETS)
        self.forget()

    def forget(self) -> None:
        """A new connection: its time stamps begin anew."""
        self._windows: deque[tuple[float, float]] = deque(maxlen=_WINDOWS)
        self._window_from_s: float | None = None
        self._least = (0.0, 0.0)
        self._last_delay_s: float | None = None
        self._drift_ppm: float | None = None
        self._offsets.clear()

    def packet(self, stamp_s: float, received_s: float, ahead_s: float | None) -> None:
        """A packet of this time stamp came at ``received_s`` of our monotonic clock; ``ahead_s``: how far the camera's
        time of day then was ahead of ours, or None.
        """
        if ahead_s is not None:
            self._offsets.append(ahead_s)
        delay_s = received_s - stamp_s
        if self._last_delay_s is not None and abs(delay_s - self._last_delay_s) > _JUMP_S:
            self._windows.clear()
            self._window_from_s, self._drift_ppm = None, None
        self._last_delay_s = delay_s
        if self._window_from_s is None:
            self._window_from_s, self._least = received_s, (received_s, delay_s)
        elif received_s - self._window_from_s >= _WINDOW_S:
            self._windows.append(self._least)
            self._window_from_s, self._least = received_s, (received_s, delay_s)
            self._drift_ppm = self._slope_ppm()
        elif delay_s < self._least[1]:
            self._least = received_s, delay_s

    @property
    def drift_ppm(self) -> float | None:
        """Parts per million by which the camera's clock runs fast; None while that is not known."""
        drift = self._drift_ppm
        return None if drift is None or abs(drift) > MOST_CLOCK_DRIFT_PPM else drift

    @property
    def offset_s(self) -> float | None:
        """Seconds by which the camera's time of day is ahead of ours, network delay included; None: unknown."""
        if not self._offsets:
            return None
        offset = median(self._offsets)
        return None if abs(offset) > MOST_CLOCK_OFFSET_S else offset

    def _slope_ppm(self) -> float | None:
        if len(self._windows) < _LEAST_WINDOWS:
            return None
        points = np.array(self._windows)
        first, second = np.triu_indices(len(points), 1)
        steps = points[second] - points[first]
        # a delay that shrinks: the stamps run ahead
        return float(-1e6 * np.median(steps[:, 1] / steps[:, 0]))
