"""The dwell clock: how long gear has been missing, from the first look that said so (ADR 0012)."""

from dataclasses import dataclass, field

from rules.trace import Trace
from rules.tuning import Tuning

#: Time before the verdict that may count, in seconds and in frames: the looks that led to it.
_LEAD_S = 1.0
_LEAD_FRAMES = 5
#: Clocks compare with this tolerance, so that 0.1 s added twenty times are 2 s.
TOLERANCE_S = 1e-3


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a frame: ``t`` on the camera's timeline, ``passed_s`` since the frame before, the usual interval.

    ``is_outage``: so much time has passed since the frame before that nobody knows what happened.
    """

    t: float
    passed_s: float
    interval_s: float
    is_outage: bool


def patience_s(moment: Moment, tuning: Tuning) -> float:
    """For how long the detector may miss a person who is there: an instant, or one frame."""
    return max(tuning.missed_look_s, 2.1 * moment.interval_s)


@dataclass(slots=True)
class DwellClock:
    """Runs from look to look, so it reaches no further than what was seen. Times are seconds of the timeline.

    Between two looks the time counts when the person was watched, missed for no more than an instant; else it was a
    spell of UNKNOWN and the clock stands but for one usual interval. A spell of more than ``unknown_pause_s`` starts
    it over. Whether looks speak for or against does not matter here: the state's hysteresis decides on a reset.
    """

    start_t: float
    last_look_t: float
    elapsed_s: float = 0.0
    is_known: bool = False
    held_by: str | None = None
    held_as: str = ""
    trace: Trace = field(default_factory=Trace)

    @classmethod
    def started(cls, t: float, detail: str) -> "DwellClock":
        """A clock that a first look starts at ``t``."""
        clock = cls(t, t)
        clock.trace.add(t, "dwell", detail)
        return clock

    def look(self, moment: Moment, tuning: Tuning) -> bool:
        """Take a look; returns False when the clock has to start over."""
        gap = moment.t - self.last_look_t
        is_next_frame = moment.passed_s >= gap - TOLERANCE_S
        watched = not moment.is_outage and (is_next_frame or gap <= patience_s(moment, tuning))
        counted = gap if watched else min(gap, moment.interval_s)
        if gap - counted > tuning.unknown_pause_s + TOLERANCE_S:
            return False
        if not watched:
            self.trace.add(moment.t, "pause", f"nothing could be told for {gap:.1f} s")
        self.elapsed_s += counted
        self.last_look_t = moment.t
        return True

    def know(self, moment: Moment) -> None:
        """The verdict has become MISSING: what went before counts as far as it led there, and not longer."""
        if self.is_known:
            return
        self.is_known = True
        lead = max(_LEAD_S, _LEAD_FRAMES * moment.interval_s)
        if self.elapsed_s > lead:
            self.elapsed_s, self.start_t = lead, moment.t - lead

    def is_due(self, dwell_s: float) -> bool:
        """Whether it has run for ``dwell_s``."""
        return self.elapsed_s >= dwell_s - TOLERANCE_S
