"""A view as ``models.structures.Picture``: parts of another picture, drawn when they are asked for."""

import math

import numpy as np
from numpy.typing import NDArray

from models.letterbox import FILL_RGB
from models.pictures import check_part, resized
from models.structures import Picture
from models.tiles.views import Cell, PixelBox, View


class ViewPicture:
    """What ``view`` shows of ``source``.

    Crops come from ``source`` itself, beyond the edges of the cell too: a face at the edge of a tile is judged whole,
    and one that was enlarged by its own pixels.
    """

    __slots__ = ("_source", "_view")

    def __init__(self, source: Picture, view: View) -> None:
        self._source = source
        self._view = view

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the view in pixels."""
        return self._view.view_hw

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The whole view as RGB, uint8 (H, W, 3), scaled to ``size_hw`` or at its own size. Read-only."""
        height, width = self._view.view_hw
        if len(self._view.cells) == 1 and self._view.cells[0].place_xyxy == (0, 0, width, height):
            return self._source.part_rgb(self._view.cells[0].region_xyxy, size_hw or (height, width))
        drawn = np.empty((height, width, 3), np.uint8)
        drawn[:] = FILL_RGB
        for cell in self._view.cells:
            x1, y1, x2, y2 = cell.place_xyxy
            drawn[y1:y2, x1:x2] = self._source.part_rgb(cell.region_xyxy, (y2 - y1, x2 - x1))
        return resized(drawn, size_hw or (height, width))

    def part_rgb(self, box_xyxy: PixelBox, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` of the view, as it is drawn, scaled to ``size_hw``. Read-only."""
        check_part(box_xyxy, self._view.view_hw)
        x1, y1, x2, y2 = box_xyxy
        return resized(self.rgb()[y1:y2, x1:x2], size_hw)

    def crop_rgb(self, box_xyxy: PixelBox) -> NDArray[np.uint8]:
        """What the picture shows at ``box_xyxy`` of the view, by the cell in which its centre lies, at the
        size of the box.

        Unlike with other pictures this may reach beyond what is shown. Where the centre lies in no cell, the first one
        counts.
        """
        x1, y1, x2, y2 = box_xyxy
        center = np.array([[(x1 + x2) / 2, (y1 + y2) / 2]])
        cell = self._view.cells[max(0, int(self._view.cell_of(center)[0]))]
        return resized(self._source.crop_rgb(_in_source(box_xyxy, cell)), (y2 - y1, x2 - x1))


def _in_source(box_xyxy: PixelBox, cell: Cell) -> PixelBox:
    """A box of the view in whole pixels of the picture, at least one each way."""
    left, top = cell.region_xyxy[:2]
    shown_left, shown_top = cell.place_xyxy[:2]
    x1, y1, x2, y2 = box_xyxy
    first_x = math.floor((x1 - shown_left) / cell.scale + left + 0.5)
    first_y = math.floor((y1 - shown_top) / cell.scale + top + 0.5)
    width = max(1, round((x2 - x1) / cell.scale))
    height = max(1, round((y2 - y1) / cell.scale))
    return first_x, first_y, first_x + width, first_y + height
