"""Boxes ``(x1, y1, x2, y2)`` in original pixels, half-open, never clipped to the picture.

Many boxes are float64 (4, N), a row an edge: numpy works several times as fast on what lies together.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Point = tuple[float, float]
#: (4, N) and (N,)
Edges = NDArray[np.float64]
Vector = NDArray[np.float64]


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


def edges_of(boxes: Sequence[Box]) -> Edges:
    """Boxes as edges."""
    return np.ascontiguousarray(np.array(boxes, np.float64).reshape(-1, 4).T)


def boxes_of(edges: Edges) -> list[Box]:
    """Edges as boxes."""
    return list(zip(*edges.tolist(), strict=True))


def areas(edges: Edges) -> Vector:
    """``area`` of each box."""
    x1, y1, x2, y2 = edges
    sides: Vector = np.maximum(x2 - x1, 0.0) * np.maximum(y2 - y1, 0.0)
    return sides


def overlaps(edges: Edges, others: Edges) -> Vector:
    """``overlap`` of each box with its counterpart among ``others``."""
    x1, y1, x2, y2 = edges
    left, top, right, bottom = others
    across = np.maximum(np.minimum(x2, right) - np.maximum(x1, left), 0.0)
    down = np.maximum(np.minimum(y2, bottom) - np.maximum(y1, top), 0.0)
    shared: Vector = across * down
    return shared


def ious(edges: Edges, others: Edges) -> Vector:
    """Intersection over union, 0 to 1, of each box with its counterpart among ``others``."""
    shared = overlaps(edges, others)
    return np.asarray(shared / np.maximum(areas(edges) + areas(others) - shared, 1e-9), np.float64)


def covered_parts(edges: Edges, by: Edges) -> Vector:
    """``covered`` of each box, which has area, by its counterpart."""
    return overlaps(edges, by) / areas(edges)


def near_pairs(
    edges: Edges, others: Edges, *, reach: float = 0.0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of boxes (4, N) and ``others`` (4, M) that overlap, once each of the first is larger by ``reach`` of
    its height on all sides, as two arrays (P,). By the first, then the other: what a crowd's pairs need not be looked
    at is left out at once.
    """
    many = others.shape[1]
    if not many or not edges.shape[1]:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    # both corners with their signs turned, so that one comparison does for all four edges
    starts, ends = np.concatenate([edges[:2], -edges[2:]]), np.concatenate([others[2:], -others[:2]])
    if reach:
        starts -= reach * (edges[3] - edges[1])
    near = np.logical_and.reduce(starts[:, :, None] < ends[:, None, :], axis=0)
    # flat, since numpy finds them several times as fast in one dimension
    return np.divmod(near.ravel().nonzero()[0], many)
