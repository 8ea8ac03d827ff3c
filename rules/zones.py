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


class Outline:
    """The outline of a polygon (P, 2), ready to measure many points against."""

    def __init__(self, polygon_xy: NDArray[np.float64]) -> None:
        self._start = polygon_xy[None, :, :]
        self._side = np.roll(polygon_xy, -1, axis=0)[None, :, :] - self._start
        length_sq = (self._side**2).sum(-1)
        self._length_sq = np.where(length_sq > 0, length_sq, 1.0)
        self._rise = np.where(self._side[..., 1] == 0, 1.0, self._side[..., 1])

    def signed_distances(self, points_xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of each point (N, 2) to the outline: positive inside, negative outside.

        Inside is decided by the even-odd rule. Returns float64 (N,) in the unit of the input.
        """
        side, offset = self._side, points_xy[:, None, :] - self._start
        x, y = offset[..., 0], offset[..., 1]
        side_x, side_y = side[..., 0], side[..., 1]
        along = np.minimum(np.maximum((x * side_x + y * side_y) / self._length_sq, 0.0), 1.0)
        nearest_sq = ((x - along * side_x) ** 2 + (y - along * side_y) ** 2).min(axis=1)
        crosses_right = x < side_x * y / self._rise
        crossings = np.count_nonzero(((y >= 0) != (y - side_y >= 0)) & crosses_right, axis=1)
        distances = np.sqrt(nearest_sq)
        return np.asarray(np.where(crossings % 2 == 1, distances, -distances), np.float64)


def signed_distances(points_xy: NDArray[np.float64], polygon_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``Outline.signed_distances`` of points (N, 2) to the outline of a polygon (P, 2)."""
    return Outline(polygon_xy).signed_distances(points_xy)
