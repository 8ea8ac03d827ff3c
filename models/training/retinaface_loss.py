"""The multi-task loss of RetinaFace: class, box and landmarks, with online hard example mining.

Shapes: B images; A anchors.
"""

from typing import Any, Final

import keras

#: As published: seven background anchors, the hardest, for every face anchor, and boxes count twice.
NEGATIVES_PER_POSITIVE: Final = 7
BOX_WEIGHT: Final = 2.0

#: Background anchors that an image without any face contributes, so that such images teach something.
LEAST_NEGATIVES: Final = 32

#: Bound of the mined anchors per image: keeps the shape static.
MOST_NEGATIVES: Final = 1024


def retinaface_loss(outputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
    """Scalars ``class``, ``box``, ``landmark`` and their sum ``total``.

    ``outputs`` as ``build_retinaface`` gives them; ``targets``: the fields of ``Targets`` with a leading
    axis B. Class and box losses are divided by the number of face anchors in the batch, landmarks by that
    of labelled ones.
    """
    ops = keras.ops
    labels = targets["labels"]
    is_face = ops.cast(labels > 0.5, "float32")
    is_background = ops.cast(ops.abs(labels) < 0.5, "float32")
    log_probabilities = ops.log_softmax(outputs["face_logits"], axis=-1)
    face_count = ops.maximum(ops.sum(is_face), 1.0)

    hard = _hardest(-log_probabilities[..., 0] * is_background, ops.sum(is_face, axis=1))
    class_loss = (hard - ops.sum(log_probabilities[..., 1] * is_face)) / face_count

    box_loss = (
        ops.sum(_smooth_l1(outputs["box_deltas"] - targets["box_deltas"]) * is_face[..., None]) / face_count
    )

    weights = targets["landmark_weights"]
    landmark_loss = ops.sum(
        _smooth_l1(outputs["landmark_deltas"] - targets["landmark_deltas"]) * weights[..., None]
    ) / ops.maximum(ops.sum(weights), 1.0)

    return {
        "total": class_loss + BOX_WEIGHT * box_loss + landmark_loss,
        "class": class_loss,
        "box": box_loss,
        "landmark": landmark_loss,
    }


def _hardest(background_losses: Any, face_counts: Any) -> Any:
    """Sum of the largest of (B, A), per image as many as its (B,) faces allow."""
    ops = keras.ops
    most = min(MOST_NEGATIVES, background_losses.shape[1])
    losses, _ = ops.top_k(background_losses, k=most)
    wanted = ops.clip(NEGATIVES_PER_POSITIVE * face_counts, LEAST_NEGATIVES, most)
    rank = ops.arange(most, dtype="float32")
    return ops.sum(losses * ops.cast(rank[None] < wanted[:, None], "float32"))


def _smooth_l1(difference: Any) -> Any:
    size = keras.ops.abs(difference)
    return keras.ops.where(size < 1, 0.5 * size * size, size - 0.5)
