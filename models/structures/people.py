"""One person as seen in one frame: the association of detections, before time is considered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from models.structures.categories import Gear, GearState


@dataclass(frozen=True, slots=True)
class GearEvidence:
    """What one look says about one gear.

    - ``state``: what this look alone would say.
    - ``score``: 0 to 1, calibrated probability that the gear is worn as required.
    - ``quality``: 0 to 1, how much the look can support: size, pose, blur, truncation, overlap.
    - ``reason``: for the trace, for example ``bare head 0.93, no hard hat on it``.
    - ``incorrect_score``: 0 to 1, probability that it is there, but not worn as required; what remains of 1 is the
      probability that it is missing.
    """

    state: GearState
    score: float
    quality: float
    reason: str
    incorrect_score: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.score <= 1 and 0 <= self.quality <= 1):
            raise ValueError(f"score and quality must lie in 0 to 1, got {self.score} and {self.quality}")
        if not 0 <= self.incorrect_score <= 1 - self.score + 1e-5:
            raise ValueError(f"incorrect_score must lie in 0 to 1 - score, got {self.incorrect_score}")


@dataclass(frozen=True, slots=True)
class PersonObservation:
    """A person in one frame; boxes are ``(x1, y1, x2, y2)`` in original pixels, half-open, not clipped.

    - ``box_xyxy``: the whole person. ``box_is_estimated`` says that only the head was seen and the body is drawn
      from its proportions.
    - ``head_xyxy``: the head or face, or None when none was seen.
    - ``score``: 0 to 1, confidence that the person is there.
    - ``gear``: the evidence of this look, for every gear that was looked for.
    """

    box_xyxy: tuple[float, float, float, float]
    head_xyxy: tuple[float, float, float, float] | None
    score: float
    box_is_estimated: bool = False
    gear: Mapping[Gear, GearEvidence] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("box_xyxy", "head_xyxy"):
            box = getattr(self, name)
            if box is not None and (box[0] > box[2] or box[1] > box[3]):
                raise ValueError(f"{name}: the box ends before it begins: {box}")
        object.__setattr__(self, "gear", MappingProxyType(dict(self.gear)))
