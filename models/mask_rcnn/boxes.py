"""Boxes inside the network's graph: as deltas and back, their overlaps, their clipping.

Shapes: any leading axes; the last one holds the 4 numbers of a box. Boxes are (x1, y1, x2, y2) in input
pixels. Deltas are those of R-CNN (Girshick et al. 2014, arXiv:1311.2524, appendix C), divided by Matterport's
standard deviations: 0.1 for positions, 0.2 for logarithms of sizes.
"""

from typing import Any, Final

import keras

from models.networks.graph_boxes import decode_boxes

CENTRE_DEVIATION: Final = 0.1
SIDE_DEVIATION: Final = 0.2

#: Boxes are made no thinner than this before their logarithm is taken.
_LEAST_SIDE_PX: Final = 1e-2


def to_centre(boxes_xyxy: Any) -> Any:
    """(x1, y1, x2, y2) to (centre x, centre y, width, height), sides of at least a hundredth of a pixel."""
    side = keras.ops.maximum(boxes_xyxy[..., 2:] - boxes_xyxy[..., :2], _LEAST_SIDE_PX)
    return keras.ops.concatenate([(boxes_xyxy[..., :2] + boxes_xyxy[..., 2:]) / 2, side], axis=-1)


def apply_deltas(deltas: Any, references: Any) -> Any:
    """Deltas (..., 4) from references (..., 4), given as (centre x, centre y, width, height), to boxes."""
    return decode_boxes(deltas, references)


def deltas_between(boxes_xyxy: Any, references: Any) -> Any:
    """What ``apply_deltas`` needs to turn references (..., 4) into boxes (..., 4)."""
    wanted = to_centre(boxes_xyxy)
    offset = (wanted[..., :2] - references[..., :2]) / (CENTRE_DEVIATION * references[..., 2:])
    growth = keras.ops.log(wanted[..., 2:] / references[..., 2:]) / SIDE_DEVIATION
    return keras.ops.concatenate([offset, growth], axis=-1)


def clip_boxes(boxes_xyxy: Any, input_hw: tuple[int, int]) -> Any:
    """Boxes (..., 4) cut to the input."""
    height, width = input_hw
    limits = keras.ops.array([width, height, width, height], dtype="float32")
    return keras.ops.minimum(keras.ops.maximum(boxes_xyxy, 0.0), limits)


def pairwise_iou(first: Any, second: Any) -> Any:
    """Intersection over union of boxes (B, N, 4) with boxes (B, M, 4): (B, N, M). Empty boxes overlap
    nothing."""
    overlap = pairwise_overlap(first, second)
    union = _area(first)[:, :, None] + _area(second)[:, None, :] - overlap
    return overlap / keras.ops.maximum(union, 1e-6)


def pairwise_coverage(first: Any, second: Any) -> Any:
    """How much of each box of (B, N, 4) lies inside each of (B, M, 4): (B, N, M), 0 to 1."""
    return pairwise_overlap(first, second) / keras.ops.maximum(_area(first)[:, :, None], 1e-6)


def pairwise_overlap(first: Any, second: Any) -> Any:
    """Area shared by boxes (B, N, 4) and boxes (B, M, 4): (B, N, M)."""
    x1, y1, x2, y2 = (
        limit(first[:, :, None, column], second[:, None, :, column])
        for column, limit in enumerate(
            (keras.ops.maximum, keras.ops.maximum, keras.ops.minimum, keras.ops.minimum)
        )
    )
    return keras.ops.maximum(x2 - x1, 0.0) * keras.ops.maximum(y2 - y1, 0.0)


def _area(boxes_xyxy: Any) -> Any:
    side = keras.ops.maximum(boxes_xyxy[..., 2:] - boxes_xyxy[..., :2], 0.0)
    return side[..., 0] * side[..., 1]
