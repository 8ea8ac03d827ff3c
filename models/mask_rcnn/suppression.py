"""Greedy non-maximum suppression of static shape, as a graph on every backend.

Shapes: B images, N candidates.
"""

from typing import Any

import keras

from models.mask_rcnn.boxes import pairwise_iou


def surviving(boxes_xyxy: Any, valid: Any, *, iou_threshold: float) -> Any:
    """Which of the boxes (B, N, 4), best first, stay: bool (B, N); those not ``valid`` (B, N) neither stay
    nor suppress.

    A box goes when its IoU with a better one that stays is above ``iou_threshold``. The answer is that of the
    greedy loop over candidates. It is found as the fixed point of "a box stays unless one that stays
    suppresses it", which after i rounds is right for every box whose chain of suppression is no longer than
    i: some rounds for all boxes at once in place of N turns (Cluster-NMS: Zheng et al. 2020,
    arXiv:2005.03572).
    """
    count = int(boxes_xyxy.shape[1])
    places = keras.ops.arange(count)
    better = places[:, None] > places[None, :]
    threatens = keras.ops.cast(
        keras.ops.logical_and(pairwise_iou(boxes_xyxy, boxes_xyxy) > iou_threshold, better), "float32"
    )
    start = keras.ops.cast(valid, "float32")

    def step(kept: Any, _before: Any) -> tuple[Any, Any]:
        threats = keras.ops.matmul(threatens, kept[..., None])[..., 0]
        return start * keras.ops.cast(threats < 0.5, "float32"), kept

    def unsettled(kept: Any, before: Any) -> Any:
        return keras.ops.any(kept != before)

    kept, _ = keras.ops.while_loop(unsettled, step, (start, start - 1.0), maximum_iterations=count + 1)
    return kept > 0.5
