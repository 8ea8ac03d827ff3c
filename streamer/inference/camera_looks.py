"""One camera's place in the schedule and its account: when it is due, what it got, what it lost and why."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from streamer.inference.demand import CameraDemand

#: Seconds over which the rate of looks is reported.
RATE_WINDOW_S: Final = 10.0

#: Looks whose latency is remembered for the reported percentiles.
_LATENCIES_KEPT: Final = 256

#: A look may come this share of a period early or late before the next due time moves with it: pacing without
#: bursts.
_SHORTEST_INTERVAL: Final = 0.5

#: Frames that come at least this share of a wished period apart were sampled already: looks keep step with them.
_SAMPLED: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLooks:
    """Account of one camera at one moment; counts since it was added.

    - ``wanted_fps``, ``granted_fps``, ``analysed_fps``: asked for; planned under the present load; measured
      over the last ``RATE_WINDOW_S`` seconds.
    - ``analysed``: frames whose detections were handed on.
    - ``dropped_stale``: frames that were too old when their turn came.
    - ``dropped_failed``: frames lost with a failing batch or because the models cannot take them.
    - ``dropped_replaced``: frames that a newer one replaced in the mailbox before their turn, mostly by
      intent: a camera sends more frames than are looked at.
    - ``missed_looks``: looks that were wanted, for which models and a frame were ready, and that did not happen
      (starvation); counted at the look that comes after all.
    - ``waiting_s``: how long the present frame has been waiting past its due time; 0 when none is.
    - ``latency_p50_s``, ``latency_p95_s``: from a frame's arrival to its detections, over recent looks; None
      before the first.
    - ``models``: who looks at it; empty: all that are loaded.
    """

    camera_id: str
    priority: str
    input_hw: tuple[int, int] | None
    wanted_fps: float
    granted_fps: float
    analysed_fps: float
    analysed: int
    dropped_stale: int
    dropped_failed: int
    dropped_replaced: int
    missed_looks: int
    waiting_s: float
    latency_p50_s: float | None
    latency_p95_s: float | None
    models: tuple[str, ...] = ()


@dataclass(slots=True)
class CameraState:
    """Mutable state of one camera; times are seconds of one monotonic clock, passed in by the caller."""

    demand: CameraDemand
    added_s: float
    granted_fps: float
    #: the grid on which granted looks lie: the next is due one granted period after it
    anchor_s: float
    last_look_s: float
    last_active_s: float
    input_hw: tuple[int, int] | None = None
    waiting_since_s: float | None = None
    #: when the newest frame came, and how long after the one before
    arrived_s: float | None = None
    arrival_gap_s: float = 0.0
    analysed: int = 0
    dropped_stale: int = 0
    dropped_failed: int = 0
    missed_looks: int = 0
    _entitled: float = 0.0
    _look_times_s: deque[float] = field(default_factory=deque)
    _latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))

    @classmethod
    def new(cls, demand: CameraDemand, now_s: float) -> "CameraState":
        """A camera that is due at once."""
        return cls(
            demand=demand,
            added_s=now_s,
            granted_fps=demand.fps,
            anchor_s=now_s - 1 / demand.fps,
            last_look_s=now_s - 1 / demand.fps,
            last_active_s=now_s,
        )

    @property
    def granted_period_s(self) -> float:
        """Seconds between two looks under the present plan."""
        return 1 / self.granted_fps

    @property
    def due_s(self) -> float:
        """When the next look is due under the present plan."""
        return self.anchor_s + self.granted_period_s

    @property
    def wanted_due_s(self) -> float:
        """When the next look would be due if there were time for all that is asked for."""
        return self.last_look_s + 1 / self.demand.fps

    @property
    def deadline_s(self) -> float:
        """When the due look should have ended: as the next one is due (an implicit deadline)."""
        return self.due_s + self.granted_period_s

    def models_ready(self, now_s: float) -> None:
        """Looks become possible: the time in which the models were not ready is not held against the schedule."""
        self.last_look_s = max(self.last_look_s, now_s - 1 / self.demand.fps)
        if self.waiting_since_s is not None:
            self.waiting_since_s = now_s

    def frame_came(self, now_s: float) -> None:
        """A frame is in the mailbox, in place of one that was there."""
        self.last_active_s = now_s
        if self.waiting_since_s is None:
            self.waiting_since_s = now_s
        if self.arrived_s is not None:
            self.arrival_gap_s = now_s - self.arrived_s
        self.arrived_s = now_s

    def look(self, now_s: float) -> None:
        """A look begins: the next one is planned, and a wait beyond the wish is accounted."""
        self._account_wait(now_s)
        period_s = self.granted_period_s
        spare = now_s < self.due_s - _SHORTEST_INTERVAL * period_s
        on_grid_s = now_s if spare else self.due_s
        if self._keeps_step and self.arrived_s is not None:
            # a grid of its own phase would make every frame wait for it
            on_grid_s = min(on_grid_s, self.arrived_s)
        self.anchor_s = max(on_grid_s, now_s - (1 - _SHORTEST_INTERVAL) * period_s)
        self.last_look_s = now_s
        self.waiting_since_s = None

    @property
    def _keeps_step(self) -> bool:
        """Whether frames come no more often than they are looked at, so that each is due when it comes."""
        return self.granted_fps >= self.demand.fps and self.arrival_gap_s >= _SAMPLED * self.granted_period_s

    def finished(self, now_s: float, latency_s: float) -> None:
        """A look ended well, ``latency_s`` after its frame had arrived."""
        self.analysed += 1
        self._look_times_s.append(now_s)
        self._latencies_s.append(latency_s)
        self._forget_looks(now_s)

    def account(self, now_s: float, dropped_replaced: int) -> CameraLooks:
        """Its account as of ``now_s``."""
        self._forget_looks(now_s)
        window_s = min(RATE_WINDOW_S, max(now_s - self.added_s, 1 / self.demand.fps))
        waiting_s = 0.0
        if self.waiting_since_s is not None:
            waiting_s = max(0.0, now_s - max(self.waiting_since_s, self.wanted_due_s))
        return CameraLooks(
            camera_id=self.demand.camera_id,
            priority=self.demand.priority,
            input_hw=self.input_hw,
            wanted_fps=self.demand.fps,
            granted_fps=self.granted_fps,
            analysed_fps=len(self._look_times_s) / window_s,
            analysed=self.analysed,
            dropped_stale=self.dropped_stale,
            dropped_failed=self.dropped_failed,
            dropped_replaced=dropped_replaced,
            missed_looks=self.missed_looks,
            waiting_s=waiting_s,
            latency_p50_s=_percentile(self._latencies_s, 0.50),
            latency_p95_s=_percentile(self._latencies_s, 0.95),
            models=tuple(sorted(self.demand.models or ())),
        )

    def _account_wait(self, now_s: float) -> None:
        waiting_since_s = self.last_look_s if self.waiting_since_s is None else self.waiting_since_s
        # the time in which the camera itself had nothing to show is not held against the schedule
        had_nothing_s = max(0.0, waiting_since_s - self.wanted_due_s)
        entitled = (now_s - self.last_look_s - had_nothing_s) * self.demand.fps - 1
        self._entitled = max(-_SHORTEST_INTERVAL, self._entitled + entitled)
        missed = math.floor(self._entitled)
        if missed >= 1:
            self.missed_looks += missed
            self._entitled -= missed

    def _forget_looks(self, now_s: float) -> None:
        while self._look_times_s and self._look_times_s[0] < now_s - RATE_WINDOW_S:
            self._look_times_s.popleft()


def _percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
