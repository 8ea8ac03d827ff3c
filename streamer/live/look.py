"""One look at a camera as a screen shows it, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamer.web.status import UtcTime

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveGear:
    """What is known of one gear of a person: ``state`` is worn, missing, incorrect or unknown; ``reason`` why."""

    state: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePerson:
    """One person of whom a rule asks something.

    - ``box_xyxy``, ``head_xyxy``: relative to the picture (0 to 1), half-open.
    - ``head_px``: height of the head in pixels at the network's input, None when no head was seen. Below 10 nothing
      can be told of it, from 24 on everything.
    - ``alert``: whether an alert is open on this person.
    """

    track_id: int
    box_xyxy: Box
    head_xyxy: Box | None = None
    head_px: float | None = None
    gear: Mapping[str, LiveGear] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    alert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLook:
    """What a camera showed at ``at`` (UTC epoch seconds) in a picture of ``width`` x ``height`` pixels."""

    camera: str
    at: UtcTime
    width: int
    height: int
    people: tuple[LivePerson, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LivePicture:
    """A look with its picture: JPEG, without anything drawn on it, in which nobody can be recognised."""

    look: LiveLook
    jpeg: bytes
