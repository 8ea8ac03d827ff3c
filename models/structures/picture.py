"""Where models get pixels from, without knowing whether a camera, a file or an array holds them."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Picture(Protocol):
    """A picture that becomes pixels only at the size, or in the part, that is asked for."""

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the whole picture in pixels."""
        ...

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The whole picture as RGB, uint8 (H, W, 3), scaled to ``size_hw`` or at its own size. Read-only."""
        ...

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` (whole pixels, half-open, inside the picture) as RGB, uint8 (H, W, 3), scaled to
        ``size_hw``. Read-only. ``PictureError`` when the box is empty or reaches out of the picture.
        """
        ...

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` (whole pixels, half-open) as RGB, uint8 (y2-y1, x2-x1, 3).

        What lies outside the picture repeats its border pixels.
        """
        ...


@runtime_checkable
class CropsAtOnce(Protocol):
    """A picture whose pixels are far, so that many crops together cost little more than one."""

    def crops_rgb(self, boxes_xyxy: Sequence[tuple[int, int, int, int]]) -> list[NDArray[np.uint8]]:
        """``Picture.crop_rgb`` of each of ``boxes_xyxy``."""
        ...
