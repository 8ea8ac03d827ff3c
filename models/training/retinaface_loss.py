"""The multi-task loss of RetinaFace: class, box and landmarks.

Two ways to keep the thousands of easy background anchors from drowning the faces: online hard example
mining, as published, or the focal loss (Lin et al. 2017, arXiv:1708.02002). Boxes by smooth L1 of their
deltas, as published, or by their overlap (GIoU: Rezatofighi et al. 2019, arXiv:1902.09630; DIoU: Zheng et
al. 2020, arXiv:1911.08287).

Shapes: B images; A anchors.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import keras

from models.networks.graph_boxes import decode_boxes
from models.training.smooth_l1 import smooth_l1

LOSS_PARTS: Final = ("class", "box", "landmark")

#: Background anchors that an image without any face contributes, so that such images teach something.
LEAST_NEGATIVES: Final = 32

#: Bound of the mined anchors per image: keeps the shape static.
MOST_NEGATIVES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """How the parts are computed and weighed; the defaults are those of biubug6/Pytorch_Retinaface.

    - ``classification``: ``ohem``: of the background anchors of an image, the hardest count,
      ``negatives_per_positive`` for each of its face anchors (SSD: 3, here 7); ``focal``: all count, each
      by ``focal_alpha`` (of a face; 1 minus it of background) and its doubt to the power of
      ``focal_gamma``.
    - ``box``: ``smooth_l1`` of the deltas, ``giou`` or ``diou``.
    - ``box_beta``, ``landmark_beta``: where smooth L1 turns from a square into a line, in deltas; a tenth
      of the anchor's side is a delta of 1. Small ones care for the last pixel.
    - ``class_weight``, ``box_weight``, ``landmark_weight``: of the parts in the sum.

    Raises ``ValueError`` on values out of range.
    """

    classification: Literal["ohem", "focal"] = "ohem"
    negatives_per_positive: int = 7
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    box: Literal["smooth_l1", "giou", "diou"] = "smooth_l1"
    box_beta: float = 1.0
    landmark_beta: float = 1.0
    class_weight: float = 1.0
    box_weight: float = 2.0
    landmark_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.classification not in {"ohem", "focal"}:
            raise ValueError(f"classification: ohem or focal, not {self.classification!r}")
        if self.box not in {"smooth_l1", "giou", "diou"}:
            raise ValueError(f"box: smooth_l1, giou or diou, not {self.box!r}")
        if self.box_beta <= 0 or self.landmark_beta <= 0 or self.negatives_per_positive < 1:
            raise ValueError("betas must be above 0, and negatives_per_positive at least 1")
        if not 0 < self.focal_alpha < 1 or self.focal_gamma < 0:
            raise ValueError("focal_alpha lies between 0 and 1, focal_gamma is not negative")


def retinaface_loss(
    outputs: dict[str, Any], targets: dict[str, Any], settings: LossSettings
) -> dict[str, Any]:
    """Scalars ``class``, ``box``, ``landmark`` and their weighed sum ``total``.

    ``outputs`` as ``build_retinaface`` gives them; ``targets``: the fields of ``Targets`` with a leading
    axis B. The class loss is divided by the number of face anchors in the batch, the others by the sum of
    their weights.
    """
    box_weights, landmark_weights = targets["box_weights"], targets["landmark_weights"]
    box_losses = _box_losses(outputs["box_deltas"], targets["box_deltas"], settings)
    landmark_losses = smooth_l1(
        outputs["landmark_deltas"] - targets["landmark_deltas"], settings.landmark_beta
    )
    parts = {
        "class": _class_loss(outputs["face_logits"], targets["labels"], settings),
        "box": _weighed_mean(box_losses, box_weights),
        "landmark": _weighed_mean(landmark_losses, landmark_weights),
    }
    total = (
        settings.class_weight * parts["class"]
        + settings.box_weight * parts["box"]
        + settings.landmark_weight * parts["landmark"]
    )
    return parts | {"total": total}


def _class_loss(logits: Any, labels: Any, settings: LossSettings) -> Any:
    ops = keras.ops
    is_face = ops.cast(labels > 0.5, "float32")
    is_background = ops.cast(ops.abs(labels) < 0.5, "float32")
    log_probabilities = ops.log_softmax(logits, axis=-1)
    background_losses = -log_probabilities[..., 0] * is_background
    face_losses = -log_probabilities[..., 1] * is_face
    face_count = ops.maximum(ops.sum(is_face), 1.0)
    if settings.classification == "focal":
        doubt_of_face = ops.exp(log_probabilities[..., 0]) ** settings.focal_gamma
        doubt_of_background = ops.exp(log_probabilities[..., 1]) ** settings.focal_gamma
        faces = settings.focal_alpha * ops.sum(doubt_of_face * face_losses)
        background = (1 - settings.focal_alpha) * ops.sum(doubt_of_background * background_losses)
        return (faces + background) / face_count
    hard = _hardest(background_losses, ops.sum(is_face, axis=1), settings.negatives_per_positive)
    return (hard + ops.sum(face_losses)) / face_count


def _hardest(background_losses: Any, face_counts: Any, negatives_per_positive: int) -> Any:
    """Sum of the largest of (B, A), per image as many as its (B,) faces allow."""
    ops = keras.ops
    most = min(MOST_NEGATIVES, background_losses.shape[1])
    losses, _ = ops.top_k(background_losses, k=most)
    wanted = ops.clip(negatives_per_positive * face_counts, LEAST_NEGATIVES, most)
    rank = ops.arange(most, dtype="float32")
    return ops.sum(losses * ops.cast(rank[None] < wanted[:, None], "float32"))


def _box_losses(deltas: Any, gt_deltas: Any, settings: LossSettings) -> Any:
    """(B, A) of deltas (B, A, 4) from the same anchors."""
    if settings.box == "smooth_l1":
        return smooth_l1(deltas - gt_deltas, settings.box_beta)
    # both forms measure in shares of the boxes: one anchor of side 1 serves for all
    anchor = keras.ops.array([0.0, 0.0, 1.0, 1.0])
    return _overlap_losses(decode_boxes(deltas, anchor), decode_boxes(gt_deltas, anchor), settings.box)


def _overlap_losses(boxes: Any, gt_boxes: Any, form: str) -> Any:
    """(B, A), 0 where two boxes (B, A, 4) are the same, up to 2 far apart."""
    ops = keras.ops
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 1e-6)
    gt_sides = ops.maximum(gt_boxes[..., 2:] - gt_boxes[..., :2], 1e-6)
    begin = ops.maximum(boxes[..., :2], gt_boxes[..., :2])
    shared = ops.maximum(ops.minimum(boxes[..., 2:], gt_boxes[..., 2:]) - begin, 0.0)
    intersection = shared[..., 0] * shared[..., 1]
    union = sides[..., 0] * sides[..., 1] + gt_sides[..., 0] * gt_sides[..., 1] - intersection
    around = ops.maximum(boxes[..., 2:], gt_boxes[..., 2:]) - ops.minimum(boxes[..., :2], gt_boxes[..., :2])
    loss = 1 - intersection / union
    if form == "giou":
        hull = around[..., 0] * around[..., 1]
        return loss + (hull - union) / ops.maximum(hull, 1e-9)
    gap = (boxes[..., :2] + boxes[..., 2:] - gt_boxes[..., :2] - gt_boxes[..., 2:]) / 2
    return loss + ops.sum(gap * gap, axis=-1) / ops.maximum(ops.sum(around * around, axis=-1), 1e-9)


def _weighed_mean(losses: Any, weights: Any) -> Any:
    ops = keras.ops
    return ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1.0)
