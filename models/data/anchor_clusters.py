"""Anchors that fit the labelled boxes: k-means by overlap (Redmon & Farhadi 2017, YOLO9000, section 2).

Shapes: N boxes, K clusters. All boxes share their centre here: only width and height matter.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.errors import DataSetError

#: Strides of P2 to P6.
LEVEL_STRIDES_PX: Final = (4, 8, 16, 32, 64)

_RESTARTS: Final = 10
_MOST_ROUNDS: Final = 300

#: A round that lifts the mean best IoU by less is the last.
_LEAST_GAIN: Final = 1e-5

#: Boxes thinner than this, at the network's input, are no examples for an anchor.
_THINNEST_PX: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Boxes in groups of one shape.

    - ``sides_wh``: float64 (K, 2), width and height of each cluster's middle, by area.
    - ``counts``: int64 (K,), its boxes. ``mean_best_iou``: of all boxes with the nearest middle.
    """

    sides_wh: NDArray[np.float64]
    counts: NDArray[np.int64]
    mean_best_iou: float


@dataclass(frozen=True, slots=True)
class FittedAnchors:
    """Anchors of a pyramid: ``scales_px`` of P2 to P6, ascending, and ``ratios`` of height by width, descending.

    ``mean_best_iou``: of all boxes with the best of these anchors.
    """

    scales_px: tuple[float, ...]
    ratios: tuple[float, ...]
    mean_best_iou: float


def sides_at_input(
    pictures: Iterable[AnnotatedPicture], *, input_px: float, categories: Collection[str] = ()
) -> NDArray[np.float64]:
    """Width and height (N, 2) of the boxes when the longest side of their picture is scaled to ``input_px``.

    Cut at the picture's edges; ignored ones and those below a pixel are left out. ``categories``: only
    these, all when empty. Raises ``DataSetError`` when none is left.
    """
    rows = []
    for picture in pictures:
        height, width = picture.image_hw
        limit = np.array([width, height, width, height], np.float64)
        for thing in picture.objects:
            if not thing.ignored and (not categories or thing.category in categories):
                x1, y1, x2, y2 = np.clip(thing.box_xyxy, 0, limit) * (input_px / max(height, width))
                rows.append((x2 - x1, y2 - y1))
    sides = np.array(rows, np.float64).reshape(-1, 2)
    sides = sides[(sides >= _THINNEST_PX).all(axis=1)]
    if not len(sides):
        raise DataSetError("there are no boxes to fit anchors to")
    return sides


def cluster_boxes(sides_wh: NDArray[np.float64], count: int, *, seed: int) -> Clusters:
    """``count`` clusters of ``sides_wh`` (N, 2) by k-means with 1 - IoU as distance and medians as middles.

    The best of ten seeded starts. Raises ``DataSetError`` when there are fewer different boxes than clusters.
    """
    different = np.unique(sides_wh, axis=0)
    if len(different) < count:
        raise DataSetError(f"{len(different)} different boxes do not make {count} clusters")
    rng = np.random.default_rng(seed)
    best: NDArray[np.float64] = different[:count]
    most = -1.0
    for _ in range(_RESTARTS):
        middles, overlap = _settled(sides_wh, rng.choice(different, count, replace=False))
        if overlap > most:
            best, most = middles, overlap
    best = best[np.argsort(best.prod(axis=1))]
    counts = np.bincount(_iou(sides_wh, best).argmax(axis=1), minlength=count)
    return Clusters(best, counts.astype(np.int64), most)


def _settled(
    sides_wh: NDArray[np.float64], middles: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The middles from which another round gains nothing, and their mean best IoU."""
    best, most = middles, -1.0
    for _ in range(_MOST_ROUNDS):
        overlaps = _iou(sides_wh, middles)
        nearest = overlaps.argmax(axis=1)
        overlap = float(overlaps.max(axis=1).mean())
        if overlap < most + _LEAST_GAIN:
            break
        best, most = middles, overlap
        middles = np.array(
            [
                # a cluster that lost all its boxes stays where it is
                np.median(sides_wh[nearest == index], axis=0) if (nearest == index).any() else middle
                for index, middle in enumerate(middles)
            ]
        )
    return best, most


def fit_anchors(sides_wh: NDArray[np.float64], *, ratio_count: int, seed: int) -> FittedAnchors:
    """Five scales and at most ``ratio_count`` ratios for ``sides_wh`` (N, 2).

    Scales are clusters of the squares of the boxes' areas, ratios those of the boxes made equally large: an
    anchor of scale s and ratio r is s / sqrt(r) wide and s * sqrt(r) high.
    Raises ``DataSetError`` when there are too few different boxes.
    """
    scales = np.sqrt(sides_wh.prod(axis=1))
    squares = cluster_boxes(np.stack([scales, scales], axis=1), len(LEVEL_STRIDES_PX), seed=seed)
    shapes = cluster_boxes(sides_wh / scales[:, None], ratio_count, seed=seed)
    scales_px = tuple(round(float(side), 1) for side in squares.sides_wh[:, 0])
    ratios = tuple(
        sorted({round(float(height / width), 2) for width, height in shapes.sides_wh}, reverse=True)
    )
    if len(set(scales_px)) < len(scales_px):
        raise DataSetError("the boxes are too much alike for five scales")
    return FittedAnchors(scales_px, ratios, mean_best_iou(sides_wh, anchor_sides(scales_px, ratios)))


def gaps(scales_px: Iterable[float]) -> list[str]:
    """In words, the levels whose anchors are smaller than the steps between them: things there are missed."""
    return [
        f"P{level} has anchors of {scale:g} px in steps of {stride} px: what lies between is missed"
        for level, (scale, stride) in enumerate(zip(scales_px, LEVEL_STRIDES_PX, strict=True), start=2)
        if scale < stride
    ]


def anchor_sides(scales_px: Iterable[float], ratios: Iterable[float]) -> NDArray[np.float64]:
    """Width and height (K, 2) of the anchors of all scales and ratios."""
    ratios = tuple(ratios)
    return np.array([(scale / ratio**0.5, scale * ratio**0.5) for scale in scales_px for ratio in ratios])


def mean_best_iou(sides_wh: NDArray[np.float64], anchors_wh: NDArray[np.float64]) -> float:
    """The overlap of each box (N, 2) with the best of the anchors (K, 2), on average."""
    return float(_iou(sides_wh, anchors_wh).max(axis=1).mean())


def _iou(sides_wh: NDArray[np.float64], anchors_wh: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K)"""
    shared = np.minimum(sides_wh[:, None], anchors_wh).prod(axis=2)
    united = sides_wh.prod(axis=1)[:, None] + anchors_wh.prod(axis=1) - shared
    return np.asarray(shared / united)
