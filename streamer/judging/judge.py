"""The thread that judges: takes looks from the inference, runs each camera's rules, hands on what comes of it."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock, Thread
from typing import Any, Final, TypeVar

from models.structures import Detections
from rules import Compliance, EndReason, Suppression, SuppressionArea, Track
from streamer.attention import Attention
from streamer.fitness.head_sizes import HeadSizes, ZoneHeads
from streamer.followed import FollowedHeads
from streamer.frame import Frame
from streamer.inference.results import InferenceResult, ResultQueue
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.composer import ComposedAlert
from streamer.judging.heads_measured import count_heads
from streamer.judging.heads_to_follow import heads_to_follow
from streamer.judging.view import CameraView
from streamer.pulse import Pulse

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Gets every judged look: the frame, what was seen in it, the people as the rules left them, and the camera's view.
LookHandler = Callable[[Frame, Detections, Sequence[Track], CameraView], None]

#: How often cameras without frames learn that time has passed.
_ADVANCE_EVERY_S: Final = 0.5
_IDLE_WAIT_S: Final = 0.25


@dataclass(slots=True)
class _Seat:
    """A camera and how far its time has come: the frames' own time, carried on by the monotonic clock."""

    judge: CameraJudge
    attention: Attention
    heads: FollowedHeads | None = None
    sizes: HeadSizes = field(default_factory=HeadSizes)
    captured_at: float | None = None
    received_mono_s: float = 0.0

    def now(self, mono_s: float) -> float | None:
        """The present in the frames' time, or None before the first frame."""
        if self.captured_at is None:
            return None
        return self.captured_at + max(0.0, mono_s - self.received_mono_s)

    def saw(self, frame: Frame) -> None:
        self.captured_at, self.received_mono_s = frame.captured_at, frame.received_mono_s

    def tell_gate(self) -> None:
        self.attention.wanted = self.judge.is_engaged

    def measure_heads(self, detections: Detections) -> None:
        count_heads(self.sizes, self.judge.tracks, detections, self.captured_at)

    def tell_inference(self, detections: Detections | None = None) -> None:
        if self.heads is not None:
            self.heads.boxes = heads_to_follow(self.judge.tracks, detections)


class Judge:
    """Runs the rules of all cameras in a thread of its own, so that no camera waits for another's snapshot.

    - ``on_alert`` gets every message, in order, in this thread; those that end with a camera in the one that takes it
      away.
    - ``on_look`` gets every look after its rules have run, in this thread, with no lock held.
    - ``model_digests`` is asked at each look which weights saw it.
    - ``on_held`` gets, by camera, the episodes that suppression areas held back, in this thread.
    - ``wall_clock`` (UTC epoch s) dates the ends of cameras that are taken away before they gave a frame.

    An exception in one camera's rules costs that look, is logged, and leaves the other cameras alone.
    """

    def __init__(
        self,
        *,
        results: ResultQueue,
        on_alert: Callable[[ComposedAlert], None],
        model_digests: Callable[[], Mapping[str, str]],
        pulse: Pulse,
        on_look: LookHandler | None = None,
        on_held: Callable[[str, Sequence[Suppression]], None] = lambda _camera, _held: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_held = on_held
        self._results = results
        self._on_look = on_look
        self._on_alert = on_alert
        self._model_digests = model_digests
        self._pulse = pulse
        self._wall_clock = wall_clock
        self._seats: dict[str, _Seat] = {}
        self._lock = Lock()
        self._stop = Event()
        self._failures = 0
        self._next_advance_s = 0.0
        self._thread = self._new_thread()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def revive(self) -> bool:
        """Go on in another thread where the thread has ended by an error of our own: every camera keeps its episodes.
        False: it lives.
        """
        if self._thread.is_alive() or self._stop.is_set():
            return False
        self._thread = self._new_thread()
        self._thread.start()
        return True

    def stop(self, timeout_s: float = 10.0) -> None:
        """Judge what has been seen, end every episode with ``shutdown``, and end the thread.

        A thread that hangs holds the cameras: their episodes are ended at the next start (``orphans``).
        """
        self._stop.set()
        self._results.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                _log.error("the rules hang: open alerts are ended at the next start")
                return
        for camera_id in list(self._seats):
            self.remove_camera(camera_id, EndReason.SHUTDOWN)

    def set_camera(
        self,
        camera_id: str,
        judge: CameraJudge,
        attention: Attention | None = None,
        heads: FollowedHeads | None = None,
        *,
        zones: Sequence[str] = (),
        since: float | None = None,
    ) -> None:
        """Add a camera, or give a known one new rules: its open episodes end with ``reload``.

        ``attention`` is told after each look whether the next one must not be held back, ``heads`` where the heads are
        of those who are followed; None: nobody wants to know. ``zones``: names of those by which heads are measured.
        ``since``: when ``judge`` took over what another one knew (UTC epoch s), whose time passes without frames too.
        """
        self.remove_camera(camera_id, EndReason.RELOAD)
        with self._lock:
            self._seats[camera_id] = _Seat(
                judge,
                attention or Attention(),
                heads,
                HeadSizes(zones),
                captured_at=since,
                received_mono_s=time.monotonic() if since is not None else 0.0,
            )

    def remove_camera(self, camera_id: str, reason: EndReason) -> None:
        """Forget a camera, if known; its open episodes end with ``reason``."""
        with self._lock:
            seat = self._seats.pop(camera_id, None)
            if seat is not None:
                at = seat.now(time.monotonic())
                for alert in seat.judge.finish(reason, self._wall_clock() if at is None else at):
                    self._on_alert(alert)

    def export_states(self, read: Callable[[], _T]) -> tuple[dict[str, dict[str, Any]], _T]:
        """What other judges of the cameras need to go on (``CameraJudge.export_state``), and what ``read`` gives at the
        same moment, in which no message is handed on.
        """
        with self._lock:
            states = {camera_id: seat.judge.export_state() for camera_id, seat in self._seats.items()}
            return states, read()

    def set_areas(self, camera_id: str, areas: Iterable[SuppressionArea]) -> None:
        """Open no episodes in these places of a camera, if it is known, from its next look on."""
        with self._lock:
            seat = self._seats.get(camera_id)
            if seat is not None:
                seat.judge.set_areas(areas)

    def tracks(self) -> dict[str, Sequence[Track]]:
        """The people in view, by camera."""
        with self._lock:
            return {camera_id: tuple(seat.judge.tracks) for camera_id, seat in self._seats.items()}

    def compliance(self) -> dict[str, Sequence[Compliance]]:
        """The counts, by camera."""
        with self._lock:
            return {camera_id: tuple(seat.judge.compliance()) for camera_id, seat in self._seats.items()}

    def head_sizes(self) -> dict[str, tuple[ZoneHeads, ...]]:
        """How large heads are at the network's input, by camera."""
        with self._lock:
            return {camera_id: seat.sizes.report() for camera_id, seat in self._seats.items()}

    @property
    def failures(self) -> int:
        """Looks lost to exceptions."""
        return self._failures

    def _new_thread(self) -> Thread:
        return Thread(target=self._run, name="judge", daemon=True)

    def _run(self) -> None:
        while not (self._stop.is_set() and not len(self._results)):
            self._pulse.beat()
            result = self._results.get(_IDLE_WAIT_S)
            if result is not None:
                self._guarded(result.frame.camera_id, partial(self._look, result))
            self._advance_all()

    def _look(self, result: InferenceResult) -> None:
        with self._lock:
            seat = self._seats.get(result.frame.camera_id)
            if seat is None:
                return  # removed while its frame was with the models
            seat.saw(result.frame)
            seat.judge.model_digests = self._model_digests()
            alerts = seat.judge.look(result.frame, result.detections)
            seat.tell_gate()
            seat.tell_inference(result.detections)
            seat.measure_heads(result.detections)
            self._hand_on(alerts)
            held = seat.judge.take_held()
            if held:
                self._on_held(result.frame.camera_id, held)
            tracks, view = seat.judge.tracks, seat.judge.view
        if self._on_look is not None:
            self._on_look(result.frame, result.detections, tracks, view)

    def _advance_all(self) -> None:
        mono_s = time.monotonic()
        if mono_s < self._next_advance_s:
            return
        self._next_advance_s = mono_s + _ADVANCE_EVERY_S
        for camera_id in list(self._seats):
            # a site that loses hundreds of cameras at once takes its time with them
            self._pulse.beat()
            self._guarded(camera_id, partial(self._advance, camera_id, mono_s))

    def _advance(self, camera_id: str, mono_s: float) -> None:
        with self._lock:
            seat = self._seats.get(camera_id)
            if seat is None or mono_s - seat.received_mono_s < _ADVANCE_EVERY_S:
                return
            at = seat.now(mono_s)
            if at is not None:
                alerts = seat.judge.advance(at)
                seat.tell_gate()
                seat.tell_inference()
                self._hand_on(alerts)

    def _hand_on(self, alerts: Sequence[ComposedAlert]) -> None:
        """In the judge's own thread, whose signs of life these are."""
        for alert in alerts:
            # each is stored durably, which a slow disk takes its time for
            self._pulse.beat()
            self._on_alert(alert)

    def _guarded(self, camera_id: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:  # noqa: BLE001 - one camera's defect must not blind the site
            self._failures += 1
            _log.exception("camera %s: a look could not be judged", camera_id)
