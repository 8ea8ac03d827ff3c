"""Small heads, each looked at again in a cell of its own, many of them in one view."""

import math
from collections.abc import Sequence
from typing import Final

from models.letterbox import letterbox_geometry
from models.tiles.views import Cell, PixelBox, View

#: Side of a cell over the height of the head in it: a head that walked by its own height is still whole in the cell,
#: and shoulders and hats are seen with it.
CONTEXT: Final = 4.0

#: Heads are enlarged by no more than this: pixels that were never there say nothing.
MOST_ENLARGED: Final = 2.0

Box = tuple[float, float, float, float]


def heads_per_view(input_hw: tuple[int, int], head_px: int) -> int:
    """How many heads of ``head_px`` fit into an input of ``input_hw``; 0 where not one does."""
    side = _cell_side(head_px)
    return (input_hw[0] // side) * (input_hw[1] // side)


def gains(head_xyxy: Box, *, image_hw: tuple[int, int], input_hw: tuple[int, int], head_px: int) -> bool:
    """Whether a head would be seen larger, by a tenth at least, than the whole picture shows it at ``input_hw``."""
    height_px = head_xyxy[3] - head_xyxy[1]
    if height_px <= 0 or not heads_per_view(input_hw, head_px):
        return False
    scale = _scale(height_px, head_px, image_hw)
    return scale >= 1.1 * letterbox_geometry(image_hw, input_hw).scale


def head_views(
    heads_xyxy: Sequence[Box], *, image_hw: tuple[int, int], input_hw: tuple[int, int], head_px: int
) -> tuple[View, ...]:
    """As few views of ``input_hw`` as hold all of ``heads_xyxy``, each ``head_px`` high in a cell around it.

    Heads that are smaller than half of that are enlarged twice, with more of what is around them. Regions that would
    reach out of the picture are shifted into it. Raises ``ValueError`` where not one fits into ``input_hw``.
    """
    per_view = heads_per_view(input_hw, head_px)
    if heads_xyxy and not per_view:
        raise ValueError(f"heads of {head_px} pixels do not fit into an input of {input_hw}")
    side = _cell_side(head_px)
    columns = input_hw[1] // side
    views = []
    for start in range(0, len(heads_xyxy), max(1, per_view)):
        cells = []
        for index, head in enumerate(heads_xyxy[start : start + per_view]):
            top, left = index // columns * side, index % columns * side
            cells.append(Cell(_region(head, head_px, image_hw), (left, top, left + side, top + side)))
        views.append(View(image_hw, input_hw, tuple(cells), keeps_cut=False))
    return tuple(views)


def _cell_side(head_px: int) -> int:
    return math.ceil(CONTEXT * head_px)


def _scale(height_px: float, head_px: int, image_hw: tuple[int, int]) -> float:
    return _cell_side(head_px) / _region_side(height_px, head_px, image_hw)


def _region_side(height_px: float, head_px: int, image_hw: tuple[int, int]) -> int:
    least = math.ceil(_cell_side(head_px) / MOST_ENLARGED)
    return max(1, min(max(math.ceil(CONTEXT * height_px), least), *image_hw))


def _region(head_xyxy: Box, head_px: int, image_hw: tuple[int, int]) -> PixelBox:
    """A square around the middle of a head, inside the picture."""
    x1, y1, x2, y2 = head_xyxy
    side = _region_side(y2 - y1, head_px, image_hw)
    left = min(max(round((x1 + x2 - side) / 2), 0), image_hw[1] - side)
    top = min(max(round((y1 + y2 - side) / 2), 0), image_hw[0] - side)
    return left, top, left + side, top + side
