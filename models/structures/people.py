"""One person as seen in one frame: the association of detections, before time is considered.

Every look makes these by the hundred, so they are tuples: checked when they are made and unchangeable like the other
value types, at half the cost.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from models.structures.categories import Gear, GearState

_Box = tuple[float, float, float, float]


#: Words, or a function that finds them and what it is to be given: of many looks, few are told.
Wording = str | tuple[Callable[..., str], *tuple[Any, ...]]


class _GearEvidence(NamedTuple):
    state: GearState
    score: float
    quality: float
    wording: Wording
    incorrect_score: float


class GearEvidence(_GearEvidence):
    """What one look says about one gear.

    - ``state``: what this look alone would say.
    - ``score``: 0 to 1, calibrated probability that the gear is worn as required.
    - ``quality``: 0 to 1, how much the look can support: size, pose, blur, truncation, overlap.
    - ``reason``: for the trace, for example ``bare head 0.93, no hard hat on it``; found when it is asked for.
    - ``incorrect_score``: 0 to 1, probability that it is there, but not worn as required; what remains of 1 is the
      probability that it is missing.

    Raises ``ValueError`` on values out of range; ``_make`` takes them as they are.
    """

    __slots__ = ()

    def __new__(
        cls, state: GearState, score: float, quality: float, reason: Wording, incorrect_score: float = 0.0
    ) -> Self:
        """Check the range of the values."""
        if not (0 <= score <= 1 and 0 <= quality <= 1):
            raise ValueError(f"score and quality must lie in 0 to 1, got {score} and {quality}")
        if not 0 <= incorrect_score <= 1 - score + 1e-5:
            raise ValueError(f"incorrect_score must lie in 0 to 1 - score, got {incorrect_score}")
        return tuple.__new__(cls, (state, score, quality, reason, incorrect_score))

    @property
    def reason(self) -> str:
        """See the class."""
        return self.wording if isinstance(self.wording, str) else self.wording[0](*self.wording[1:])


class _PersonObservation(NamedTuple):
    box_xyxy: _Box
    head_xyxy: _Box | None
    score: float
    box_is_estimated: bool
    gear: Mapping[Gear, GearEvidence]


class PersonObservation(_PersonObservation):
    """A person in one frame; boxes are ``(x1, y1, x2, y2)`` in original pixels, half-open, not clipped.

    - ``box_xyxy``: the whole person. ``box_is_estimated`` says that only the head was seen and the body is drawn
      from its proportions.
    - ``head_xyxy``: the head or face, or None when none was seen.
    - ``score``: 0 to 1, confidence that the person is there.
    - ``gear``: the evidence of this look, for every gear that was looked for.

    Raises ``ValueError`` on boxes that end before they begin; ``_make`` takes them, and ``gear``, as they are.
    """

    __slots__ = ()

    def __new__(
        cls,
        box_xyxy: _Box,
        head_xyxy: _Box | None,
        score: float,
        box_is_estimated: bool = False,
        gear: Mapping[Gear, GearEvidence] = MappingProxyType({}),
    ) -> Self:
        """Check the boxes, and take a copy of ``gear`` that nobody can change."""
        if box_xyxy[0] > box_xyxy[2] or box_xyxy[1] > box_xyxy[3]:
            raise ValueError(f"box_xyxy: the box ends before it begins: {box_xyxy}")
        if head_xyxy is not None and (head_xyxy[0] > head_xyxy[2] or head_xyxy[1] > head_xyxy[3]):
            raise ValueError(f"head_xyxy: the box ends before it begins: {head_xyxy}")
        kept = MappingProxyType(dict(gear))
        return tuple.__new__(cls, (box_xyxy, head_xyxy, score, box_is_estimated, kept))
