"""What may be wrong with a camera, and how it is told."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """What is wrong, for machines. The words are stable."""

    COVERED = "covered"
    MOVED = "moved"
    DEFOCUSED = "defocused"
    DARK = "dark"
    BRIGHT = "bright"
    FROZEN = "frozen"
    CLOCK_DRIFT = "clock_drift"
    CLOCK_OFFSET = "clock_offset"
    LOW_FPS = "low_fps"
    SIGNAL_LOSS = "signal_loss"


class FitnessState(StrEnum):
    """A camera as a whole.

    OFF: not looked after. UNKNOWN: gives no pictures now. LEARNING: what it usually shows is not known yet, and
    nothing is wrong as far as can be told. FIT, or UNFIT: something was found.
    """

    OFF = "off"
    UNKNOWN = "unknown"
    LEARNING = "learning"
    FIT = "fit"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong now.

    - ``since``: UTC epoch seconds at which it began, not those at which it had lasted long enough to be told.
    - ``value``: what was measured last, in the unit of its limit (``limits``).
    - ``detail``: the same for people.
    """

    code: Code
    since: float
    value: float
    detail: str


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding that began, or ended at ``ended_at`` (UTC epoch seconds)."""

    finding: Finding
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class FitnessReport:
    """A camera's fitness at one moment; findings in the order of ``Code``."""

    state: FitnessState
    findings: tuple[Finding, ...] = ()
