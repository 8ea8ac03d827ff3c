"""A frame at the network's size as ``Picture``: what the models ask for beyond that is fetched where the frame is."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.pictures import crop_with_border, resized
from streamer.cluster.wire import Cut, FrameKey

_log = logging.getLogger(__name__)

#: Cuts parts out of the frame that a key names; None where the frame is gone.
Cutter = Callable[[FrameKey, Sequence[Cut]], list[NDArray[np.uint8]] | None]


class SentPicture:
    """``pixels``: uint8 (H, W, 3), RGB, at the size in which the picture lies in the network's input.

    Parts and crops come from the whole frame, by ``cutter``; where that is gone they are enlarged from ``pixels``, in
    which little can be told, and the models say so (``Detections.sharpness``).
    """

    __slots__ = ("_cutter", "_image_hw", "_key", "_pixels")

    def __init__(
        self, key: FrameKey, pixels: NDArray[np.uint8], image_hw: tuple[int, int], cutter: Cutter
    ) -> None:
        self._key = key
        self._pixels = pixels
        self._image_hw = image_hw
        self._cutter = cutter

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the whole picture in pixels."""
        return self._image_hw

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The whole picture as RGB, uint8 (H, W, 3), scaled to ``size_hw`` or at its own size. Read-only."""
        return resized(self._pixels, size_hw or self._image_hw)

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """See ``Picture``."""
        return self._cut([Cut(box_xyxy, size_hw)])[0]

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """See ``Picture``."""
        return self._cut([Cut(box_xyxy)])[0]

    def crops_rgb(self, boxes_xyxy: Sequence[tuple[int, int, int, int]]) -> list[NDArray[np.uint8]]:
        """See ``models.structures.CropsAtOnce``."""
        return self._cut([Cut(box) for box in boxes_xyxy])

    def _cut(self, cuts: Sequence[Cut]) -> list[NDArray[np.uint8]]:
        if self._pixels.shape[:2] != self._image_hw:
            found = self._cutter(self._key, cuts)
            if found is not None:
                return found
        return cut_out(self.rgb(), cuts)


def cut_out(rgb: NDArray[np.uint8], cuts: Sequence[Cut]) -> list[NDArray[np.uint8]]:
    """``cuts`` of a whole picture, uint8 (H, W, 3)."""
    parts = [crop_with_border(rgb, cut.box_xyxy) for cut in cuts]
    return [
        part if cut.size_hw is None else resized(part, cut.size_hw)
        for part, cut in zip(parts, cuts, strict=True)
    ]
