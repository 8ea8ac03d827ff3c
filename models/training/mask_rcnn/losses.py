"""The five losses of Mask R-CNN (He et al. 2017, section 3; Ren et al. 2015, equation 1), for labels that
tell only part.

Shapes: B canvases; A anchors, N of them asked; R boxes; K classes, background being 0; Q boxes whose pixels
are labelled, S side of them.
"""

from typing import Any

import keras

from models.training.smooth_l1 import smooth_l1


def objectness_loss(logits: Any, truth: dict[str, Any]) -> Any:
    """Cross entropy of the anchors asked: logits (B, A, 2) of background and object."""
    asked = keras.ops.take_along_axis(logits, truth["rpn_rows"][..., None], axis=1)
    log_probs = keras.ops.log_softmax(asked, axis=-1)
    is_object = truth["rpn_is_object"]
    losses = -(is_object * log_probs[..., 1] + (1 - is_object) * log_probs[..., 0])
    return _mean(losses, truth["rpn_weights"])


def anchor_box_loss(deltas: Any, truth: dict[str, Any]) -> Any:
    """Smooth L1 of the deltas (B, A, 4) of the anchors that lie on things."""
    asked = keras.ops.take_along_axis(deltas, truth["rpn_rows"][..., None], axis=1)
    return _mean(smooth_l1(asked - truth["rpn_deltas"]), truth["rpn_is_object"])


def class_loss(logits: Any, admissible: Any, weights: Any) -> Any:
    """Cross entropy of logits (B, R, K) against sets of classes (B, R, K): minus the logarithm of the
    probability of the whole set.

    A set of one class makes it the ordinary cross entropy. Where a source does not tell caps from hard hats,
    the set holds both; where it does not label persons, a box on nothing may be a person (the treatment of
    unlabelled classes of Cermelli et al. 2020, arXiv:2002.00718, equation 5).
    """
    log_probs = keras.ops.log_softmax(logits, axis=-1)
    outside = -1e9 * (1.0 - admissible)
    return _mean(-keras.ops.logsumexp(log_probs + outside, axis=-1), weights)


def box_loss(deltas: Any, wanted: Any, admissible: Any, is_object: Any) -> Any:
    """Smooth L1 of the deltas (B, R, K, 4) of the admissible classes against ``wanted`` (B, R, 4)."""
    losses = smooth_l1(deltas - wanted[:, :, None, :])
    return _mean(keras.ops.sum(losses * _shares(admissible), axis=-1), is_object)


def seg_mask_loss(logits: Any, wanted: Any, admissible: Any, weights: Any) -> Any:
    """Binary cross entropy of pixels: logits (Q, S, S, K) of the admissible classes (Q, K) against
    ``wanted`` (Q, S, S)."""
    pixels = keras.ops.softplus(logits) - logits * wanted[..., None]
    return _mean(keras.ops.sum(keras.ops.mean(pixels, axis=(1, 2)) * _shares(admissible), axis=-1), weights)


def _shares(admissible: Any) -> Any:
    return admissible / keras.ops.maximum(keras.ops.sum(admissible, axis=-1, keepdims=True), 1.0)


def _mean(values: Any, weights: Any) -> Any:
    return keras.ops.sum(values * weights) / keras.ops.maximum(keras.ops.sum(weights), 1.0)
