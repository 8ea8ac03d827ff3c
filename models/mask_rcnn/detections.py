"""From proposals and what the box head says of them to detections.

Shapes: B images, P proposals, K classes (background being 0), D detections.
"""

from typing import Any

import keras

from models.mask_rcnn.boxes import apply_deltas, clip_boxes, to_centre
from models.mask_rcnn.proposals import best_kept
from models.mask_rcnn.settings import DetectionSettings
from models.mask_rcnn.suppression import surviving


def choose_detections(
    class_logits: Any,
    box_deltas: Any,
    proposals: Any,
    valid: Any,
    *,
    input_hw: tuple[int, int],
    settings: DetectionSettings,
) -> tuple[Any, Any, Any]:
    """Logits (B, P, K) and deltas (B, P, K, 4) of the proposals (B, P, 4), of which ``valid`` (B, P) are
    some, to boxes (B, D, 4), scores (B, D) and classes int32 (B, D), best first. Rows left over score 0.

    A proposal may become a detection of several classes, each with a box of its own: what a head wears is a
    question of their scores, which a single answer would hide.
    """
    count, classes = int(proposals.shape[1]), int(class_logits.shape[-1])
    probs = keras.ops.softmax(class_logits, axis=-1)[..., 1:]
    probs = probs * keras.ops.cast(valid, "float32")[..., None]
    pairs = keras.ops.reshape(probs, (-1, count * (classes - 1)))
    scores, index = keras.ops.top_k(pairs, k=min(settings.candidates, count * (classes - 1)))
    rows, class_ids = index // (classes - 1), index % (classes - 1) + 1
    flat_deltas = keras.ops.reshape(box_deltas, (-1, count * classes, 4))
    deltas = keras.ops.take_along_axis(flat_deltas, (rows * classes + class_ids)[..., None], axis=1)
    references = keras.ops.take_along_axis(to_centre(proposals), rows[..., None], axis=1)
    boxes = clip_boxes(apply_deltas(deltas, references), input_hw)
    # classes far apart from each other do not suppress each other
    apart = keras.ops.cast(class_ids, "float32")[..., None] * (2.0 * max(input_hw))
    kept = surviving(boxes + apart, scores >= settings.score_threshold, iou_threshold=settings.iou_threshold)
    picked, found, where = best_kept(boxes, scores, kept, settings.count)
    missing = max(0, settings.count - int(scores.shape[1]))
    scores, class_ids = (keras.ops.pad(value, ((0, 0), (0, missing))) for value in (scores, class_ids))
    return (
        picked,
        keras.ops.take_along_axis(scores, where, axis=1) * keras.ops.cast(found, "float32"),
        keras.ops.cast(keras.ops.take_along_axis(class_ids, where, axis=1), "int32"),
    )
