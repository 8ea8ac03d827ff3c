"""Gives each frame its times and says whether it is due: one place for live streams and recordings."""

import time
from dataclasses import dataclass
from threading import Event

from streamer.ingest.clocks import LiveClock, MediaTime, Pacer
from streamer.ingest.sampler import FrameSampler


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The two clocks of one frame: UTC epoch seconds, and ``time.monotonic()``."""

    captured_at: float
    received_mono_s: float


class LiveTiming:
    """Frames are captured when they are received, and sampled by that time."""

    def __init__(self, *, fps: float | None) -> None:
        self.clock = LiveClock()
        self._sampler = FrameSampler(fps)

    def take(self, pts_s: float | None, received_mono_s: float) -> FrameTimes | None:  # noqa: ARG002
        """The times of the next frame, or None when it is not due."""
        if not self._sampler.due(received_mono_s):
            return None
        return FrameTimes(self.clock.captured_at(received_mono_s), received_mono_s)


class RecordingTiming:
    """Frames are sampled by their place in the recording.

    Paced, they are held back until they are due and are captured at that moment, as from a camera. Not paced,
    ``captured_at`` is ``start_epoch_s`` plus the place in the recording, whenever it is read: the same
    recording gives the same times.
    """

    def __init__(
        self, *, fps: float | None, stop: Event, paced: bool, start_epoch_s: float | None, interval_s: float
    ) -> None:
        self.media_time = MediaTime(interval_s)
        self._sampler = FrameSampler(fps)
        self._stop = stop
        self._pacer = Pacer() if paced else None
        self._clock = LiveClock()
        self._start_epoch_s = time.time() if start_epoch_s is None else start_epoch_s

    def take(self, pts_s: float | None, received_mono_s: float) -> FrameTimes | None:
        """The times of the next frame, after its moment has come; or None when it is not due."""
        media_s = self.media_time.at(pts_s)
        if not self._sampler.due(media_s):
            return None
        if self._pacer is None:
            return FrameTimes(self._start_epoch_s + media_s, received_mono_s)
        self._pacer.wait(media_s, self._stop)
        due_mono_s = time.monotonic()
        return FrameTimes(self._clock.captured_at(due_mono_s), due_mono_s)
