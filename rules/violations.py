"""What the rules tell: episodes that open, change and close, each with the trace that explains it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from models.structures import Gear, GearState
from rules.geometry import Box


class Phase(StrEnum):
    """The part of an episode that a ``Violation`` tells."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"


class EndReason(StrEnum):
    """Why an episode closed."""

    WORN = "worn"
    LEFT_ZONE = "left_zone"
    LEFT_VIEW = "left_view"
    SCHEDULE = "schedule"
    CAMERA_LOST = "camera_lost"
    SHUTDOWN = "shutdown"
    RELOAD = "reload"


class GearVerdict(NamedTuple):
    """What the looks so far say about one gear of one person.

    - ``state``: with hysteresis; UNKNOWN while too little was seen.
    - ``score``: 0 to 1, how probable ``state`` is by the average of the recent looks; for UNKNOWN, how probable it is
      that the gear is worn.
    - ``reason``: what the latest look that counts said.
    """

    state: GearState
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One line of the explanation of an episode: when (UTC epoch seconds), what kind of thing, and what."""

    at: float
    event: str
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"at": self.at, "event": self.event, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Violation:
    """One step of one episode.

    - ``violation_id``: ``camera/rule/n``, the same over all steps of the episode and on every replay. At most one step
      OPENED and one CLOSED carry it, and OPENED is the first.
    - ``track_id``: the person; a later step may name another when the track was lost and begun anew.
    - ``gear``: what has been missing in this episode, in the order of the rule.
    - ``zone``: the zone of the rule, or None for the whole picture.
    - ``started_at``: the first look that said so. ``confirmed_at``: the look that opened it. ``ended_at``: when the
      state changed for good (CLOSED alone), never before ``confirmed_at``. UTC epoch seconds.
    - ``score``: 0 to 1, how probable the missing gear is missing.
    - ``box_xyxy``, ``head_xyxy``: where the person was last seen, original pixels, not clipped.
    - ``evidence``: the verdict on every gear that the rule requires.
    - ``count``: the most persons at once that the episode has stood for, 1 unless the rule alerts per zone.
    - ``redraw``: this step's frame shows the person better than any before it: draw the snapshot anew.
    - ``snapshot_score``: by which that is decided (pixels of head height at the network's input times score).
    - ``trace``: what ``ppewatch explain`` prints, oldest first.
    """

    violation_id: str
    camera_id: str
    track_id: int
    rule: str
    gear: tuple[Gear, ...]
    zone: str | None
    phase: Phase
    started_at: float
    confirmed_at: float
    ended_at: float | None
    end_reason: EndReason | None
    score: float
    box_xyxy: Box
    head_xyxy: Box | None
    evidence: Mapping[Gear, GearVerdict] = field(default_factory=dict)
    count: int = 1
    redraw: bool = False
    snapshot_score: float = 0.0
    trace: tuple[TraceEntry, ...] = ()

    def __post_init__(self) -> None:
        if (self.phase is Phase.CLOSED) != (self.ended_at is not None and self.end_reason is not None):
            raise ValueError("ended_at and end_reason belong to CLOSED, and to nothing else")
        if self.confirmed_at < self.started_at or (
            self.ended_at is not None and self.ended_at < self.confirmed_at
        ):
            raise ValueError("an episode starts, is confirmed and ends in this order")
        object.__setattr__(self, "evidence", MappingProxyType(dict(self.evidence)))


@dataclass(frozen=True, slots=True)
class Suppression:
    """An episode that was due and was held back, or inherited instead of opened anew.

    - ``at``: when, UTC epoch seconds.
    - ``reason``: ``cooldown`` (``because_of`` closed near the same place a short while ago), ``inherited`` (the person
      goes on with ``because_of``), ``static`` (it never moves: a poster, a screen, a statue), or ``area`` (it stands in
      the suppression area ``because_of``).
    - ``until``: when a cooldown, or an area, ends, else None.
    - ``score``, ``trace``: of an ``area`` alone, how probable the gear is missing and what led there, oldest first.
    """

    at: float
    rule: str
    zone: str | None
    track_id: int
    reason: str
    because_of: str | None = None
    until: float | None = None
    score: float = 0.0
    trace: tuple[TraceEntry, ...] = ()
