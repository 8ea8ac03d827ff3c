"""What the 28 x 28 pixels of hats and masks cover of places in the picture, for many pairs at once."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Edges, Vector, covered_parts
from rules.parts import CELLS, PartGroup

#: Sample points across and down a box, at equal distances from each other and from its edges.
_ACROSS: Final = np.array([(n + 1) / 10 for n in range(9)])
_DOWN: Final = np.array([(n + 1) / 6 for n in range(5)])
_NEAR: Final = np.array([-1.0, 0.0, 1.0])


def covers_of(edges: Edges, parts: PartGroup) -> Vector:
    """How much of each box (4, P) the pixels of its part cover, 0 to 1 each, at 9 x 5 points; the part's own box where
    it has no pixels.
    """
    with_pixels = np.count_nonzero(parts.has_pixels)
    if not with_pixels:
        return covered_parts(edges, parts.edges)
    x1, y1, x2, y2 = edges[:, :, None]
    left, top, right, bottom = parts.edges[:, :, None]
    column, x_inside = _cells(x1 + _ACROSS * (x2 - x1), left, right)
    row, y_inside = _cells(y1 + _DOWN * (y2 - y1), top, bottom)
    values = parts.pixels_at(row[:, :, None], column[:, None, :])
    is_covered = (values >= 0.5) & (y_inside[:, :, None] & x_inside[:, None, :])
    is_covered = is_covered.reshape(len(parts), -1)
    covers: Vector = np.count_nonzero(is_covered, axis=1) / is_covered.shape[1]
    if with_pixels < len(parts):
        covers = np.where(parts.has_pixels, covers, covered_parts(edges, parts.edges))
    return covers


def likelihoods_around(points: NDArray[np.float64], radii: Vector, parts: PartGroup) -> NDArray[np.float64]:
    """Mean of each part's ``seg_mask`` at 3 x 3 points within a radius (P,) in pixels of K places, x and y (2, P, K), 0
    outside its box; where it has no pixels, 1 inside its box. Returns (P, K).
    """
    with_pixels = np.count_nonzero(parts.has_pixels)
    first, last = parts.edges.reshape(2, 2, -1, 1)
    if with_pixels:
        near = points[..., None] + radii[:, None, None] * _NEAR
        (column, row), (x_inside, y_inside) = _cells(near, first[..., None], last[..., None])
        values = parts.pixels_at(row[..., :, None], column[..., None, :])
        values = values * (y_inside[..., :, None] & x_inside[..., None, :])
        sums = np.add.reduce(values.reshape(*points.shape[1:], 9), axis=-1)
        means: NDArray[np.float64] = np.asarray(sums, np.float64) / 9
        if with_pixels == len(parts):
            return means
    inside = np.asarray(((first <= points) & (points <= last)).all(axis=0), np.float64)
    return np.where(parts.has_pixels[:, None], means, inside) if with_pixels else inside


def _cells(
    places: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The cells in which ``places`` lie, and which of these lie between ``start`` and ``end``, all alike, at all."""
    cells = ((places - start) * (CELLS / (end - start))).astype(np.intp)
    return np.minimum(np.maximum(cells, 0), CELLS - 1), (start <= places) & (places < end)
