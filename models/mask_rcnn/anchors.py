"""Where the anchors of an input lie.

Shapes: A anchors, fine levels first, row by row, the ratios of a place together: the order of ``rpn``.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=32)
def anchors_for(
    input_hw: tuple[int, int],
    *,
    strides: tuple[int, ...],
    scales_px: tuple[float, ...],
    ratios: tuple[float, ...],
    cell_offset: float,
) -> NDArray[np.float32]:
    """Anchors float32 (A, 4) as (centre x, centre y, width, height) in input pixels, read-only.

    - ``strides``, ``scales_px``: of each level: input pixels per place, and the side of the square anchor.
    - ``ratios``: height by width; all ratios of a level have one area.
    - ``cell_offset``: where in its place an anchor is centred: 0.5 in the middle, 0 at the upper left corner.
    """
    levels = []
    for stride, scale_px in zip(strides, scales_px, strict=True):
        rows, columns = (np.arange(-(-side // stride)) + cell_offset for side in input_hw)
        centre_y, centre_x = np.meshgrid(rows * stride, columns * stride, indexing="ij")
        height, width = _sides(scale_px, ratios)
        level = np.empty((*centre_x.shape, len(ratios), 4), np.float32)
        level[..., 0], level[..., 1] = centre_x[..., None], centre_y[..., None]
        level[..., 2], level[..., 3] = width, height
        levels.append(level.reshape(-1, 4))
    anchors = np.concatenate(levels)
    anchors.setflags(write=False)
    return anchors


def _sides(scale_px: float, ratios: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    roots = np.sqrt(np.array(ratios, np.float64))
    return scale_px * roots, scale_px / roots
