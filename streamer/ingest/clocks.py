"""The times of frames: when they were captured, and when those of a recording are due."""

import time
from threading import Event
from typing import Final

#: A step of the presentation time beyond this is damage or a splice; the recording goes on without the gap.
_LARGEST_STEP_S: Final = 60.0

#: Time stamps closer than this are as good as repeated; no camera is that fast.
_SMALLEST_STEP_S: Final = 1e-4

#: A paced recording that fell behind by more than this no longer tries to catch up.
_LARGEST_LAG_S: Final = 1.0


class LiveClock:
    """``captured_at`` of live frames: the wall clock at the start of the connection, carried on by the
    monotonic one.

    So a step of the system's clock (NTP, an operator) or of the camera's never moves frames within a
    connection: times of frames differ by what really passed. A new connection takes the wall clock anew;
    ``departure_s`` says how far the wall clock has gone from this one since.
    """

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def captured_at(self, received_mono_s: float) -> float:
        """UTC epoch seconds of a frame that was received at this reading of ``time.monotonic()``."""
        return received_mono_s + self._offset_s

    def departure_s(self) -> float:
        """Seconds by which the system's clock is ahead of this one now."""
        return time.time() - time.monotonic() - self._offset_s


class MediaTime:
    """Seconds since the first frame of a recording, never going back, whatever its time stamps do.

    Missing, repeated or earlier time stamps and steps of more than a minute count as one frame interval, so a
    damaged file plays on. A recording that is looped goes on counting: call ``begin_again`` between the
    rounds.
    """

    def __init__(self, frame_interval_s: float) -> None:
        self._interval_s = frame_interval_s
        self._last_pts_s: float | None = None
        self._now_s: float | None = None

    def at(self, pts_s: float | None) -> float:
        """The time of the next frame, which carries this time stamp."""
        step_s = self._interval_s
        if pts_s is not None and self._last_pts_s is not None:
            stamped_s = pts_s - self._last_pts_s
            if _SMALLEST_STEP_S <= stamped_s <= _LARGEST_STEP_S:
                step_s = stamped_s
        self._last_pts_s = pts_s if pts_s is not None else self._last_pts_s
        self._now_s = 0.0 if self._now_s is None else self._now_s + step_s
        return self._now_s

    def begin_again(self) -> None:
        """The next frame is the first of another round."""
        self._last_pts_s = None


class Pacer:
    """Holds a recording back to its own speed."""

    def __init__(self) -> None:
        self._start_mono_s: float | None = None

    def wait(self, media_s: float, stop: Event) -> None:
        """Return when the frame of this media time is due, or when ``stop`` is set."""
        now = time.monotonic()
        if self._start_mono_s is None or now - (self._start_mono_s + media_s) > _LARGEST_LAG_S:
            self._start_mono_s = now - media_s
        delay_s = self._start_mono_s + media_s - now
        if delay_s > 0:
            stop.wait(delay_s)
