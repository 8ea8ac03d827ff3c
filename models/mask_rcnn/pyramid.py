"""Feature pyramid (Lin et al. 2017, arXiv:1612.03144): coarse levels tell fine ones what they look at.

Shapes: B images; h, w height and width of a level; C channels of the pyramid.
"""

from collections.abc import Sequence
from typing import Any

import keras

from models.mask_rcnn.layers import ConvBlocks


def feature_pyramid(blocks: ConvBlocks, features: Sequence[Any], channels: int) -> list[Any]:
    """C2 to C5, each half as large as the one before, to P2 to P6, each (B, h, w, ``channels``).

    P6 is P5 at every second place (rounded up), for the largest anchors only.
    """
    merged: list[Any] = []
    for number, feature in zip((5, 4, 3, 2), reversed(features), strict=True):
        level = blocks.conv(feature, channels, 1, name=f"fpn_c{number}p{number}")
        if merged:
            # inputs are multiples of 32, so a level is exactly twice as large as the next
            level = level + keras.layers.UpSampling2D(2, interpolation="nearest")(merged[0])
        merged.insert(0, level)
    levels = [
        blocks.conv(level, channels, 3, name=f"fpn_p{number}") for number, level in enumerate(merged, start=2)
    ]
    return [*levels, levels[-1][:, ::2, ::2]]
