"""What the 28 x 28 pixels of hats and masks cover of places in the picture, for many pairs at once."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import covered_parts
from rules.parts import CELLS, PartGroup

#: Sample points across and down a box, at equal distances from each other and from its edges.
_ACROSS: Final = np.array([(n + 1) / 10 for n in range(9)])
_DOWN: Final = np.array([(n + 1) / 6 for n in range(5)])
_NEAR: Final = np.array([-1.0, 0.0, 1.0])


def covers_of(boxes: NDArray[np.float64], parts: PartGroup) -> NDArray[np.float64]:
    """How much of each of ``boxes`` (P, 4) the pixels of its part cover, 0 to 1 each, at 9 x 5 points; the part's own
    box where it has no pixels.
    """
    has_pixels = parts.has_pixels
    covers = np.zeros(len(parts)) if has_pixels.all() else covered_parts(boxes, parts.boxes)
    if has_pixels.any():
        x1, y1, x2, y2 = boxes.T[:, :, None]
        x, y = x1 + _ACROSS * (x2 - x1), y1 + _DOWN * (y2 - y1)
        values, is_inside = _sampled(parts, x[:, None], y[:, None])
        is_covered = ((values >= 0.5) & is_inside).reshape(len(parts), -1)
        shares = np.count_nonzero(is_covered, axis=1) / is_covered.shape[1]
        covers = np.where(has_pixels, shares, covers)
    return covers


def likelihoods_around(
    points_xy: NDArray[np.float64], radii: NDArray[np.float64], parts: PartGroup
) -> NDArray[np.float64]:
    """Mean of each part's ``seg_mask`` at 3 x 3 points within a radius (P,) in pixels of K places (P, K, 2), 0 outside
    its box; where it has no pixels, 1 inside its box. Returns (P, K).
    """
    has_pixels = parts.has_pixels
    likelihoods = np.zeros(points_xy.shape[:2])
    if not has_pixels.all():
        first, last = parts.boxes[:, None, :2], parts.boxes[:, None, 2:]
        likelihoods += np.all((first <= points_xy) & (points_xy <= last), axis=-1)
    if has_pixels.any():
        near_xy = points_xy[..., None] + radii[:, None, None, None] * _NEAR
        values, is_within = _sampled(parts, near_xy[:, :, 0], near_xy[:, :, 1])
        means = (values * is_within).reshape(*likelihoods.shape, 9).sum(axis=-1).astype(np.float64) / 9
        likelihoods = np.where(has_pixels[:, None], means, likelihoods)
    return likelihoods


def _sampled(
    parts: PartGroup, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The pixels of M parts at K grids each, of columns ``x`` (M, K, X) and rows ``y`` (M, K, Y) in original pixels:
    values (M, K, Y, X), and whether each point lies in the part's box; values outside mean nothing.
    """
    left, top, right, bottom = parts.boxes.T
    column, x_inside = _cells(x, left, right)
    row, y_inside = _cells(y, top, bottom)
    values = parts.pixels_at(row[..., :, None], column[..., None, :])
    return values, y_inside[..., :, None] & x_inside[..., None, :]


def _cells(
    places: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The cells in which ``places`` (M, K, P) lie, and which of them lie between ``start`` and ``end`` (M,) at all."""
    start, end = start[:, None, None], end[:, None, None]
    cells = ((places - start) * (CELLS / (end - start))).astype(np.intp)
    return np.minimum(np.maximum(cells, 0), CELLS - 1), (start <= places) & (places < end)
