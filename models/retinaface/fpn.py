"""Feature pyramid (Lin et al. 2017, arXiv:1612.03144): coarse levels tell fine ones what they look at.

Shapes: B images; C channels of the pyramid; h, w height and width of a level.
"""

from collections.abc import Sequence
from typing import Any

import keras

from models.retinaface.layers import ConvBlocks


def feature_pyramid(blocks: ConvBlocks, features: Sequence[Any], channels: int, *, slope: float) -> list[Any]:
    """Three maps (B, h, w, any), each half as large as the one before, to as many (B, h, w, C)."""
    fine, middle, coarse = (
        blocks.conv(
            feature, channels, 1, slope=slope, name=f"fpn.output{level}.0", batch_norm=f"fpn.output{level}.1"
        )
        for level, feature in enumerate(features, start=1)
    )
    middle = _merged(blocks, middle, coarse, channels, slope=slope, name="fpn.merge2")
    fine = _merged(blocks, fine, middle, channels, slope=slope, name="fpn.merge1")
    return [fine, middle, coarse]


def _merged(blocks: ConvBlocks, x: Any, coarser: Any, channels: int, *, slope: float, name: str) -> Any:
    # inputs are multiples of 32, so a level is exactly twice as large as the next
    enlarged = keras.layers.UpSampling2D(2, interpolation="nearest")(coarser)
    return blocks.conv(x + enlarged, channels, 3, slope=slope, name=f"{name}.0", batch_norm=f"{name}.1")
