"""What the 28 x 28 pixels of a hat or mask cover of places in the picture."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box, covered, height, width
from rules.parts import Part

#: Sample points across and down a box, at equal distances from each other and from its edges.
_ACROSS: Final = tuple((n + 1) / 10 for n in range(9))
_DOWN: Final = tuple((n + 1) / 6 for n in range(5))


def cover_of(box: Box, part: Part) -> float:
    """How much of ``box`` the part's pixels cover, 0 to 1, at 9 x 5 points; its own box where it has no pixels."""
    if part.seg_mask is None:
        return covered(box, by=part.box)
    x = [box[0] + share * width(box) for share in _ACROSS]
    y = [box[1] + share * height(box) for share in _DOWN]
    found = _sampled(part, part.seg_mask, x, y)
    return float(np.count_nonzero(found >= 0.5)) / (len(x) * len(y))


def likelihood_around(x: float, y: float, radius: float, part: Part) -> float:
    """Mean of the part's ``seg_mask`` at 3 x 3 points within ``radius`` pixels of a place, 0 outside its box; where it
    has no pixels, 1 inside its box.
    """
    if part.seg_mask is None:
        return float(part.box[0] <= x <= part.box[2] and part.box[1] <= y <= part.box[3])
    near_x, near_y = ((value - radius, value, value + radius) for value in (x, y))
    return float(_sampled(part, part.seg_mask, near_x, near_y).sum()) / 9


def _sampled(part: Part, seg_mask: NDArray[Any], x: Sequence[float], y: Sequence[float]) -> NDArray[Any]:
    """``seg_mask`` at every column of ``x`` and row of ``y``, original pixels; those outside the box are left out."""
    rows, columns = seg_mask.shape
    column = _cells(x, part.box[0], part.box[2], columns)
    row = _cells(y, part.box[1], part.box[3], rows)
    return np.asarray(seg_mask[row][:, column])


def _cells(places: Sequence[float], start: float, end: float, count: int) -> list[int]:
    per_pixel = count / (end - start)
    return [min(count - 1, int((place - start) * per_pixel)) for place in places if start <= place < end]
