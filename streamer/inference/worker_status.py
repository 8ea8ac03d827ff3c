"""What the inference worker says about itself."""

from dataclasses import dataclass
from enum import StrEnum


class WorkerState(StrEnum):
    """What the worker is doing. Only READY and DEGRADED look at frames."""

    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    #: at work, but not as configured: on another device, with smaller batches, or without some cameras
    DEGRADED = "degraded"
    #: the models broke and wait to be built anew
    RECOVERING = "recovering"
    #: the models could not be built on any device; still tried now and then
    FAILED = "failed"
    STOPPED = "stopped"


class WorkerReason(StrEnum):
    """Why the worker is in its state, for machines; NONE while all is well."""

    NONE = ""
    CPU_FALLBACK = "cpu_fallback"
    OUT_OF_MEMORY = "out_of_memory"
    PICTURES_FAIL = "pictures_fail"
    BATCH_FAILED = "batch_failed"
    LOAD_FAILED = "load_failed"
    WARM_UP_FAILED = "warm_up_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """State of the worker at one moment; counts since it was made.

    - ``device``: the device that the models were asked to use: ``auto``, ``cpu`` or ``gpu``.
    - ``detail``: type of the error behind ``reason``, or empty. Never its text: that goes to the log.
    - ``since_mono_s``: ``time.monotonic()`` when ``state`` or ``reason`` last changed.
    - ``batches``, ``frames``: that were analysed.
    - ``failures``: calls of the models that failed.
    - ``poison_frames``: frames dropped because the models fail on them alone.
    - ``lost_frames``: frames dropped because the models broke.
    - ``rebuilds``: times the models were built anew.
    - ``batch_limits``: input sizes whose batches are smaller than configured, with the limit.
    - ``cameras_aside``: those on whose pictures, and no others', the models fail; tried every ten seconds.
    - ``digests``: of the weights in use; empty before they are loaded.
    """

    state: WorkerState
    reason: WorkerReason
    device: str
    detail: str = ""
    since_mono_s: float
    batches: int = 0
    frames: int = 0
    failures: int = 0
    poison_frames: int = 0
    lost_frames: int = 0
    rebuilds: int = 0
    batch_limits: tuple[tuple[tuple[int, int], int], ...] = ()
    cameras_aside: tuple[str, ...] = ()
    digests: tuple[tuple[str, str], ...] = ()

    @property
    def working(self) -> bool:
        """Whether frames are looked at."""
        return self.state in (WorkerState.READY, WorkerState.DEGRADED)
