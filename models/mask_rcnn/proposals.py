"""From anchors to the boxes that are worth a second look.

Shapes: B images, A anchors, P proposals.
"""

from typing import Any

import keras

from models.mask_rcnn.boxes import apply_deltas, clip_boxes
from models.mask_rcnn.settings import ProposalSettings
from models.mask_rcnn.suppression import surviving

__all__ = ["ProposalSettings", "best_kept", "propose"]


def propose(
    logits: Any, deltas: Any, anchors: Any, input_hw: tuple[int, int], settings: ProposalSettings
) -> tuple[Any, Any]:
    """Logits (B, A, 2) and deltas (B, A, 4) of the anchors (A, 4) to boxes (B, P, 4) in the input, best
    first, and whether each is one: bool (B, P). Boxes of rows that are none are empty. No gradient passes."""
    logits, deltas = keras.ops.stop_gradient(logits), keras.ops.stop_gradient(deltas)
    # the logarithm of the odds orders as the probability does
    scores, rows = keras.ops.top_k(
        logits[..., 1] - logits[..., 0], k=min(settings.candidates, int(anchors.shape[0]))
    )
    boxes = apply_deltas(
        keras.ops.take_along_axis(deltas, rows[..., None], axis=1), keras.ops.take(anchors, rows, axis=0)
    )
    boxes = clip_boxes(boxes, input_hw)
    side = keras.ops.min(boxes[..., 2:] - boxes[..., :2], axis=-1)
    kept = surviving(boxes, side > 1.0, iou_threshold=settings.iou_threshold)
    return best_kept(boxes, scores, kept, settings.count)[:2]


def best_kept(boxes: Any, scores: Any, kept: Any, count: int) -> tuple[Any, Any, Any]:
    """The ``count`` best kept boxes of (B, N, 4), whether each row is one, and the rows they come from.

    Scores (B, N) are finite; N may be less than ``count``.
    """
    missing = count - int(boxes.shape[1])
    if missing > 0:
        boxes = keras.ops.pad(boxes, ((0, 0), (0, missing), (0, 0)))
        scores, kept = (keras.ops.pad(value, ((0, 0), (0, missing))) for value in (scores, kept))
    worst = keras.ops.full_like(scores, -1e9)
    chosen, rows = keras.ops.top_k(keras.ops.where(kept, scores, worst), k=count)
    valid = chosen > -1e8
    picked = keras.ops.take_along_axis(boxes, rows[..., None], axis=1)
    return picked * keras.ops.cast(valid, "float32")[..., None], valid, rows
