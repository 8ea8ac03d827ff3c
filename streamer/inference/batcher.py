"""Between the cameras' mailboxes and the worker: waits until a batch should run and takes its frames."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from threading import Condition

from models.detector import ModelSet
from models.tiles import View, whole_view
from streamer.frame import Frame
from streamer.inference.camera_looks import CameraLooks
from streamer.inference.demand import CameraDemand
from streamer.inference.schedule import LookSchedule, Wait
from streamer.ingest.mailbox import Mailbox


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Frames of one network input size, the most urgent one first, one per camera.

    - ``models``: who looks at each.
    - ``views``: in which views each is looked at, at least one, the whole picture first.
    """

    input_hw: tuple[int, int]
    frames: tuple[Frame, ...]
    models: tuple[ModelSet, ...]
    views: tuple[tuple[View, ...], ...]

    @property
    def shown(self) -> tuple[ModelSet, ...]:
        """Who looks at each picture that the networks see: at each view of each frame."""
        return tuple(
            models for models, views in zip(self.models, self.views, strict=True) for _ in range(len(views))
        )

    def only(self, keep: Sequence[bool]) -> "FrameBatch":
        """The batch with those frames alone for which ``keep``, in their order, is true."""
        if all(keep):
            return self
        return FrameBatch(
            self.input_hw,
            tuple(compress(self.frames, keep)),
            tuple(compress(self.models, keep)),
            tuple(compress(self.views, keep)),
        )


@dataclass(frozen=True, slots=True)
class BatcherSnapshot:
    """State at one moment. ``load`` above 1: the cameras ask for more than the worker can do."""

    load: float
    overloaded: bool
    cameras: tuple[CameraLooks, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """``granted_fps`` looks a second under the present load; the next one is due in ``due_in_s``."""

    granted_fps: float
    due_in_s: float


@dataclass(slots=True)
class _Inlet:
    mailbox: Mailbox
    #: a frame that was taken to learn its size and is to be looked at later, unless a newer one comes
    held: Frame | None = None
    replaced_held: int = 0


class Batcher:
    """Fair deadline batching (``schedule.LookSchedule``) over the cameras' mailboxes; safe for all threads.

    - ``max_batch``: most pictures in a batch.
    - ``max_age_s``: frames received longer ago than this when their turn comes are dropped and counted.
    - ``collect_window_s``: how long a batch that is not full waits for frames that are about to come.
    - ``clock``: a monotonic clock in seconds, the one of ``Frame.received_mono_s``.

    A camera's input size follows from its frames, so a stream that changes its resolution goes on at its new
    size.
    """

    def __init__(
        self,
        *,
        max_batch: int = 4,
        max_age_s: float = 2.0,
        collect_window_s: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_age_s <= 0:
            raise ValueError(f"max_age_s must be above 0, got {max_age_s}")
        self._schedule = LookSchedule(max_batch=max_batch, collect_window_s=collect_window_s)
        self._max_age_s = max_age_s
        self._clock = clock
        self._changed = Condition()
        self._inlets: dict[str, _Inlet] = {}
        self._closed = False

    @property
    def max_batch(self) -> int:
        """Most pictures in a batch."""
        return self._schedule.max_batch

    def set_camera(self, demand: CameraDemand, mailbox: Mailbox) -> None:
        """Add a camera or change what a known one asks for, at run time; the mailbox may be a new one."""
        with self._changed:
            known = self._inlets.get(demand.camera_id)
            if known is None:
                self._inlets[demand.camera_id] = _Inlet(mailbox)
            else:
                known.mailbox = mailbox
            self._schedule.set_camera(demand, self._clock())
            if mailbox.peek_age_s() is not None:
                self._schedule.frame_waiting(demand.camera_id, self._clock())
            self._changed.notify_all()

    def remove_camera(self, camera_id: str) -> None:
        """Forget a camera and its account, if known. A frame in a running batch is still handed on."""
        with self._changed:
            self._inlets.pop(camera_id, None)
            self._schedule.remove_camera(camera_id)
            self._changed.notify_all()

    def frame_ready(self, camera_id: str) -> None:
        """A frame was put into a camera's mailbox: the callback for ``Mailbox(notify=...)``."""
        with self._changed:
            self._schedule.frame_waiting(camera_id, self._clock())
            self._changed.notify_all()

    def next_batch(self, timeout_s: float) -> FrameBatch | None:
        """Wait for the next batch to run.

        Returns None after ``timeout_s``, once closed, and as soon as a camera shows up whose input size is
        not ready (``sizes_to_prepare``) while there is nothing else to run.
        """
        give_up_s = self._clock() + timeout_s
        with self._changed:
            while not self._closed:
                self._learn_sizes()
                now_s = self._clock()
                choice = self._schedule.choose(now_s)
                if not isinstance(choice, Wait):
                    frames = self._take(choice.camera_ids, choice.input_hw, now_s)
                    if frames:
                        return self._batch(choice.input_hw, frames)
                    continue
                if now_s >= give_up_s or self._unprepared():
                    return None
                until_s = give_up_s if choice.until_s is None else min(give_up_s, choice.until_s)
                self._changed.wait(max(0.0, until_s - now_s))
            return None

    def sizes_to_prepare(self) -> list[tuple[int, int]]:
        """Input sizes of cameras that wait because ``set_limit`` has not yet been called for them."""
        with self._changed:
            self._learn_sizes()
            return self._unprepared()

    def set_limit(self, input_hw: tuple[int, int], limit: int) -> None:
        """Say how many pictures of a size the models take at once now; 0: none."""
        with self._changed:
            self._schedule.set_limit(input_hw, limit, self._clock())
            self._changed.notify_all()

    def forget_limits(self, *, but: Collection[tuple[int, int]], most: int) -> list[tuple[int, int]]:
        """See ``LookSchedule.forget_limits``."""
        with self._changed:
            return self._schedule.forget_limits(but=but, most=most)

    def camera_ids(self) -> set[str]:
        """The present cameras."""
        with self._changed:
            return set(self._inlets)

    def model_sets(self) -> set[ModelSet]:
        """Who looks at the present cameras."""
        with self._changed:
            return {state.demand.models for state in self._schedule.cameras.values()}

    def record_batch(self, input_hw: tuple[int, int], models: Sequence[ModelSet], latency_s: float) -> None:
        """A batch took ``latency_s`` whose pictures were seen by ``models``: the cost that the plan reckons with."""
        with self._changed:
            self._schedule.latencies.observe_batch(input_hw, models, latency_s)

    def record_look(self, frame: Frame) -> None:
        """The detections of ``frame`` are there."""
        with self._changed:
            state = self._schedule.cameras.get(frame.camera_id)
            if state is not None:
                now_s = self._clock()
                state.finished(now_s, now_s - frame.received_mono_s)

    def record_failure(self, frame: Frame) -> None:
        """``frame`` was taken but could not be analysed."""
        with self._changed:
            state = self._schedule.cameras.get(frame.camera_id)
            if state is not None:
                state.dropped_failed += 1

    def reset_costs(self) -> None:
        """Forget all limits and costs: the models were built anew, perhaps on another device."""
        with self._changed:
            self._schedule.latencies.forget()
            self._schedule.clear_limits()

    def snapshot(self) -> BatcherSnapshot:
        """Every camera's account, for status and statistics."""
        with self._changed:
            now_s = self._clock()
            cameras = []
            for camera_id, state in self._schedule.cameras.items():
                inlet = self._inlets[camera_id]
                replaced = inlet.mailbox.counters.dropped + inlet.replaced_held
                cameras.append(state.account(now_s, replaced))
            return BatcherSnapshot(self._schedule.load, self._schedule.overloaded, tuple(cameras))

    def paces(self) -> dict[str, Pace]:
        """How often each camera is looked at under the present load, and when next."""
        with self._changed:
            now_s = self._clock()
            return {
                camera_id: Pace(state.granted_fps, max(0.0, state.due_s - now_s))
                for camera_id, state in self._schedule.cameras.items()
            }

    def close(self) -> None:
        """Wake and end every ``next_batch``, now and later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _unprepared(self) -> list[tuple[int, int]]:
        return sorted(hw for hw in self._schedule.sizes_in_use() if not self._schedule.limit_known(hw))

    def _learn_sizes(self) -> None:
        for camera_id, state in self._schedule.cameras.items():
            if state.input_hw is None and state.waiting_since_s is not None:
                inlet = self._inlets[camera_id]
                frame = inlet.mailbox.take() or inlet.held
                if frame is None:
                    self._schedule.nothing_there(camera_id)
                else:
                    inlet.held = frame
                    self._schedule.set_input(camera_id, state.demand.input_hw(frame.image_hw))

    def _take(
        self, camera_ids: tuple[str, ...], input_hw: tuple[int, int], now_s: float
    ) -> tuple[Frame, ...]:
        frames = []
        for camera_id in camera_ids:
            frame = self._newest(camera_id, now_s)
            if frame is None:
                continue
            state = self._schedule.cameras[camera_id]
            wanted_hw = state.demand.input_hw(frame.image_hw)
            if wanted_hw != input_hw:
                self._inlets[camera_id].held = frame
                self._schedule.set_input(camera_id, wanted_hw)
                self._schedule.frame_waiting(camera_id, now_s)
                continue
            self._schedule.looked(camera_id, now_s)
            frames.append(frame)
        return tuple(frames)

    def _batch(self, input_hw: tuple[int, int], frames: tuple[Frame, ...]) -> FrameBatch:
        demands = [self._schedule.cameras[frame.camera_id].demand for frame in frames]
        views = tuple(
            (whole_view(frame.image_hw),)
            if demand.tiling is None
            else demand.tiling.views(frame.image_hw, input_hw)
            for frame, demand in zip(frames, demands, strict=True)
        )
        return FrameBatch(input_hw, frames, tuple(demand.models for demand in demands), views)

    def _newest(self, camera_id: str, now_s: float) -> Frame | None:
        """A camera's newest frame, unless there is none or it is stale; its slot is empty afterwards."""
        inlet = self._inlets[camera_id]
        frame, held = inlet.mailbox.take(), inlet.held
        inlet.held = None
        if frame is None:
            frame = held
        elif held is not None:
            inlet.replaced_held += 1
        if frame is not None and now_s - frame.received_mono_s <= self._max_age_s:
            return frame
        if frame is not None:
            self._schedule.cameras[camera_id].dropped_stale += 1
        self._schedule.nothing_there(camera_id)
        return None
