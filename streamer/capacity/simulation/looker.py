"""One inference worker in simulated time: the daemon's own schedule over slots in which the newest frame wins."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from config import InferenceSettings
from streamer.capacity.simulation.account import Account
from streamer.capacity.simulation.agenda import Agenda
from streamer.capacity.simulation.costs import BatchTimes
from streamer.capacity.simulation.processor import Cores
from streamer.inference.demand import CameraDemand
from streamer.inference.schedule import LookSchedule, Wait

#: As the daemon has them where nothing else is said.
MAX_AGE_S: Final[float] = InferenceSettings.model_fields["max_age_s"].default
MAX_WAIT_S: Final[float] = InferenceSettings.model_fields["max_wait_s"].default
#: As ``ResultQueue`` has it.
_RESULTS_KEPT: Final = 64


@dataclass(slots=True)
class _Slot:
    """One camera's mailbox. ``renewed_every_s``: single frames between looks are not followed; the one that waits is
    taken to be replaced so often (0: ``freshen`` is called)."""

    received_s: float | None = None
    renewed_every_s: float = 0.0


@dataclass(slots=True)
class _Batch:
    input_hw: tuple[int, int]
    camera_ids: tuple[str, ...]
    received_s: tuple[float, ...]


@dataclass(slots=True, kw_only=True)
class Looker:
    """A worker and the rules behind it.

    - ``beside``: the networks run beside the cores, on a device of their own, and the next batch is taken while one
      is computed (``BatchesAhead``).
    - ``look_s``: work of the worker's thread for each look beside the batch; ``draw_verdict_s``: of the rules;
      ``idle_s``: of the networks' threads after a look that no other follows.
    """

    agenda: Agenda
    account: Account
    cores: Cores
    times: BatchTimes
    max_batch: int
    beside: bool
    look_s: float
    draw_verdict_s: Callable[[], float]
    idle_s: float = 0.0
    collect_window_s: float = MAX_WAIT_S
    schedule: LookSchedule = field(init=False)
    device_busy_s: float = 0.0
    up: bool = True
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _running: _Batch | None = None
    _staged: _Batch | None = None
    _results: deque[tuple[str, float]] = field(default_factory=deque)
    _judging: bool = False
    _life: int = 0
    _wake: int = 0

    def __post_init__(self) -> None:
        self.schedule = LookSchedule(max_batch=self.max_batch, collect_window_s=self.collect_window_s)

    @property
    def camera_ids(self) -> Sequence[str]:
        """Whose frames it looks at."""
        return tuple(self._slots)

    def add(self, demand: CameraDemand, input_hw: tuple[int, int], *, renewed_every_s: float = 0.0) -> None:
        """Look at a camera from now on; models are warm, and costs known by the warm-up."""
        now_s = self.agenda.now_s
        models = demand.models or frozenset()
        self._slots[demand.camera_id] = _Slot(renewed_every_s=renewed_every_s)
        self.schedule.set_camera(demand, now_s)
        self.schedule.set_input(demand.camera_id, input_hw)
        if not self.schedule.limit_known(input_hw):
            for count in _warm_counts(self.max_batch):
                self.schedule.latencies.observe(
                    input_hw, count, self.times.mean_s(input_hw, models, count), models
                )
            self.schedule.set_limit(input_hw, self.max_batch, now_s)

    def remove(self, camera_id: str) -> None:
        """Look at it no more; a frame in a running batch is still handed on."""
        self._slots.pop(camera_id, None)
        self.schedule.remove_camera(camera_id)

    def put(self, camera_id: str, received_s: float) -> None:
        """A frame that is due has come."""
        slot = self._slots.get(camera_id)
        if slot is None or not self.up:
            self.account.drop("lost", self.agenda.now_s)
            return
        if slot.received_s is not None:
            self.account.drop("replaced", self.agenda.now_s)
        slot.received_s = received_s
        self.schedule.frame_waiting(camera_id, self.agenda.now_s)
        self._consider()

    def freshen(self, camera_id: str, received_s: float) -> None:
        """A frame that is not due has come: it takes the place of one that waits."""
        slot = self._slots.get(camera_id)
        if slot is not None and slot.received_s is not None:
            slot.received_s = received_s

    def fail(self) -> None:
        """It is gone, with all that it had."""
        held = [batch for batch in (self._running, self._staged) if batch is not None]
        lost = sum(len(batch.camera_ids) for batch in held) + len(self._results)
        self.account.drop("lost", self.agenda.now_s, lost)
        self.up, self._running, self._staged = False, None, None
        self._results.clear()
        self._judging = False
        self._life += 1
        for camera_id in self.camera_ids:
            self.remove(camera_id)

    def repair(self) -> None:
        """It is back, with nothing to do."""
        self.up = True
        self.__post_init__()

    def _consider(self) -> None:
        """Take a batch where there is room for one."""
        if not self.up or self._staged is not None or (self._running is not None and not self.beside):
            return
        now_s = self.agenda.now_s
        self._wake += 1
        while True:
            choice = self.schedule.choose(now_s)
            if isinstance(choice, Wait):
                if choice.until_s is not None:
                    woken = partial(self._woken, self._wake, self._life)
                    self.agenda.at(max(choice.until_s, now_s), woken)
                return
            batch = self._take(choice.input_hw, choice.camera_ids)
            if batch is not None:
                break
        if self._running is None:
            self._begin(batch)
            if self.beside:
                self._consider()
        else:
            self._staged = batch

    def _woken(self, wake: int, life: int) -> None:
        if wake == self._wake and life == self._life:
            self._consider()

    def _take(self, input_hw: tuple[int, int], camera_ids: tuple[str, ...]) -> _Batch | None:
        now_s = self.agenda.now_s
        ids, received = [], []
        for camera_id in camera_ids:
            slot = self._slots[camera_id]
            came_s, slot.received_s = slot.received_s, None
            if came_s is not None and slot.renewed_every_s:
                came_s += (now_s - came_s) // slot.renewed_every_s * slot.renewed_every_s
            if came_s is None or now_s - came_s > MAX_AGE_S:
                if came_s is not None:
                    self.account.drop("stale", now_s)
                self.schedule.nothing_there(camera_id)
                continue
            self.schedule.looked(camera_id, now_s)
            ids.append(camera_id)
            received.append(came_s)
        return _Batch(input_hw, tuple(ids), tuple(received)) if ids else None

    def _begin(self, batch: _Batch) -> None:
        self._running = batch
        now_s, life = self.agenda.now_s, self._life
        models = [self.schedule.cameras[camera_id].demand.models for camera_id in batch.camera_ids]
        self.account.batch(len(models), now_s)
        time = self.times.draw(batch.input_hw, models)

        def end() -> None:
            if life == self._life:
                self._ended(batch, models, now_s)

        if self.beside:
            self.device_busy_s += time.wall_s
            # what the networks leave to the cores is done while the device computes
            self.cores.run(time.processor_s + self.look_s * len(models), float(len(models)), _nothing)
            self.agenda.after(time.wall_s, end)
        else:
            self.cores.run(time.processor_s + self.look_s * len(models), time.threads, end)

    def _ended(self, batch: _Batch, models: list[frozenset[str] | None], started_s: float) -> None:
        now_s = self.agenda.now_s
        self._running = None
        self.schedule.latencies.observe_batch(batch.input_hw, models, now_s - started_s)
        for camera_id, received_s in zip(batch.camera_ids, batch.received_s, strict=True):
            state = self.schedule.cameras.get(camera_id)
            if state is not None:
                state.finished(now_s, now_s - received_s)
            if len(self._results) >= _RESULTS_KEPT:
                self._results.popleft()
                self.account.drop("unjudged", now_s)
            self._results.append((camera_id, received_s))
        if not self._judging:
            self._judge_next()
        if self._staged is not None:
            staged, self._staged = self._staged, None
            # a camera may have left since
            if all(camera_id in self.schedule.cameras for camera_id in staged.camera_ids):
                self._begin(staged)
            else:
                self.account.drop("lost", now_s, len(staged.camera_ids))
        self._consider()
        if self._running is None and self.idle_s:
            self.cores.run(self.idle_s, 1.0, _nothing)

    def _judge_next(self) -> None:
        if not self._results:
            self._judging = False
            return
        self._judging = True
        camera_id, received_s = self._results.popleft()
        life = self._life

        def judged() -> None:
            if life == self._life:
                self.account.verdict(camera_id, self.agenda.now_s, self.agenda.now_s - received_s)
                self._judge_next()

        self.cores.run(self.draw_verdict_s(), 1.0, judged)


def _nothing() -> None:
    pass


def _warm_counts(max_batch: int) -> list[int]:
    """As ``Readiness`` warms them: powers of two, and the largest."""
    counts = [1]
    while counts[-1] * 2 < max_batch:
        counts.append(counts[-1] * 2)
    return counts if max_batch == 1 else [*counts, max_batch]
