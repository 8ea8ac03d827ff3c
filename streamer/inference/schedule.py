"""Which cameras are looked at next: fair deadline batching, as a policy without threads, clock or pictures.

Cameras whose network inputs have one size share batches, also when not the same models look at them. Time is seconds of
any monotonic clock, passed in.

- **Plan.** From the measured cost of batches the load of all wishes is computed. Does it exceed what the
  worker can do, every camera's rate is lowered in proportion to its priority (``fair_shares``), so that the
  plan can be met.
- **Order.** Among the cameras that are due under the plan the earliest deadline goes first; a look's deadline
  is the moment the camera's next look is due. Nobody waits for ever: deadlines only come nearer.
- **Batch.** The first camera's batch is filled with others of its size that are due, or nearly so. It waits a
  short collection window for cameras of its size whose frame is about to come, never longer; absent cameras
  do not count.
- **Size.** The largest batch after which its first deadline, and those of due cameras of other sizes, can
  still be met; where none can, the size that gives the most looks per second.
- **Tiles.** A look at a camera with tiles is several pictures (``CameraDemand.pictures``): it fills as much of a batch,
  and costs as much, as they do. One that is larger than a batch runs alone, in several.
- **Spare time.** When nobody is due under the plan, cameras that would be due by their own wish are looked
  at: an estimate that is too careful costs nobody a look.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from models.detector import ModelSet
from streamer.inference.camera_looks import CameraState
from streamer.inference.demand import CameraDemand
from streamer.inference.fair_shares import RateDemand, grant_rates, load_of
from streamer.inference.latency import LatencyTable

#: Share of the worker's time that the plan fills; the rest absorbs batches that take longer than the mean.
USABLE_SHARE: Final = 0.95

#: Least share of its wish that a camera keeps, whatever the priorities of the others.
GUARANTEED_SHARE: Final = 0.05

#: A camera may join a batch this share of its period before it is due: so cameras fall into step and share
#: batches.
_EARLY_SHARE: Final = 0.25

#: The plan is made anew this often, and whenever a camera changes.
_PLAN_EVERY_S: Final = 0.25

#: A camera without a frame for this long (or two of its periods) is absent: its share goes to the others.
_ABSENT_AFTER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A batch to run now: cameras whose newest frames go in, the most urgent one first."""

    input_hw: tuple[int, int]
    camera_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to run before ``until_s``; None: not before something changes (a frame, a camera, a limit)."""

    until_s: float | None


class LookSchedule:
    """The policy described above. Not safe for use by several threads at once.

    - ``max_batch``: most pictures in a batch, at least 1.
    - ``collect_window_s``: how long a batch that is not full waits for frames that are about to come.
    """

    def __init__(self, *, max_batch: int = 4, collect_window_s: float = 0.02) -> None:
        if max_batch < 1 or collect_window_s < 0:
            raise ValueError(
                f"max_batch must be at least 1 and the window 0, got {max_batch}, {collect_window_s}"
            )
        self.max_batch = max_batch
        self.latencies = LatencyTable()
        self.cameras: dict[str, CameraState] = {}
        self.load = 0.0
        self._collect_window_s = collect_window_s
        self._limits: dict[tuple[int, int], int] = {}
        self._planned_s = float("-inf")

    @property
    def overloaded(self) -> bool:
        """Whether the cameras ask for more than the worker can do, so that rates are lowered."""
        return self.load > USABLE_SHARE

    def set_camera(self, demand: CameraDemand, now_s: float) -> None:
        """Add a camera, or change what a known one asks for; its account goes on."""
        state = self.cameras.get(demand.camera_id)
        if state is None:
            self.cameras[demand.camera_id] = CameraState.new(demand, now_s)
        else:
            if demand.longest_side_px != state.demand.longest_side_px:
                state.input_hw = None
            state.demand = demand
            state.granted_fps = min(state.granted_fps, demand.fps)
        self._planned_s = float("-inf")

    def remove_camera(self, camera_id: str) -> None:
        """Forget a camera; unknown ones are ignored."""
        self.cameras.pop(camera_id, None)
        self._planned_s = float("-inf")

    def set_input(self, camera_id: str, input_hw: tuple[int, int]) -> None:
        """Say at which size a camera's pictures are looked at; it takes part only once this is known."""
        self.cameras[camera_id].input_hw = input_hw
        self._planned_s = float("-inf")

    def set_limit(self, input_hw: tuple[int, int], limit: int, now_s: float) -> None:
        """Allow batches of up to ``limit`` pictures of a size; 0, as at first, keeps its cameras waiting."""
        became_ready = limit > 0 and self._limits.get(input_hw, 0) == 0
        self._limits[input_hw] = limit
        self._planned_s = float("-inf")
        if became_ready:
            for state in self.cameras.values():
                if state.input_hw == input_hw:
                    state.models_ready(now_s)

    def limit_known(self, input_hw: tuple[int, int]) -> bool:
        """Whether ``set_limit`` was called for a size."""
        return input_hw in self._limits

    def forget_limits(self, *, but: Collection[tuple[int, int]], most: int) -> list[tuple[int, int]]:
        """Forget the limits of sizes that no present camera has, but for those of ``but`` and the ``most`` that came
        last; returns the sizes."""
        used = self.sizes_in_use()
        unused = [hw for hw in self._limits if hw not in used and hw not in but]
        gone = unused[: max(0, len(unused) - most)]
        for input_hw in gone:
            del self._limits[input_hw]
        return gone

    def clear_limits(self) -> None:
        """Keep all cameras waiting until the limits are set anew."""
        self._limits.clear()

    def limit_of(self, input_hw: tuple[int, int] | None) -> int:
        """Most pictures that a batch of this size may hold now."""
        return 0 if input_hw is None else min(self.max_batch, self._limits.get(input_hw, 0))

    def sizes_in_use(self) -> set[tuple[int, int]]:
        """Input sizes of the present cameras."""
        return {state.input_hw for state in self.cameras.values() if state.input_hw is not None}

    def frame_waiting(self, camera_id: str, now_s: float) -> None:
        """A camera's mailbox holds a frame."""
        state = self.cameras.get(camera_id)
        if state is not None:
            state.frame_came(now_s)

    def choose(self, now_s: float) -> Choice | Wait:
        """What to do now. A choice is binding only once ``looked`` is called for its cameras."""
        self._plan(now_s)
        ready = [
            state
            for state in self.cameras.values()
            if state.waiting_since_s is not None and self.limit_of(state.input_hw) > 0
        ]
        due = [state for state in ready if state.due_s <= now_s]
        if due:
            first = min(due, key=lambda state: (state.deadline_s, state.last_look_s))
        else:
            wishing = [state for state in ready if state.wanted_due_s <= now_s]
            if not wishing:
                dues = [min(state.due_s, state.wanted_due_s) for state in ready]
                return Wait(min(dues) if dues else None)
            first = max(wishing, key=lambda state: (now_s - state.last_look_s) * state.granted_fps)
        members = self._fill(first, ready, now_s)
        until_s = self._collect_until(first, members, now_s)
        if until_s is not None:
            return Wait(until_s)
        count = self._batch_size(members, due, now_s)
        return Choice(self._size_of(first), tuple(state.demand.camera_id for state in members[:count]))

    def looked(self, camera_id: str, now_s: float) -> None:
        """A camera's frame was taken into a batch."""
        state = self.cameras.get(camera_id)
        if state is not None:
            state.last_active_s = now_s
            state.look(now_s)

    def nothing_there(self, camera_id: str) -> None:
        """A camera's mailbox turned out to be empty."""
        state = self.cameras.get(camera_id)
        if state is not None:
            state.waiting_since_s = None

    def _size_of(self, state: CameraState) -> tuple[int, int]:
        if state.input_hw is None:
            raise ValueError(f"the input size of camera {state.demand.camera_id} is not known yet")
        return state.input_hw

    def _fill(self, first: CameraState, ready: list[CameraState], now_s: float) -> list[CameraState]:
        """``first`` and those of its size that are due or may come early, by deadline, up to the limit."""
        others = [
            state
            for state in ready
            if state is not first
            and state.input_hw == first.input_hw
            and now_s >= state.due_s - _EARLY_SHARE * state.granted_period_s
        ]
        others.sort(key=lambda state: (state.deadline_s, state.last_look_s))
        members, room = [first], self.limit_of(first.input_hw) - first.demand.pictures
        for state in others:
            if state.demand.pictures > room:
                break
            members.append(state)
            room -= state.demand.pictures
        return members

    def _collect_until(self, first: CameraState, members: list[CameraState], now_s: float) -> float | None:
        """When to look again because a frame that would join is about to come; None: do not wait."""
        pictures = sum(state.demand.pictures for state in members)
        if pictures >= self.limit_of(first.input_hw) or first.waiting_since_s is None:
            return None
        until_s = max(min(first.due_s, first.wanted_due_s), first.waiting_since_s) + self._collect_window_s
        # whoever comes may need as much as the first one
        models = _shown([*members, first])
        latest_start_s = first.deadline_s - self.latencies.expected_batch_s(self._size_of(first), models)
        if now_s >= min(until_s, latest_start_s):
            return None
        expected = any(
            state.input_hw == first.input_hw
            and state.waiting_since_s is None
            and not self._absent(state, now_s)
            and state.due_s - _EARLY_SHARE * state.granted_period_s <= until_s
            for state in self.cameras.values()
        )
        return min(until_s, latest_start_s) if expected else None

    def _batch_size(self, members: list[CameraState], due: list[CameraState], now_s: float) -> int:
        input_hw = self._size_of(members[0])
        latest_end_s = min(
            [members[0].deadline_s]
            + [
                state.deadline_s - self.latencies.expected_batch_s(self._size_of(state), state.demand.shown)
                for state in due
                if state.input_hw != input_hw
            ]
        )
        costs_s = {
            count: self.latencies.expected_batch_s(input_hw, _shown(members[:count]))
            for count in range(len(members), 0, -1)
        }
        for count, cost_s in costs_s.items():
            if now_s + cost_s <= latest_end_s:
                return count
        return min(costs_s, key=lambda count: costs_s[count] / count)

    def _absent(self, state: CameraState, now_s: float) -> bool:
        return now_s - state.last_active_s > max(_ABSENT_AFTER_S, 2 / state.demand.fps)

    def _plan(self, now_s: float) -> None:
        if now_s - self._planned_s < _PLAN_EVERY_S:
            return
        self._planned_s = now_s
        present = [
            state
            for state in self.cameras.values()
            if self.limit_of(state.input_hw) > 0 and not self._absent(state, now_s)
        ]
        # a camera costs what its own models cost, whoever shares its batches
        sharing: Counter[tuple[tuple[int, int], ModelSet]] = Counter()
        for state in present:
            sharing[self._size_of(state), state.demand.models] += state.demand.pictures
        costs = {
            (hw, models): self.latencies.best_cost_s(hw, min(self.limit_of(hw), count), models)
            for (hw, models), count in sharing.items()
        }
        demands = [
            RateDemand(
                fps=state.demand.fps,
                weight=state.demand.weight,
                cost_s=state.demand.pictures * costs[self._size_of(state), state.demand.models],
            )
            for state in present
        ]
        self.load = load_of(demands)
        granted = grant_rates(demands, usable_share=USABLE_SHARE, guaranteed_share=GUARANTEED_SHARE)
        for state in self.cameras.values():
            state.granted_fps = state.demand.fps
        for state, fps in zip(present, granted, strict=True):
            state.granted_fps = fps


def _shown(members: Sequence[CameraState]) -> list[ModelSet]:
    """Who looks at each picture of a batch."""
    return [models for state in members for models in state.demand.shown]
