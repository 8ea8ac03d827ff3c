"""One camera's fitness: takes what its connection gives, and tells what was found. Any thread may call."""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

import numpy as np

from models.errors import PictureError
from models.structures import Picture
from streamer.fitness.findings import Code, Finding, FindingChange, FitnessReport, FitnessState
from streamer.fitness.frame_rate import FrameRate
from streamer.fitness.hysteresis import Hysteresis
from streamer.fitness.limits import EXAMINE_EVERY_S, FROZEN_AFTER_S, LIMITS
from streamer.fitness.measures import Grey
from streamer.fitness.picture_fitness import EXAMINED_PX, PictureFitness
from streamer.fitness.stream_clock import StreamClock
from streamer.fitness.wording import detail_of

_log = logging.getLogger(__name__)

#: A connection gives its frames in bursts at first: its rate and its clock are heeded after so long.
_SETTLING_S: Final = 10.0

_STREAM_CODES: Final = (Code.CLOCK_DRIFT, Code.CLOCK_OFFSET, Code.LOW_FPS, Code.SIGNAL_LOSS)


class _WithGrey(Protocol):
    def grey(self, size_hw: tuple[int, int]) -> Grey: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FitnessPolicy:
    """What is looked for at a camera.

    - ``wanted_fps``: frames per second that the rules want.
    - ``ignored``: codes that are not looked for, such as ``moved`` at a camera that turns.
    - ``frozen_after_s``: see ``limits.FROZEN_AFTER_S``.
    - ``is_live``: whether the stream's clock is a camera's; a recording is played by ours.
    """

    wanted_fps: float
    ignored: frozenset[Code] = frozenset()
    frozen_after_s: float = FROZEN_AFTER_S
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class StreamCondition:
    """How a camera's stream is doing: whether it gives frames, whether it is meant to, and how many a second."""

    is_online: bool
    is_wanted: bool
    fps: float
    declared_fps: float | None


class CameraFitness:
    """Implements ``streamer.ingest.session.StreamWatch``: the connection's thread tells it of packets and frames.

    ``attend`` is to be called about once a second, whatever comes; it hands over what began and ended. Times are
    ``mono_s``, seconds of ``time.monotonic()``, and ``at``, UTC epoch seconds.
    """

    def __init__(self, camera_id: str, policy: FitnessPolicy) -> None:
        self._camera_id = camera_id
        self._policy = policy
        self._lock = Lock()
        self._pictures = PictureFitness(frozen_after_s=policy.frozen_after_s, ignored=policy.ignored)
        self._clock = StreamClock()
        self._rate = FrameRate(policy.wanted_fps)
        self._stream = {
            code: Hysteresis(LIMITS[code]) for code in _STREAM_CODES if code not in policy.ignored
        }
        self._examined_s = float("-inf")
        self._connected_s: float | None = None
        self._attended_s: float | None = None
        self._is_online = False
        self._told: dict[Code, Finding] = {}

    def connected(self, mono_s: float) -> None:
        """The first frame of a new connection has come."""
        with self._lock:
            self._connected_s = mono_s
            self._clock.forget()
            self._pictures.connected(mono_s)

    def packet(self, stamp_s: float, received_mono_s: float, ahead_s: float | None) -> None:
        """A packet came; see ``StreamClock.packet``."""
        if not self._policy.is_live:
            return
        with self._lock:
            self._clock.packet(stamp_s, received_mono_s, ahead_s)

    def frame(self, picture: Picture, received_mono_s: float) -> None:
        """A frame that is due for a look; most are not examined."""
        with self._lock:
            if received_mono_s - self._examined_s < EXAMINE_EVERY_S:
                return
            self._examined_s = received_mono_s
        try:
            grey = _grey(picture)
        except PictureError:
            return  # the look says why
        with self._lock:
            self._pictures.examine(grey, received_mono_s)

    def attend(self, stream: StreamCondition, *, mono_s: float, at: float) -> list[FindingChange]:
        """Take how the stream is doing; returns what has begun and ended since the last time."""
        with self._lock:
            passed_s = 0.0 if self._attended_s is None else mono_s - self._attended_s
            self._attended_s = mono_s
            self._is_online = stream.is_online
            self._look_at_stream(stream, passed_s, mono_s)
            return list(self._changes(mono_s, at))

    def learn_anew(self) -> None:
        """What the camera shows from now on is what it is to show."""
        with self._lock:
            self._pictures.learn_anew()

    def report(self) -> FitnessReport:
        """What is wrong, as of the last ``attend``."""
        with self._lock:
            findings = tuple(self._told[code] for code in Code if code in self._told)
            if findings:
                state = FitnessState.UNFIT
            elif not self._is_online:
                state = FitnessState.UNKNOWN
            else:
                state = FitnessState.FIT if self._pictures.knows_view else FitnessState.LEARNING
            return FitnessReport(state, findings)

    def _look_at_stream(self, stream: StreamCondition, passed_s: float, mono_s: float) -> None:
        is_settled = (
            stream.is_online and self._connected_s is not None and mono_s - self._connected_s >= _SETTLING_S
        )
        drift_ppm, offset_s = self._clock.drift_ppm, self._clock.offset_s
        self._update(Code.CLOCK_DRIFT, None if drift_ppm is None else abs(drift_ppm), mono_s)
        self._update(Code.CLOCK_OFFSET, None if offset_s is None else abs(offset_s), mono_s)
        share = self._rate.share(stream.fps, stream.declared_fps, passed_s) if is_settled else None
        self._update(Code.LOW_FPS, share, mono_s)
        self._update(Code.SIGNAL_LOSS, float(stream.is_wanted and not stream.is_online), mono_s)

    def _update(self, code: Code, value: float | None, mono_s: float) -> None:
        if code in self._stream:
            self._stream[code].update(value, mono_s)

    def _changes(self, mono_s: float, at: float) -> Iterator[FindingChange]:
        for code, follower in (*self._pictures.followed(), *self._stream.items()):
            before = self._told.get(code)
            if not follower.is_on:
                if before is not None:
                    del self._told[code]
                    _log.info("%s: no longer %s", self._camera_id, code)
                    yield FindingChange(before, ended_at=at - max(0.0, mono_s - follower.since_s))
                continue
            detail = detail_of(code, follower.value, self._pictures.shift_xy)
            if before is not None:
                self._told[code] = Finding(code, before.since, follower.value, detail)
                continue
            since = at - max(0.0, mono_s - follower.since_s)
            self._told[code] = finding = Finding(code, since, follower.value, detail)
            _log.warning("%s: %s (%s)", self._camera_id, code, detail)
            yield FindingChange(finding)


def _grey(picture: Picture) -> Grey:
    """The luma of a picture, uint8 (h, w), its longest side at most ``EXAMINED_PX``."""
    height, width = picture.image_hw
    scale = min(1.0, EXAMINED_PX / max(height, width))
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    luma = getattr(picture, "grey", None)
    if luma is not None:
        return np.asarray(luma(size_hw), np.uint8)
    rgb = picture.rgb(size_hw).astype(np.uint16)
    # BT.601's weights, in 256ths
    return np.asarray((77 * rgb[..., 0] + 150 * rgb[..., 1] + 29 * rgb[..., 2]) >> 8, np.uint8)


def codes_named(names: Collection[str]) -> frozenset[Code]:
    """The codes of these names. Raises ``ValueError`` on another name."""
    return frozenset(Code(name) for name in names)
