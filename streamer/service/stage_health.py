"""What the supervisor knows of each stage, and the words for it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class StageState(StrEnum):
    """How one stage stands."""

    BEATING = "beating"
    #: no sign of life for longer than its limit
    LATE = "late"
    #: another takes its place
    RESTARTING = "restarting"
    #: it cannot be mended; the process ends
    FAILED = "failed"


class StageReason(StrEnum):
    """Why a stage is not beating, for machines; NONE while it is."""

    NONE = ""
    HANGS = "stage_hangs"
    DIED = "stage_died"
    #: mended so often within ten minutes that something else must be wrong
    KEEPS_FAILING = "stage_keeps_failing"
    #: no device runs the models
    MODELS_FAILED = "models_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageHealth:
    """One stage. ``since`` (UTC epoch s) is when ``state`` was taken; ``detail`` the same in words, without secrets."""

    name: str
    state: StageState = StageState.BEATING
    reason: StageReason = StageReason.NONE
    detail: str = ""
    since: float
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The daemon cannot go on: which stage, why, and the same in words."""

    stage: str
    reason: StageReason
    detail: str


#: ``mend(stage, reason)``: put another in the place of a stage that hangs or died. Returns None when that is done, else
#: why it cannot be done and the process must end. Called in a thread of its own; may raise anything, which ends the
#: process too.
Mend = Callable[[str, StageReason], GivenUp | None]
