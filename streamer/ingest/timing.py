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
    """Frames are captured when they are received, and sampled by that time. ``phase``: see ``FrameSampler``."""

    def __init__(self, *, fps: float | None, phase: float = 0.0) -> None:
        self.clock = LiveClock()
        self._sampler = FrameSampler(fps, phase=phase)

    def take(self, pts_s: float | None, received_mono_s: float) -> FrameTimes | None:  # noqa: ARG002
        """The times of the next frame, or None when it is not due."""
        return self.present(received_mono_s) if self._sampler.due(received_mono_s) else None

    def present(self, received_mono_s: float) -> FrameTimes:
        """The times of a frame that was received just now, due or not."""
        return FrameTimes(self.clock.captured_at(received_mono_s), received_mono_s)


class RecordingTiming:
    """Frames are sampled by their place in the recording.

    Paced, they are held back until their moment and are captured then, as from a camera, each of them: were only those
    held back that are due, the others would be decoded in one burst while the networks look. ``phase``: see
    ``FrameSampler``. Not paced there is none, and ``captured_at`` is ``start_epoch_s`` plus the place in the recording,
    whenever it is read: the same recording gives the same times.
    """

    def __init__(
        self,
        *,
        fps: float | None,
        stop: Event,
        paced: bool,
        start_epoch_s: float | None,
        interval_s: float,
        phase: float = 0.0,
    ) -> None:
        self.media_time = MediaTime(interval_s)
        self._sampler = FrameSampler(fps, phase=phase if paced else 0.0)
        self._stop = stop
        self._pacer = Pacer() if paced else None
        self._clock = LiveClock()
        self._start_epoch_s = time.time() if start_epoch_s is None else start_epoch_s

    def take(self, pts_s: float | None, received_mono_s: float) -> FrameTimes | None:
        """The times of the next frame, after its moment has come; or None when it is not due."""
        media_s = self.media_time.at(pts_s)
        is_due = self._sampler.due(media_s)
        if self._pacer is not None:
            self._pacer.wait(media_s, self._stop)
        if not is_due:
            return None
        if self._pacer is None:
            return FrameTimes(self._start_epoch_s + media_s, received_mono_s)
        return self.present(received_mono_s)

    def present(self, received_mono_s: float) -> FrameTimes | None:  # noqa: ARG002 - it was held back since
        """The times of the frame that was taken last, due or not; None of a recording that is not paced: its frames are
        those that are due."""
        if self._pacer is None:
            return None
        now_mono_s = time.monotonic()
        return FrameTimes(self._clock.captured_at(now_mono_s), now_mono_s)
