"""Region proposal network (Ren et al. 2015, arXiv:1506.01497): what every anchor sees.

Shapes: B images; h, w height and width of a level; A anchors of all levels, fine levels first, row by row,
the ratios of a place together.
"""

from collections.abc import Sequence
from typing import Any

import keras


def region_proposal_network(levels: Sequence[Any], channels: int, anchors_per_place: int) -> tuple[Any, Any]:
    """Levels (B, h, w, any), of one channel count, to logits (B, A, 2) of background and object, and box
    deltas (B, A, 4). One set of weights serves all levels."""
    shared = keras.layers.Conv2D(channels, 3, padding="same", activation="relu", name="rpn_conv_shared")
    class_raw = keras.layers.Conv2D(2 * anchors_per_place, 1, name="rpn_class_raw")
    bbox_pred = keras.layers.Conv2D(4 * anchors_per_place, 1, name="rpn_bbox_pred")
    hidden = [shared(level) for level in levels]
    logits = [keras.layers.Reshape((-1, 2))(class_raw(level)) for level in hidden]
    deltas = [keras.layers.Reshape((-1, 4))(bbox_pred(level)) for level in hidden]
    return (
        keras.layers.Concatenate(axis=1, name="rpn_logits")(logits),
        keras.layers.Concatenate(axis=1, name="rpn_deltas")(deltas),
    )
