"""Zones: named parts of a camera's picture, and which point of a person has to lie in them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.structures import PersonObservation
from rules.geometry import Box, Point, center, width
from rules.proportions import head_from_body


class Anchor(StrEnum):
    """The point of a person that is tested against a zone."""

    FEET = "feet"
    CENTER = "center"
    HEAD = "head"


def anchor_point(box_xyxy: Box, head_xyxy: Box | None, anchor: Anchor) -> Point:
    """The tested point in original pixels; it may lie outside the picture and is not pulled back into it.

    FEET is the middle of the lower edge of the person's box, CENTER the middle of that box, HEAD the middle of the
    head's box (of the box that a person of these proportions would have, when no head was seen).
    """
    if anchor is Anchor.HEAD:
        return center(head_xyxy if head_xyxy is not None else head_from_body(box_xyxy))
    if anchor is Anchor.CENTER:
        return center(box_xyxy)
    return box_xyxy[0] + width(box_xyxy) / 2, box_xyxy[3]


def anchor_of(person: PersonObservation, anchor: Anchor) -> Point:
    """``anchor_point`` of an observation."""
    return anchor_point(person.box_xyxy, person.head_xyxy, anchor)


@dataclass(frozen=True, slots=True)
class Zone:
    """A simple polygon in relative coordinates (0,0 the picture's top left corner, 1,1 its bottom right one).

    - ``name``: unique within a camera.
    - ``polygon_xy``: at least three corners ``(x, y)`` in order around the zone; the last is joined to the first.
    - ``anchor``: the point of a person that has to lie in it.

    Raises ``ValueError`` on fewer corners or values that are not finite.
    """

    name: str
    polygon_xy: tuple[Point, ...]
    anchor: Anchor = Anchor.FEET

    def __post_init__(self) -> None:
        if len(self.polygon_xy) < 3:
            raise ValueError(f"zone {self.name}: a polygon has at least three corners")
        if not np.isfinite(np.asarray(self.polygon_xy, np.float64)).all():
            raise ValueError(f"zone {self.name}: a corner is not finite")

    def polygon_px(self, image_hw: tuple[int, int]) -> NDArray[np.float64]:
        """The corners in pixels of a picture of this height and width, float64 (P, 2)."""
        return np.asarray(self.polygon_xy, np.float64) * (image_hw[1], image_hw[0])


def signed_distances(points_xy: NDArray[np.float64], polygon_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point (N, 2) to the outline of the polygon (P, 2): positive inside, negative outside.

    Inside is decided by the even-odd rule. Returns float64 (N,) in the unit of the input.
    """
    start = polygon_xy[None, :, :]
    side = np.roll(polygon_xy, -1, axis=0)[None, :, :] - start
    offset = points_xy[:, None, :] - start
    length_sq = (side**2).sum(-1)
    along = np.clip((offset * side).sum(-1) / np.where(length_sq > 0, length_sq, 1.0), 0.0, 1.0)
    nearest_sq = ((offset - along[..., None] * side) ** 2).sum(-1).min(axis=1)
    above_start = offset[..., 1] >= 0
    above_end = offset[..., 1] - side[..., 1] >= 0
    rise = np.where(side[..., 1] == 0, 1.0, side[..., 1])
    crosses_right = offset[..., 0] < side[..., 0] * offset[..., 1] / rise
    inside = ((above_start != above_end) & crosses_right).sum(axis=1) % 2 == 1
    return np.asarray(np.where(inside, 1.0, -1.0) * np.sqrt(nearest_sq), np.float64)
