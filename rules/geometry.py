"""Boxes ``(x1, y1, x2, y2)`` in original pixels, half-open, never clipped to the picture."""

from collections.abc import Sequence

import numpy as np

Box = tuple[float, float, float, float]
Point = tuple[float, float]


def area(box: Box) -> float:
    """Area in square pixels, 0 for a box that ends before it begins."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(a: Box, b: Box) -> float:
    """Area that both boxes cover, in square pixels."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    shared = overlap(a, b)
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0.0


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


def near_pairs(boxes: Sequence[Box], others: Sequence[Box], *, reach: float = 0.0) -> list[tuple[int, int]]:
    """Pairs (row, column) of ``boxes`` and ``others`` that overlap, once each of ``boxes`` is larger by ``reach`` of
    its height on all sides. By row, then column: what a crowd's loops need not look at is left out at once.
    """
    if not boxes or not others:
        return []
    a, b = np.array(boxes, np.float64), np.array(others, np.float64)
    grow = reach * (a[:, 3] - a[:, 1])[:, None]
    near = (
        (a[:, None, 0] - grow < b[None, :, 2])
        & (b[None, :, 0] < a[:, None, 2] + grow)
        & (a[:, None, 1] - grow < b[None, :, 3])
        & (b[None, :, 1] < a[:, None, 3] + grow)
    )
    return [(row, column) for row, column in np.argwhere(near).tolist()]
