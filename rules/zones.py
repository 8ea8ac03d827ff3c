"""Zones: named parts of a camera's picture, and which point of a person has to lie in them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Edges, Point, Vector


class Anchor(StrEnum):
    """The point of a person that is tested against a zone."""

    FEET = "feet"
    CENTER = "center"
    HEAD = "head"


def anchor_points(boxes: Edges, anchor: Anchor) -> tuple[Vector, Vector]:
    """The tested points of persons, x and y (N,), by ``boxes`` (4, N) in original pixels: of their heads for HEAD, else
    of their bodies. They may lie outside the picture and are not pulled back into it.

    FEET is the middle of the lower edge of the body's box, CENTER the middle of that box, HEAD the middle of the
    head's.
    """
    x1, y1, x2, y2 = boxes
    if anchor is Anchor.FEET:
        return x1 + (x2 - x1) / 2, y2
    return (x1 + x2) / 2, (y1 + y2) / 2


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
        self._x, self._y = np.ascontiguousarray(polygon_xy.T)
        self._side_x, self._side_y = np.roll(self._x, -1) - self._x, np.roll(self._y, -1) - self._y
        length_sq = self._side_x**2 + self._side_y**2
        self._length_sq = np.where(length_sq > 0, length_sq, 1.0)
        self._rise = np.where(self._side_y == 0, 1.0, self._side_y)

    def outside_by(self, x: Vector, y: Vector) -> Vector:
        """How far each point (N,) lies outside the polygon: its distance to the outline, 0 for those inside.

        Inside is decided by the even-odd rule. Returns float64 (N,) in the unit of the input.
        """
        side_x, side_y = self._side_x, self._side_y
        x, y = x[:, None] - self._x, y[:, None] - self._y
        crosses_right = x < side_x * y / self._rise
        crossings = np.count_nonzero(((y >= 0) != (y - side_y >= 0)) & crosses_right, axis=1)
        (outside,) = (crossings % 2 == 0).nonzero()
        distances = np.zeros(len(crossings))
        if len(outside):
            x, y = x.take(outside, axis=0), y.take(outside, axis=0)
            along = np.minimum(np.maximum((x * side_x + y * side_y) / self._length_sq, 0.0), 1.0)
            nearest_sq = np.minimum.reduce((x - along * side_x) ** 2 + (y - along * side_y) ** 2, axis=1)
            distances[outside] = np.sqrt(nearest_sq)
        return distances
