"""Region proposal network (Ren et al. 2015, arXiv:1506.01497): what every anchor sees.

Shapes: B images; h, w height and width of a level; A anchors of all levels, fine levels first, row by row,
the ratios of a place together.
"""

from collections.abc import Sequence
from typing import Any

import keras

from models.mask_rcnn.layers import answer_weights


def region_proposal_network(levels: Sequence[Any], channels: int, anchors_per_place: int) -> tuple[Any, Any]:
    """Levels (B, h, w, any), of one channel count, to logits (B, A, 2) of background and object, and box
    deltas (B, A, 4). One set of weights serves all levels."""
    shared = keras.layers.Conv2D(
        channels, 3, padding="same", activation="relu", kernel_initializer="he_normal", name="rpn_conv_shared"
    )
    class_raw, bbox_pred = (
        keras.layers.Conv2D(numbers * anchors_per_place, 1, kernel_initializer=answer_weights(), name=name)
        for numbers, name in ((2, "rpn_class_raw"), (4, "rpn_bbox_pred"))
    )
    hidden = [shared(level) for level in levels]
    logits = [keras.layers.Reshape((-1, 2))(class_raw(level)) for level in hidden]
    deltas = [keras.layers.Reshape((-1, 4))(bbox_pred(level)) for level in hidden]
    return (
        keras.layers.Concatenate(axis=1, name="rpn_logits")(logits),
        keras.layers.Concatenate(axis=1, name="rpn_deltas")(deltas),
    )
