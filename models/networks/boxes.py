"""Boxes and landmarks as deltas from anchors, and back.

Shapes: any leading axes; the last one holds 4 numbers of a box. Anchors are (centre x, centre y, width,
height), boxes (x1, y1, x2, y2), all in the same pixels. Deltas are divided by the variances of SSD (Liu et
al. 2016, arXiv:1512.02325, as published with RetinaFace): 0.1 for positions, 0.2 for logarithms of sizes.

All in numpy, on the host; ``graph_boxes`` decodes inside a network's graph.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

CENTRE_VARIANCE: Final = 0.1
SIDE_VARIANCE: Final = 0.2

#: Larger logarithms than this are an untrained network's; without a bound they overflow. exp(0.2 * 40) =
#: 2981.
MAX_SIDE_DELTA: Final = 40.0


def boxes_from_deltas(deltas: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Deltas (N, 4) from anchors (N, 4), of each from its own, to boxes float32 (N, 4)."""
    centre = anchors[:, :2] + deltas[:, :2] * np.float32(CENTRE_VARIANCE) * anchors[:, 2:]
    side_deltas = np.clip(deltas[:, 2:], -MAX_SIDE_DELTA, MAX_SIDE_DELTA)
    half = anchors[:, 2:] * np.exp(side_deltas * np.float32(SIDE_VARIANCE)) / 2
    return np.asarray(np.concatenate([centre - half, centre + half], axis=1), np.float32)


def landmarks_from_deltas(deltas: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Deltas (N, 10), x and y of five points in turn, from anchors (N, 4) to points float32 (N, 5, 2)."""
    points = deltas.reshape(-1, 5, 2) * np.float32(CENTRE_VARIANCE)
    return np.asarray(anchors[:, None, :2] + points * anchors[:, None, 2:], np.float32)


def encode_boxes(boxes_xyxy: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (N, 4) of sides above 0 to deltas (N, 4) from anchors (N, 4), of each to its own."""
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    side = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    offset = (centre - anchors[:, :2]) / (CENTRE_VARIANCE * anchors[:, 2:])
    growth = np.log(side / anchors[:, 2:]) / SIDE_VARIANCE
    return np.asarray(np.concatenate([offset, growth], axis=1), np.float32)


def encode_landmarks(points_xy: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points (N, 5, 2) to deltas (N, 10) from anchors (N, 4), of each to its own."""
    deltas = (points_xy - anchors[:, None, :2]) / (CENTRE_VARIANCE * anchors[:, None, 2:])
    return np.asarray(deltas.reshape(len(points_xy), 10), np.float32)


def box_iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every box (N, 4) with every box (M, 4): (N, M). Empty boxes overlap
    nothing."""
    overlap = _overlap(first, second)
    union = _area(first)[:, None] + _area(second)[None, :] - overlap
    return np.asarray(np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0))


def box_coverage(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of every box (N, 4) lies inside every box (M, 4): (N, M), 0 to 1."""
    overlap = _overlap(first, second)
    area = np.broadcast_to(_area(first)[:, None], overlap.shape)
    return np.asarray(np.divide(overlap, area, out=np.zeros_like(overlap), where=area > 0))


def _overlap(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    begin = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum(first[:, None, 2:], second[None, :, 2:])
    side = np.clip(end - begin, 0, None)
    return np.asarray(side[..., 0] * side[..., 1], np.float32)


def _area(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    side = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None)
    return np.asarray(side[:, 0] * side[:, 1], np.float32)
