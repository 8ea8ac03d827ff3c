"""What the network says of every anchor: face or not, where, and where its landmarks are.

Shapes: B images; A anchors of all levels; h, w height and width of a level.
"""

from collections.abc import Sequence
from typing import Any

import keras

from models.retinaface.anchors import ANCHORS_PER_CELL


def head(features: Sequence[Any], size: int, *, name: str, output: str) -> Any:
    """One 1 x 1 convolution per level, (B, h, w, C) each, to (B, A, ``size``) in the order of the anchors.

    ``name`` is the head's layer path, ``output`` that of the joined tensor.
    """
    per_level = []
    for level, feature in enumerate(features):
        x = keras.layers.Conv2D(ANCHORS_PER_CELL * size, 1, name=f"{name}.{level}.conv1x1")(feature)
        per_level.append(keras.layers.Reshape((-1, size))(x))
    return keras.layers.Concatenate(axis=1, name=output)(per_level)
