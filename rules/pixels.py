"""What the 28 x 28 pixels of a hat or mask cover of places in the picture."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box, covered, height, width
from rules.parts import Part

#: Sample points across and down a box.
_GRID: Final = (9, 5)


def cover_of(box: Box, part: Part) -> float:
    """How much of ``box`` the part's pixels cover, 0 to 1, at 9 x 5 points; its own box where it has no pixels."""
    if part.seg_mask is None:
        return covered(box, by=part.box)
    columns = np.linspace(box[0], box[2], _GRID[0] + 2)[1:-1]
    rows = np.linspace(box[1], box[3], _GRID[1] + 2)[1:-1]
    return float((_sampled(part, columns, rows) >= 0.5).mean())


def likelihood_around(x: float, y: float, radius: float, part: Part) -> float:
    """Mean of the part's ``seg_mask`` at 3 x 3 points within ``radius`` pixels of a place, 0 outside its box; where it
    has no pixels, 1 inside its box.
    """
    if part.seg_mask is None:
        return float(part.box[0] <= x <= part.box[2] and part.box[1] <= y <= part.box[3])
    steps = np.array([-radius, 0.0, radius])
    return float(_sampled(part, x + steps, y + steps).mean())


def _sampled(part: Part, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """``seg_mask`` at every column of ``x`` and row of ``y``, original pixels; 0 outside the box. (len(y), len(x))."""
    if part.seg_mask is None:
        raise ValueError("the part has no pixels")
    rows, columns = part.seg_mask.shape
    column = np.floor((x - part.box[0]) * (columns / width(part.box))).astype(int)
    row = np.floor((y - part.box[1]) * (rows / height(part.box))).astype(int)
    inside = ((row >= 0) & (row < rows))[:, None] & ((column >= 0) & (column < columns))
    found = part.seg_mask[np.clip(row, 0, rows - 1)[:, None], np.clip(column, 0, columns - 1)]
    return np.where(inside, found, 0.0)
