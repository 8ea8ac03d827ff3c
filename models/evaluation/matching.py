"""Detections against labels as PASCAL VOC does: matching, average precision. For COCO's way see ``coco_precision``.

Shapes: N detections and M labels of one picture; D detections of all pictures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.overlaps import box_overlaps


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """How one picture's detections meet its labels.

    - ``scores``: float32 (N,), best first.
    - ``label_of``: int64 (N,), the label that each detection found, or -1. Each label is found at most once.
    - ``best_iou``: float32 (N,), each detection's largest IoU with any label.
    """

    scores: NDArray[np.float32]
    label_of: NDArray[np.int64]
    best_iou: NDArray[np.float32]


def match(
    boxes_xyxy: NDArray[np.floating],
    scores: NDArray[np.float32],
    gt_boxes_xyxy: NDArray[np.floating],
    *,
    iou_threshold: float,
) -> Matches:
    """Match as PASCAL VOC does: best score first, each to the free label of largest IoU, if that is
    enough."""
    order = np.argsort(-scores, kind="stable")
    overlaps = box_overlaps(
        boxes_xyxy[order].astype(np.float64),
        gt_boxes_xyxy.astype(np.float64),
        np.zeros(len(gt_boxes_xyxy), np.bool_),
    )
    best_iou = overlaps.max(axis=1, initial=0.0).astype(np.float32)
    label_of = np.full(len(order), -1, np.int64)
    for row in range(len(order)):
        if overlaps.shape[1] == 0:
            break
        label = int(overlaps[row].argmax())
        if overlaps[row, label] >= iou_threshold:
            label_of[row] = label
            overlaps[:, label] = 0
    return Matches(scores[order], label_of, best_iou)


def average_precision(scores: NDArray[np.float32], is_right: NDArray[np.bool_], label_count: int) -> float:
    """Area under the precision-recall curve, all points, precision made monotonic (PASCAL VOC 2010 and
    later).

    ``scores`` and ``is_right`` are (D,) over all pictures, in any order. 0 when there are no labels.
    """
    if label_count == 0 or len(scores) == 0:
        return 0.0
    right = is_right[np.argsort(-scores, kind="stable")].astype(np.float64)
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * right).sum() / label_count)
