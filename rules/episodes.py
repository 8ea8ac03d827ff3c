"""One episode: a person without a rule's gear in one place, from the first look that said so to the last."""

from dataclasses import dataclass, field

from models.structures import Gear
from rules.dwell import TOLERANCE_S
from rules.findings import Findings
from rules.geometry import Box, Point
from rules.rule import Rule
from rules.trace import Trace
from rules.violations import EndReason

#: A rule (its position among the camera's) at one of its places.
Key = tuple[int, str | None]


@dataclass(slots=True)
class Clearing:
    """The state that would end the episode, and since when it holds."""

    since_t: float
    reason: EndReason


@dataclass(eq=False, slots=True)
class Episode:
    """An open episode. Times are seconds of the camera's timeline.

    ``owner`` is the track that shows it; ``unseen_s`` the time in which frames came without it. ``is_silent`` episodes
    are members of a crowd and are told by it alone. ``point``, ``unit_px``: the head's place and height, ``heading``
    where it was going, in pixels per second. ``findings``: of the latest frame whose look says that something is
    missing.
    """

    violation_id: str
    key: Key
    rule: Rule
    owner: int
    started_t: float
    confirmed_t: float
    gear: tuple[Gear, ...]
    findings: Findings
    box: Box
    head: Box | None
    point: Point
    unit_px: float
    heading: Point = (0.0, 0.0)
    last_seen_t: float = 0.0
    unseen_s: float = 0.0
    told_t: float = 0.0
    snapshot_score: float = 0.0
    told_gear: tuple[Gear, ...] = ()
    count: int = 1
    told_count: int = 1
    is_silent: bool = False
    clearing: Clearing | None = None
    trace: Trace = field(default_factory=Trace)

    def violates(self, t: float) -> None:
        """A look says that it goes on."""
        if self.clearing is not None:
            self.trace.add(t, "missing", f"missing again after {self.clearing.reason.value}")
            self.clearing = None

    def clears(self, t: float, since_t: float, reason: EndReason) -> None:
        """A state that ends the episode holds since ``since_t``; the first such state names the end.

        Being gone gives way to what is seen when the person is back.
        """
        if self.clearing is not None and (
            self.clearing.reason is not EndReason.LEFT_VIEW or reason is EndReason.LEFT_VIEW
        ):
            return
        self.clearing = Clearing(max(since_t, self.confirmed_t), reason)
        self.trace.add(t, "clearing", f"{reason.value} for {max(0.0, t - since_t):.1f} s")

    def is_clear(self, t: float) -> bool:
        """Whether the state that ends it has held for the rule's ``clear_s``."""
        return self.clearing is not None and t - self.clearing.since_t >= self.rule.clear_s - TOLERANCE_S

    def with_gear(self, missing: tuple[Gear, ...]) -> None:
        """Add gear that is missing now."""
        if missing == self.gear:
            return
        self.gear = tuple(gear for gear in self.rule.require if gear in self.gear or gear in missing)
