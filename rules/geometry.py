"""Boxes ``(x1, y1, x2, y2)`` in original pixels, half-open, never clipped to the picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Turns the far edges of boxes around, so that all four are compared alike.
_SIGNS = np.array([1.0, 1.0, -1.0, -1.0])
_ENDS_FIRST = np.array([2, 3, 0, 1])

Box = tuple[float, float, float, float]
Point = tuple[float, float]


def area(box: Box) -> float:
    """Area in square pixels, 0 for a box that ends before it begins."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(a: Box, b: Box) -> float:
    """Area that both boxes cover, in square pixels."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def covered(box: Box, by: Box) -> float:
    """The part of ``box`` that ``by`` covers, 0 to 1."""
    own = area(box)
    return overlap(box, by) / own if own > 0 else 0.0


def center(box: Box) -> Point:
    """Middle of the box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def height(box: Box) -> float:
    """Height in pixels."""
    return box[3] - box[1]


def width(box: Box) -> float:
    """Width in pixels."""
    return box[2] - box[0]


def areas(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """``area`` of boxes (..., 4)."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float64)


def overlaps(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """``overlap`` of each of ``boxes`` with its counterpart among ``others``, both (..., 4) or broadcast to it."""
    first = np.maximum(boxes[..., :2], others[..., :2])
    sides = np.maximum(np.minimum(boxes[..., 2:], others[..., 2:]) - first, 0.0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float64)


def ious(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union, 0 to 1, of each of ``boxes`` with its counterpart, both (..., 4)."""
    shared = overlaps(boxes, others)
    return np.asarray(shared / np.maximum(areas(boxes) + areas(others) - shared, 1e-9), np.float64)


def covered_parts(boxes: NDArray[Any], by: NDArray[Any]) -> NDArray[np.float64]:
    """``covered`` of each of ``boxes`` with area by its counterpart, both (..., 4)."""
    return overlaps(boxes, by) / areas(boxes)


def centers(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """``center`` of boxes (..., 4), as (..., 2)."""
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2, np.float64)


def near_pairs(
    boxes: NDArray[np.float64], others: NDArray[np.float64], *, reach: float = 0.0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of ``boxes`` (N, 4) and columns of ``others`` (M, 4) that overlap, once each of ``boxes`` is larger by
    ``reach`` of its height on all sides, as two arrays (P,). By row, then column: what a crowd's pairs need not be
    looked at is left out at once.
    """
    if not len(boxes) or not len(others):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    if reach:
        boxes = boxes - (reach * (boxes[:, 3:] - boxes[:, 1:2])) * _SIGNS
    # two boxes overlap where each begins before the other ends, across and down
    ends = others.T.take(_ENDS_FIRST, axis=0) * _SIGNS[:, None]
    begins = (boxes * _SIGNS).T[:, :, None] < ends[:, None, :]
    # flat, since numpy finds them several times as fast in one dimension
    (pairs,) = np.bitwise_and.reduce(begins, axis=0).ravel().nonzero()
    return np.divmod(pairs, len(others))
