"""Boxes and landmarks from deltas inside a network's graph (``keras.ops``); see ``boxes`` for what deltas are.

Shapes: any leading axes; the last one holds the 4 numbers of a box or of an anchor.
"""

from typing import Any

import keras

from models.networks.boxes import CENTRE_VARIANCE, MAX_SIDE_DELTA, SIDE_VARIANCE


def decode_boxes(deltas: Any, anchors: Any) -> Any:
    """Deltas (..., 4) from anchors (..., 4) to boxes (..., 4)."""
    centre = anchors[..., :2] + deltas[..., :2] * CENTRE_VARIANCE * anchors[..., 2:]
    side_deltas = keras.ops.clip(deltas[..., 2:], -MAX_SIDE_DELTA, MAX_SIDE_DELTA)
    half = anchors[..., 2:] * keras.ops.exp(side_deltas * SIDE_VARIANCE) / 2
    return keras.ops.concatenate([centre - half, centre + half], axis=-1)


def decode_landmarks(deltas: Any, anchors: Any) -> Any:
    """Deltas (..., 10), x and y of five points in turn, from anchors (..., 4) to points (..., 5, 2)."""
    points = keras.ops.reshape(deltas, (*keras.ops.shape(deltas)[:-1], 5, 2))
    return anchors[..., None, :2] + points * CENTRE_VARIANCE * anchors[..., None, 2:]
