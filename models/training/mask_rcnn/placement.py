"""Where the things of a picture go when it is turned, scaled and cut: boxes, pixels and ignored regions.

Shapes: N boxes; G things; S side of a tile; M side of a box-relative pixel label; P corners of a polygon.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.polygon_pixels import polygon_pixels
from models.training.mask_rcnn.canvas import SEG_MASK_SIDE, Canvas
from models.training.mask_rcnn.labels import Example
from models.training.turned_boxes import turned_boxes

#: Things lower or narrower than this on the canvas are ignored: nothing on them can be told.
LEAST_SIDE_PX: Final = 6.0

#: Of a thing cut by the border, this much must be left, or it is ignored. A person is known by the upper part.
LEAST_VISIBLE: Final = 0.45
LEAST_VISIBLE_OF_PERSON: Final = 0.25

#: Below this overlap with its polygons' bounds, a box says something else than they do.
_SAME_BOX: Final = 0.85


def placed(
    example: Example,
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    least_visible: NDArray[np.float64],
) -> Canvas:
    """The example's things on a tile ``pixels`` uint8 (S, S, 3) to which the picture's coordinates are
    mapped by ``matrix`` (2, 3).

    ``least_visible`` (K,): of a thing of each category, this part must lie on the tile. What the border cuts
    too much, and what is too small, becomes an ignored region.
    """
    side = pixels.shape[0]
    polygons = [
        [np.asarray(polygon @ matrix[:, :2].T + matrix[:, 2], np.float64) for polygon in of_one]
        for of_one in example.polygons
    ]
    boxes = turned_boxes(example.boxes_xyxy, matrix)
    for index, (before, after) in enumerate(zip(example.polygons, polygons, strict=True)):
        if after and _iou(bounds(before), example.boxes_xyxy[index]) > _SAME_BOX:
            boxes[index] = bounds(after)
    clipped = np.clip(boxes, 0, side)
    sides = clipped[:, 2:] - clipped[:, :2]
    visible = areas(clipped) / np.maximum(areas(boxes), 1e-6)
    # of what a thing may be, the category that asks for most of it
    wanted = np.where(example.admissible, least_visible, 0).max(axis=1, initial=0)
    good = (visible >= wanted) & (visible > 0) & (sides.min(axis=1, initial=np.inf) >= LEAST_SIDE_PX)
    ignored = np.concatenate([clipped[~good], np.clip(turned_boxes(example.ignored_xyxy, matrix), 0, side)])
    kept = [polygons[index] for index in np.flatnonzero(good)]
    seg_masks = [
        box_pixels(of_one, box) if of_one else np.zeros((SEG_MASK_SIDE, SEG_MASK_SIDE), np.uint8)
        for of_one, box in zip(kept, clipped[good], strict=True)
    ]
    return Canvas(
        pixels=pixels,
        boxes_xyxy=clipped[good].astype(np.float32),
        admissible=example.admissible[good],
        seg_masks=np.array(seg_masks, np.uint8).reshape(-1, SEG_MASK_SIDE, SEG_MASK_SIDE),
        has_seg_mask=np.array([bool(of_one) for of_one in kept], np.bool_),
        ignored_xyxy=ignored[areas(ignored) > 0].astype(np.float32),
        labelled=example.labelled,
    )


def box_pixels(polygons: Sequence[NDArray[Any]], box_xyxy: NDArray[Any]) -> NDArray[np.uint8]:
    """The pixels inside any of ``polygons`` (P, 2), as 0 and 1 uint8 (M, M) relative to the box."""
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    pixels = polygon_pixels(polygons, (x1, y1, x2, y2), (SEG_MASK_SIDE, SEG_MASK_SIDE))
    return pixels.astype(np.uint8)


def bounds(polygons: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """The box (4,) around all corners."""
    corners = np.concatenate(list(polygons))
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float64)


def areas(boxes_xyxy: NDArray[Any]) -> NDArray[np.float64]:
    """Areas (N,) of boxes (N, 4), 0 for those turned inside out."""
    sides = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None).astype(np.float64)
    return np.asarray(sides[:, 0] * sides[:, 1])


def _iou(first: NDArray[Any], second: NDArray[Any]) -> float:
    shared = np.concatenate([np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])])
    overlap, one, other = areas(np.stack([shared, first, second]))
    return float(overlap / max(one + other - overlap, 1e-9))
