"""The one thread that owns the models: loads and warms them, runs batches, and survives their failures."""

import gc
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress
from threading import Event, Lock, Thread
from typing import Final, Protocol

from models.detector import ForgetsSizes, RunsBeside, SelectiveDetector
from models.structures import Detections
from streamer.frame import Frame
from streamer.inference.attempts import Outcome, blank_picture, detect_all, is_out_of_memory
from streamer.inference.batcher import Batcher, FrameBatch
from streamer.inference.batches_ahead import BatchesAhead
from streamer.inference.patience import Patience
from streamer.inference.poison import Blame, PoisonWatch
from streamer.inference.readiness import Readiness
from streamer.inference.recovery import Recovery
from streamer.inference.results import InferenceResult, LookTimings
from streamer.inference.tiled_attempts import detect_views_with_care
from streamer.inference.worker_status import WorkerReason, WorkerState, WorkerStatus
from streamer.pulse import NoPulse, Pulse

_log = logging.getLogger(__name__)

#: Longest pause between two signs of life while there is nothing to do.
_IDLE_WAIT_S: Final = 0.5

#: Loading, or compiling for one batch size, may take this long before the thread counts as stuck.
_LONG_STEP_S: Final = 300.0

#: So many sizes that no camera has any more stay prepared: a camera may come back to one.
_UNUSED_KEPT: Final = 4


class DetectorFactory(Protocol):
    """Builds the models for a device (``auto``, ``cpu``, ``gpu``); may raise anything when it cannot."""

    def __call__(self, *, device: str) -> SelectiveDetector:
        """The models, ready to be warmed up."""
        ...


class InferenceWorker:
    """Runs batches of ``batcher`` on the models that ``load_detector`` builds, in a thread of its own.

    - ``sink`` gets each ``InferenceResult`` in the worker's thread and must not block; ``ResultQueue.put`` is
      meant.
    - ``initial_sizes``: input sizes (H, W) to prepare before READY; others are prepared as cameras bring
      them, one batch size at a time between the batches of the others.
    - ``on_status`` is called in the worker's thread whenever state, reason or device change.
    - ``pulse`` beats while the worker makes progress; once every device failed it does not, so that the
      watchdog gives the next try to a fresh process.

    A batch that fails is retried, then split to find the frame at fault, which is dropped and counted. Models
    at fault are built anew after a growing pause, the second time in a row on the CPU. When memory runs out
    the batches of that size are halved. See ``docs/adr/0031-inference-recovery.md``.
    """

    def __init__(
        self,
        *,
        batcher: Batcher,
        load_detector: DetectorFactory,
        sink: Callable[[InferenceResult], None],
        device: str = "auto",
        initial_sizes: Sequence[tuple[int, int]] = (),
        pulse: Pulse | None = None,
        on_status: Callable[[WorkerStatus], None] = lambda _status: None,
        backoff_s: float = 1.0,
        backoff_cap_s: float = 60.0,
        try_aside_every_s: float = 10.0,
    ) -> None:
        self._batcher = batcher
        self._load_detector = load_detector
        self._sink = sink
        self._initial_sizes = tuple(initial_sizes)
        self._pulse: Pulse = pulse or NoPulse()
        self._on_status = on_status
        self._poison = PoisonWatch(try_every_s=try_aside_every_s)
        self._recovery = Recovery(device=device, backoff_s=backoff_s, backoff_cap_s=backoff_cap_s)
        self._detector: SelectiveDetector | None = None
        self._ahead: BatchesAhead | None = None
        self._build_at_s = 0.0
        self._readiness = Readiness(batcher.max_batch)
        self._builds = 0
        self._patience = Patience()
        self._had_models = False
        self._stop = Event()
        self._settled = Event()
        self._rebuild = Event()
        self._lock = Lock()
        self._status = WorkerStatus(
            state=WorkerState.LOADING,
            reason=WorkerReason.NONE,
            device=device,
            since_mono_s=time.monotonic(),
        )
        self._thread = self._new_thread()

    @property
    def thread(self) -> Thread:
        """The worker's thread, for the supervision."""
        return self._thread

    def start(self) -> None:
        """Start the thread; loading begins in it."""
        self._thread.start()

    def revive(self) -> bool:
        """Go on in another thread, with models that are built anew, where the thread has ended by an error of our own.
        False: it lives, and what hangs in a library cannot be ended.
        """
        if self._thread.is_alive() or self._stop.is_set():
            return False
        self._give_up_models()
        self._thread = self._new_thread()
        self._thread.start()
        return True

    def rebuild(self) -> None:
        """Build the models anew after the running batch, because ``load_detector`` would give others now."""
        self._rebuild.set()

    def wait_ready(self, timeout_s: float) -> WorkerStatus:
        """Wait until frames can be looked at, or every device failed once, or time is up; the status then."""
        self._settled.wait(timeout_s)
        return self.status()

    def status(self) -> WorkerStatus:
        """A consistent reading of the status."""
        with self._lock:
            return self._status

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End after the running batch and close the batcher. False: it still runs after ``timeout_s``."""
        self._stop.set()
        self._batcher.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _new_thread(self) -> Thread:
        return Thread(target=self._run, name="inference", daemon=True)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._rebuild.is_set():
                    self._give_up_models()
                if self._detector is None:
                    self._build_when_due()
                else:
                    self._work(self._detector)
        finally:
            self._detector = None
            self._drop_ahead()
            self._set_status(state=WorkerState.STOPPED)
            self._settled.set()

    def _work(self, detector: SelectiveDetector) -> None:
        """One step: a step of preparation where one is due, then a batch if one is due."""
        self._pulse.beat()
        if new_sizes := self._batcher.sizes_to_prepare():
            for input_hw in new_sizes:
                self._readiness.add(input_hw)
                self._batcher.set_limit(input_hw, 0)
            self._forget_unused(detector)
        lifted = self._readiness.lift_caps(time.monotonic())
        if lifted:
            self._apply_limits(lifted)
            self._settle()
        preparing = self._readiness.next_to_warm()
        if preparing is not None and not self._warm_up(detector, *preparing):
            return
        timeout_s = _IDLE_WAIT_S if preparing is None else 0.0
        if self._ahead is None:
            batch = self._batcher.next_batch(timeout_s)
        else:
            batch = self._ahead.next(timeout_s)
            if batch is not None:
                self._ahead.begin()
        if batch is not None and (batch := self._without_those_aside(batch)).frames:
            self._run_batch(detector, batch)

    def _forget_unused(self, detector: SelectiveDetector) -> None:
        """Give back what was prepared for sizes that cameras had once: a folder of pictures may have a size for each,
        and each holds the memory of its layers."""
        for input_hw in self._batcher.forget_limits(but=self._initial_sizes, most=_UNUSED_KEPT):
            self._readiness.forget(input_hw)
            if isinstance(detector, ForgetsSizes):
                detector.forget(input_hw)

    def _without_those_aside(self, batch: FrameBatch) -> FrameBatch:
        """The batch without frames of cameras on whose pictures the models fail, but for their tries."""
        if not self._poison.aside:
            return batch
        if self._poison.keep_only(self._batcher.camera_ids()):
            self._settle()
        now_s = time.monotonic()
        keep = [self._poison.may_try(frame.camera_id, now_s) for frame in batch.frames]
        for frame in compress(batch.frames, [not kept for kept in keep]):
            self._batcher.record_failure(frame)
        return batch.only(keep)

    def _run_batch(self, detector: SelectiveDetector, batch: FrameBatch) -> None:
        self._pulse.allow(self._patience.seconds_for(len(batch.shown)))
        started_s = time.monotonic()
        outcome = detect_views_with_care(
            detector,
            batch.frames,
            batch.views,
            batch.input_hw,
            batch.models,
            at_most=self._readiness.limit(batch.input_hw),
        )
        finished_s = time.monotonic()
        detect_s = finished_s - started_s
        if not outcome.errors:
            self._batcher.record_batch(batch.input_hw, batch.shown, detect_s)
            self._patience.learn(detect_s, len(batch.shown))
        looked = 0
        for index, (frame, detections) in enumerate(zip(batch.frames, outcome.detections, strict=True)):
            if detections is None:
                self._lose(frame, outcome, poison=index in outcome.poison)
                continue
            looked += 1
            self._batcher.record_look(frame)
            if self._poison.fine(frame.camera_id):
                _log.warning("camera %s: the models take its pictures again", frame.camera_id)
                self._settle()
            timings = LookTimings(started_s - frame.received_mono_s, detect_s, len(batch.frames), finished_s)
            self._hand_on(frame, detections, timings)
        status = self.status()
        self._set_status(
            batches=status.batches + 1,
            frames=status.frames + looked,
            failures=status.failures + len(outcome.errors),
        )
        if outcome.errors:
            self._after_failure(batch, outcome)

    def _hand_on(self, frame: Frame, detections: Detections, timings: LookTimings) -> None:
        try:
            self._sink(InferenceResult(frame, detections, timings))
        except Exception:  # noqa: BLE001 - whatever the receiver does, the cameras are to be watched on
            _log.exception("the receiver of detections failed; camera %s", frame.camera_id)

    def _lose(self, frame: Frame, outcome: Outcome, *, poison: bool) -> None:
        self._batcher.record_failure(frame)
        status = self.status()
        if poison:
            self._set_status(poison_frames=status.poison_frames + 1)
            _log.warning(
                "frame %d of camera %s dropped: the models fail on it (%s)",
                frame.index,
                frame.camera_id,
                outcome.errors[-1],
            )
        else:
            self._set_status(lost_frames=status.lost_frames + 1)

    def _after_failure(self, batch: FrameBatch, outcome: Outcome) -> None:
        if outcome.broken is not None:
            self._break_down(WorkerReason.BATCH_FAILED, outcome.broken)
            return
        now_s = time.monotonic()
        blamed = {self._poison.failed(batch.frames[index].camera_id, now_s) for index in outcome.poison}
        if Blame.MODELS in blamed:
            self._break_down(WorkerReason.BATCH_FAILED, outcome.errors[-1])
        elif Blame.CAMERAS in blamed:
            _log.error(
                "the models fail on the pictures of %s and of no others; these are tried now and then",
                ", ".join(self._poison.aside),
            )
            self._settle()
        elif outcome.too_large is not None:
            self._cut_limit(batch.input_hw, outcome.too_large)
            self._settle()
        elif not outcome.poison:
            _log.warning("a batch failed and succeeded when it was repeated: %s", outcome.errors[0])

    def _cut_limit(self, input_hw: tuple[int, int], limit: int) -> None:
        if input_hw not in self._readiness.sizes:
            return  # forgotten while its last batch was under way
        self._readiness.cap(input_hw, limit, time.monotonic())
        self._apply_limits([input_hw])
        height, width = input_hw
        _log.warning("batches of %d x %d pixels hold at most %d pictures from now on", width, height, limit)

    def _apply_limits(self, sizes: Sequence[tuple[int, int]]) -> None:
        for input_hw in sizes:
            self._batcher.set_limit(input_hw, self._readiness.limit(input_hw))

    def _build_when_due(self) -> None:
        """Build the models once their time has come; wait until then, alive unless all failed."""
        if not self._recovery.exhausted:
            self._pulse.beat()
        wait_s = self._build_at_s - time.monotonic()
        if wait_s > 0:
            self._stop.wait(min(wait_s, _IDLE_WAIT_S))
            return
        self._set_status(state=WorkerState.LOADING, device=self._recovery.device, rebuilds=self._builds)
        if self._had_models:
            # the error that they died of holds the old ones in a circle: their memory and threads go first
            gc.collect()
            self._had_models = False
        self._builds += 1
        if not self._recovery.exhausted:
            self._pulse.allow(_LONG_STEP_S)
        try:
            detector = self._load_detector(device=self._recovery.device)
            digests = tuple(sorted(detector.digests.items()))
        except Exception as error:  # noqa: BLE001 - the factory may raise anything
            self._break_down(WorkerReason.LOAD_FAILED, error)
            return
        self._had_models = True
        self._set_status(state=WorkerState.WARMING, digests=digests)
        self._batcher.reset_costs()
        sizes = (*self._initial_sizes, *self._batcher.sizes_to_prepare())
        self._readiness.begin(sizes, max_batch=self._most_at_once(detector))
        self._apply_limits(self._readiness.sizes)
        # one picture of each size is enough to begin with; larger batches are prepared between those that run
        while (preparing := self._readiness.first_to_warm()) is not None:
            if self._stop.is_set() or not self._warm_up(detector, *preparing):
                return
        self._detector = detector
        if isinstance(detector, RunsBeside) and detector.runs_beside:
            self._ahead = BatchesAhead(self._batcher.next_batch)
        self._recovery.built(time.monotonic())
        self._poison.built()
        self._pulse.beat()
        self._settle()
        self._settled.set()

    def _most_at_once(self, detector: SelectiveDetector) -> int:
        """Most pictures in a batch. A processor looks at one after the other: there a batch would only make each wait
        for the others, and its frames grow old.
        """
        on_processor = isinstance(detector, RunsBeside) and not detector.runs_beside
        return 1 if on_processor else self._batcher.max_batch

    def _warm_up(self, detector: SelectiveDetector, input_hw: tuple[int, int], count: int) -> bool:
        """Prepare batches of ``count`` pictures and measure one of each camera's models. False: the models broke
        over it.
        """
        self._pulse.allow(_LONG_STEP_S)
        try:
            detector.warm_up(input_hw, (count,))
            for models in self._batcher.model_sets() or {None}:
                same = [models] * count
                started_s = time.monotonic()
                detect_all(detector, [blank_picture(input_hw)] * count, input_hw, same)
                took_s = time.monotonic() - started_s
                self._batcher.record_batch(input_hw, same, took_s)
                self._patience.learn(took_s, count)
        except Exception as error:  # noqa: BLE001 - a numerical library may raise anything
            self._set_status(failures=self.status().failures + 1)
            if is_out_of_memory(error) and count > 1:
                self._cut_limit(input_hw, self._readiness.limit(input_hw))
                if self._detector is not None:
                    self._settle()
                return True
            self._break_down(WorkerReason.WARM_UP_FAILED, error)
            return False
        self._readiness.warmed(input_hw, count)
        self._apply_limits([input_hw])
        return True

    def _break_down(self, reason: WorkerReason, error: Exception) -> None:
        """Give the models up and plan to build them anew."""
        self._give_up_models()
        now_s = time.monotonic()
        self._build_at_s = self._recovery.broke(now_s)
        _log.error(
            "the models broke (%s): %s: %s; built anew on %s in %.0f s",
            reason,
            type(error).__name__,
            str(error),  # a handler that keeps what is logged would keep the models with it
            self._recovery.device,
            self._build_at_s - now_s,
        )
        self._set_status(
            state=WorkerState.FAILED if self._recovery.exhausted else WorkerState.RECOVERING,
            reason=reason,
            detail=type(error).__name__,
        )
        if self._recovery.exhausted:
            self._settled.set()

    def _give_up_models(self) -> None:
        """No batch runs before the models are built anew, at once unless they broke."""
        self._rebuild.clear()
        self._detector = None
        self._drop_ahead()
        self._build_at_s = 0.0
        for input_hw in self._readiness.sizes:
            self._batcher.set_limit(input_hw, 0)

    def _drop_ahead(self) -> None:
        if self._ahead is None:
            return
        for frame in self._ahead.drop():
            self._batcher.record_failure(frame)
            self._set_status(lost_frames=self.status().lost_frames + 1)
        self._ahead.close()
        self._ahead = None

    def _settle(self) -> None:
        """Say READY, or DEGRADED and why."""
        limits = self._readiness.caps
        if self._recovery.fell_back:
            state, reason = WorkerState.DEGRADED, WorkerReason.CPU_FALLBACK
        elif limits:
            state, reason = WorkerState.DEGRADED, WorkerReason.OUT_OF_MEMORY
        elif self._poison.aside:
            state, reason = WorkerState.DEGRADED, WorkerReason.PICTURES_FAIL
        else:
            state, reason = WorkerState.READY, WorkerReason.NONE
        self._set_status(
            state=state, reason=reason, detail="", batch_limits=limits, cameras_aside=self._poison.aside
        )

    def _set_status(self, **changes: object) -> None:
        with self._lock:
            old = self._status
            new = replace(old, **changes)  # type: ignore[arg-type]
            telling = (old.state, old.reason, old.device) != (new.state, new.reason, new.device)
            if (old.state, old.reason) != (new.state, new.reason):
                new = replace(new, since_mono_s=time.monotonic())
            self._status = new
        if telling:
            self._on_status(new)
