"""Context module of SSH (Najibi et al. 2017, arXiv:1708.03979): what surrounds a face helps to see it.

Shapes: B images; C channels of the pyramid; h, w height and width of a level.
"""

from typing import Any

import keras

from models.retinaface.layers import ConvBlocks, activated


def context_module(blocks: ConvBlocks, x: Any, channels: int, *, slope: float, name: str) -> Any:
    """(B, h, w, C) to (B, h, w, C): half from 3 x 3, a quarter each from as if 5 x 5 and 7 x 7 pixels."""

    def conv(x: Any, filters: int, branch: str, slope: float | None) -> Any:
        path = f"{name}.{branch}"
        return blocks.conv(x, filters, 3, slope=slope, name=f"{path}.0", batch_norm=f"{path}.1")

    near = conv(x, channels // 2, "conv3X3", None)
    shared = conv(x, channels // 4, "conv5X5_1", slope)
    wide = conv(shared, channels // 4, "conv5X5_2", None)
    widest = conv(conv(shared, channels // 4, "conv7X7_2", slope), channels // 4, "conv7x7_3", None)
    return activated(keras.ops.concatenate([near, wide, widest], axis=-1), 0.0)
