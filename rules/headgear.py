"""Which hat is worn on which head: worn, not near (ADR 0017)."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box, center, covered, height, width
from rules.matching import optimal_pairs
from rules.parts import Part

#: Part of the upper third of a head that a worn hat covers at least.
MIN_COVER: Final = 0.4
#: The same where the head was not seen and its place is taken from the body.
MIN_COVER_INFERRED: Final = 0.2
#: Sample points across and down a head's upper third, where a hat has pixels.
_GRID: Final = (9, 5)


def wear_fit(hat: Part, head: Box, *, is_inferred: bool = False) -> float:
    """How much of the head's upper third the hat covers, 0 to 1; 0 when it does not sit on this head at all.

    The hat's pixels count, or its box where there are none. It sits on the head when its lower edge crosses the head,
    its width is that of a hat for such a head, and it stands over the head's middle. The box may be that of the hat or,
    as detectors are often taught, of the whole head with the hat on it.
    """
    head_height, head_width = height(head), width(head)
    if head_height <= 0 or head_width <= 0:
        return 0.0
    lower_edge = (hat.box[3] - head[1]) / head_height
    upper_edge = (hat.box[1] - head[1]) / head_height
    aside = abs(center(hat.box)[0] - center(head)[0]) / head_width
    slack = 1.5 if is_inferred else 1.0
    crosses = lower_edge <= 0.25 + slack and -1.0 * slack <= upper_edge <= 0.3 * slack
    if not crosses or aside > 0.5 * slack or not 0.5 / slack <= width(hat.box) / head_width <= 2.2 * slack:
        return 0.0
    cover = _cover(hat, (head[0], head[1], head[2], head[1] + head_height / 3))
    return cover if cover >= (MIN_COVER_INFERRED if is_inferred else MIN_COVER) else 0.0


def assign_hats(hats: Sequence[Part], heads: Sequence[tuple[Box, bool]]) -> dict[int, int]:
    """Index of the hat on each head that wears one; ``heads`` are (box, whether it was inferred from a body).

    One hat serves one head and one head wears one hat; the assignment as a whole fits best.
    """
    costs: NDArray[Any] = np.full((len(heads), len(hats)), np.inf)
    for row, (head, is_inferred) in enumerate(heads):
        for column, hat in enumerate(hats):
            fit = wear_fit(hat, head, is_inferred=is_inferred)
            if fit > 0:
                costs[row, column] = (2.0 if is_inferred else 1.0) - fit * hat.score
    return dict(optimal_pairs(costs))


def _cover(hat: Part, part_of_head: Box) -> float:
    if hat.seg_mask is None or not np.any(hat.seg_mask):
        return covered(part_of_head, by=hat.box)
    columns = np.linspace(part_of_head[0], part_of_head[2], _GRID[0] + 2)[1:-1]
    rows = np.linspace(part_of_head[1], part_of_head[3], _GRID[1] + 2)[1:-1]
    points = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    return float(on_seg_mask(hat, points).mean())


def on_seg_mask(part: Part, points_xy: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each point (N, 2), in original pixels, lies on the pixels of ``part``, which has a ``seg_mask``."""
    if part.seg_mask is None:
        raise ValueError("the part has no seg_mask")
    rows, columns = part.seg_mask.shape
    x = np.floor((points_xy[:, 0] - part.box[0]) / max(width(part.box), 1e-9) * columns).astype(int)
    y = np.floor((points_xy[:, 1] - part.box[1]) / max(height(part.box), 1e-9) * rows).astype(int)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    found = part.seg_mask[np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)] >= 0.5
    return np.asarray(inside & found, np.bool_)
