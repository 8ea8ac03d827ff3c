"""Anchors: two squares at every cell of strides 8, 16 and 32.

Shapes: A anchors; H, W height and width of the input, multiples of 32. A = 2 HW (1/64 + 1/256 + 1/1024).
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import PictureError
from models.letterbox import INPUT_MULTIPLE

STRIDES: Final = (8, 16, 32)

#: Sides of the squares in input pixels, by stride; as published.
SIDES_PX: Final = ((16, 32), (64, 128), (256, 512))

ANCHORS_PER_CELL: Final = 2


@lru_cache(maxsize=32)
def anchors_for(input_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Anchors of an input of (H, W): read-only float32 (A, 4), centre x, centre y, width, height in input
    pixels.

    Order: level by level from the finest, row by row, column by column, the smaller square first. Raises
    ``PictureError`` when a side is no multiple of 32.
    """
    if any(side <= 0 or side % INPUT_MULTIPLE for side in input_hw):
        raise PictureError(f"the network takes sides that are multiples of {INPUT_MULTIPLE}, not {input_hw}")
    levels = []
    for stride, sides in zip(STRIDES, SIDES_PX, strict=True):
        rows, columns = input_hw[0] // stride, input_hw[1] // stride
        level = np.empty((rows, columns, ANCHORS_PER_CELL, 4), np.float32)
        level[..., 0] = (np.arange(columns)[None, :, None] + 0.5) * stride
        level[..., 1] = (np.arange(rows)[:, None, None] + 0.5) * stride
        level[..., 2] = level[..., 3] = sides
        levels.append(level.reshape(-1, 4))
    anchors = np.concatenate(levels)
    anchors.setflags(write=False)
    return anchors
