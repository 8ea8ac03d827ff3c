"""What the 28 x 28 pixels of hats and masks cover of places in the picture, for many pairs at once."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import covered_parts
from rules.parts import Part, boxes_of

#: Sample points across and down a box, at equal distances from each other and from its edges.
_ACROSS: Final = np.array([(n + 1) / 10 for n in range(9)])
_DOWN: Final = np.array([(n + 1) / 6 for n in range(5)])


def covers_of(boxes: NDArray[np.float64], parts: Sequence[Part]) -> NDArray[np.float64]:
    """How much of each of ``boxes`` (P, 4) the pixels of its part cover, 0 to 1 each, at 9 x 5 points; the part's own
    box where it has no pixels.
    """
    part_boxes = boxes_of(parts)
    rows = _with_pixels(parts)
    covers = np.zeros(len(parts)) if len(rows) == len(parts) else covered_parts(boxes, part_boxes)
    if len(rows):
        x1, y1, x2, y2 = boxes[rows].T[:, :, None]
        x, y = x1 + _ACROSS * (x2 - x1), y1 + _DOWN * (y2 - y1)
        values, is_inside = _sampled(_stacked(parts, rows), part_boxes[rows], x[:, None], y[:, None])
        is_covered = ((values >= 0.5) & is_inside).reshape(len(rows), -1)
        covers[rows] = np.count_nonzero(is_covered, axis=1) / is_covered.shape[1]
    return covers


def likelihoods_around(
    points_xy: NDArray[np.float64], radii: NDArray[np.float64], parts: Sequence[Part]
) -> NDArray[np.float64]:
    """Mean of each part's ``seg_mask`` at 3 x 3 points within a radius (P,) in pixels of K places (P, K, 2), 0 outside
    its box; where it has no pixels, 1 inside its box. Returns (P, K).
    """
    part_boxes = boxes_of(parts)
    first, last = part_boxes[:, None, :2], part_boxes[:, None, 2:]
    is_inside = np.all((first <= points_xy) & (points_xy <= last), axis=-1)
    likelihoods = np.where(is_inside, 1.0, 0.0)
    rows = _with_pixels(parts)
    if len(rows):
        near_xy = points_xy[rows, :, :, None] + radii[rows, None, None, None] * (-1.0, 0.0, 1.0)
        values, is_within = _sampled(
            _stacked(parts, rows), part_boxes[rows], near_xy[:, :, 0], near_xy[:, :, 1]
        )
        values[~is_within] = 0.0
        likelihoods[rows] = values.reshape(*values.shape[:2], 9).sum(axis=-1).astype(np.float64) / 9
    return likelihoods


def _with_pixels(parts: Sequence[Part]) -> NDArray[np.intp]:
    return np.array([row for row, part in enumerate(parts) if part.seg_mask is not None], np.intp)


def _stacked(parts: Sequence[Part], rows: NDArray[np.intp]) -> NDArray[Any]:
    return np.stack([mask for row in rows.tolist() if (mask := parts[row].seg_mask) is not None])


def _sampled(
    seg_masks: NDArray[Any], boxes: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Masks (M, 28, 28) in their boxes (M, 4) at K grids each, of columns ``x`` (M, K, X) and rows ``y`` (M, K, Y) in
    original pixels: values (M, K, Y, X), and whether each point lies in its box; values outside mean nothing.
    """
    column, x_inside = _cells(x, boxes[:, 0], boxes[:, 2], seg_masks.shape[2])
    row, y_inside = _cells(y, boxes[:, 1], boxes[:, 3], seg_masks.shape[1])
    mask = np.arange(len(seg_masks))[:, None, None, None]
    values = seg_masks[mask, row[..., :, None], column[..., None, :]]
    return values, y_inside[..., :, None] & x_inside[..., None, :]


def _cells(
    places: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64], count: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The cells in which ``places`` (M, K, P) lie, and which of them lie between ``start`` and ``end`` (M,) at all."""
    start, end = start[:, None, None], end[:, None, None]
    cells = ((places - start) * (count / (end - start))).astype(np.intp)
    return np.minimum(np.maximum(cells, 0), count - 1), (start <= places) & (places < end)
