"""How the daemon as a whole is: one value, made of its stages and its models, told whenever it changes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock
from typing import Any, Final

from streamer.alerts.payload import encode_json, utc_iso
from streamer.inference.worker_status import WorkerReason, WorkerState, WorkerStatus
from streamer.service.stage_health import GivenUp, StageHealth, StageState

SCHEMA: Final = 1

#: Below the site's prefix, retained.
HEALTH_TOPIC: Final = "health"


class HealthState(StrEnum):
    """What the daemon as a whole does. Only READY watches every camera that it can reach."""

    STARTING = "starting"
    READY = "ready"
    #: a stage does not beat, or the models are being built anew
    UNREADY = "unready"
    #: it cannot go on: the process ends within seconds
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class HealthReason(StrEnum):
    """Why the daemon is in its state, beside ``StageReason`` and, while READY, ``WorkerReason``."""

    NONE = ""
    #: the models are loaded for the first time
    MODELS_LOADING = "models_loading"
    #: the models broke, or others are wanted, and are built anew
    MODELS_NOT_READY = "models_not_ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonHealth:
    """The daemon at one moment. ``reason`` is a code (empty: nothing to say), ``detail`` the same in words; ``since``
    (UTC epoch s) is when either of ``state`` and ``reason`` changed last.
    """

    state: HealthState
    reason: str
    detail: str
    since: float
    stages: tuple[StageHealth, ...] = ()
    models_state: WorkerState = WorkerState.LOADING
    models_reason: WorkerReason = WorkerReason.NONE

    @property
    def hopeless(self) -> bool:
        """Whether the process is about to end by itself."""
        return self.state is HealthState.FAILED

    def stage(self, name: str) -> StageHealth | None:
        """One stage, if there is one of that name."""
        return next((stage for stage in self.stages if stage.name == name), None)


class HealthBook:
    """Keeps the ``DaemonHealth``; ``on_change`` is told of every other one, in the thread that brought it about.

    ``current`` waits for nothing. ``models`` says how the worker stands.
    """

    def __init__(
        self,
        *,
        models: Callable[[], WorkerStatus],
        on_change: Callable[[DaemonHealth], None],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._models = models
        self._on_change = on_change
        self._wall_clock = wall_clock
        self._lock = Lock()
        self._was_ready = False
        self._final: DaemonHealth | None = None
        self.current = DaemonHealth(
            state=HealthState.STARTING,
            reason=HealthReason.MODELS_LOADING,
            detail="the models are loaded",
            since=wall_clock(),
        )

    def looked(self, stages: Sequence[StageHealth]) -> None:
        """The supervisor has looked at every stage."""
        with self._lock:
            if self._final is None:
                self._take(self._of(tuple(stages), self._models()))

    def give_up(self, given_up: GivenUp) -> None:
        """The daemon cannot go on; nothing but its end changes that."""
        with self._lock:
            models = self._models()
            stages = tuple(
                replace(stage, state=StageState.FAILED, reason=given_up.reason, detail=given_up.detail)
                if stage.name == given_up.stage
                else stage
                for stage in self.current.stages
            )
            words = f"stage {given_up.stage}: {given_up.detail}"
            self._end(HealthState.FAILED, given_up.reason, words, stages, models)

    def stopping(self) -> None:
        """The daemon ends by intent."""
        self._by_intent(HealthState.STOPPING)

    def stopped(self) -> None:
        """The daemon has ended by intent: the last word on the broker."""
        self._by_intent(HealthState.STOPPED)

    def _by_intent(self, state: HealthState) -> None:
        with self._lock:
            if not self.current.hopeless:
                self._end(state, HealthReason.NONE, "", self.current.stages, self._models())

    def _end(
        self,
        state: HealthState,
        reason: str,
        detail: str,
        stages: tuple[StageHealth, ...],
        models: WorkerStatus,
    ) -> None:
        self._final = self._made(state, reason, detail, stages, models)
        self._take(self._final)

    def _of(self, stages: tuple[StageHealth, ...], models: WorkerStatus) -> DaemonHealth:
        absent = [stage for stage in stages if stage.state is not StageState.BEATING]
        if absent:
            first = absent[0]
            words = "; ".join(f"stage {stage.name}: {stage.state}, {stage.detail}" for stage in absent)
            return self._made(HealthState.UNREADY, first.reason, words, stages, models)
        if models.working:
            self._was_ready = True
            detail = "" if not models.reason else f"models: {models.state} ({models.reason})"
            return self._made(HealthState.READY, models.reason, detail, stages, models)
        words = f"models: {models.state}" + (f" ({models.reason})" if models.reason else "")
        if self._was_ready:
            return self._made(HealthState.UNREADY, HealthReason.MODELS_NOT_READY, words, stages, models)
        return self._made(HealthState.STARTING, HealthReason.MODELS_LOADING, words, stages, models)

    def _made(
        self,
        state: HealthState,
        reason: str,
        detail: str,
        stages: tuple[StageHealth, ...],
        models: WorkerStatus,
    ) -> DaemonHealth:
        old = self.current
        since = old.since if (old.state, old.reason) == (state, str(reason)) else self._wall_clock()
        return DaemonHealth(
            state=state,
            reason=str(reason),
            detail=detail,
            since=since,
            stages=stages,
            models_state=models.state,
            models_reason=models.reason,
        )

    def _take(self, new: DaemonHealth) -> None:
        changed = new != self.current
        self.current = new
        if changed:
            self._on_change(new)


def health_json(health: DaemonHealth, *, site: str, version: str, config_revision: str) -> bytes:
    """The retained ``health``: no ages and no times but those of changes, so that it is sent when something changes.

    ``config_revision`` is that of the settings in force.
    """
    return encode_json(
        {
            "schema": SCHEMA,
            "site": site,
            "version": version,
            "config_revision": config_revision,
            "state": str(health.state),
            "reason": health.reason,
            "detail": health.detail,
            "since": utc_iso(health.since),
            "models": {"state": str(health.models_state), "reason": str(health.models_reason)},
            "stages": {stage.name: _stage_json(stage) for stage in health.stages},
        }
    )


def _stage_json(stage: StageHealth) -> dict[str, Any]:
    return {
        "state": str(stage.state),
        "reason": str(stage.reason),
        "since": utc_iso(stage.since),
        "restarts": stage.restarts,
    }
