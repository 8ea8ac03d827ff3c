"""Parts of pictures around one thing, enlarged, with boxes drawn on them."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.pictures import read_picture

#: The part shown is this many times as large as the thing, at least so many pixels, and drawn so large.
_SURROUNDINGS: Final = 2.5
_LEAST_SIDE_PX: Final = 96
_DRAWN_SIDE_PX: Final = 280

DETECTED_RGB: Final = (255, 96, 32)
LABELLED_RGB: Final = (64, 224, 96)


class CutOut:
    """The surroundings of ``box_xyxy`` (original pixels) in ``picture``, their longest side 280 pixels.

    - ``canvas``: RGB, uint8 (H, W, 3), to be drawn on. A point of the picture lies at ``(xy - corner_xy) * scale``.

    Raises ``PictureError`` when the picture cannot be read.
    """

    def __init__(self, picture: AnnotatedPicture, box_xyxy: Sequence[float]) -> None:
        left, top, right, bottom = _surroundings(box_xyxy, picture.image_hw)
        part = read_picture(picture.path).rgb()[top:bottom, left:right]
        self.corner_xy = np.array([left, top])
        self.scale = _DRAWN_SIDE_PX / max(part.shape[:2])
        size = (max(1, round(part.shape[1] * self.scale)), max(1, round(part.shape[0] * self.scale)))
        interpolation = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        self.canvas: NDArray[np.uint8] = np.asarray(
            cv2.resize(part, size, interpolation=interpolation), np.uint8
        )

    def draw_box(self, box_xyxy: Sequence[float], rgb: tuple[int, int, int], width_px: int) -> None:
        """Outline a box in original pixels."""
        corners = (np.asarray(box_xyxy, np.float64).reshape(2, 2) - self.corner_xy) * self.scale
        first, second = corners.round().astype(int).tolist()
        cv2.rectangle(self.canvas, first, second, rgb, width_px, cv2.LINE_AA)

    def draw_outlines(self, outlines_xy: Sequence[NDArray[np.floating]], rgb: tuple[int, int, int]) -> None:
        """Draw closed lines through points (..., 2) in original pixels."""
        drawn = [((line - self.corner_xy) * self.scale).round().astype(np.int32) for line in outlines_xy]
        cv2.polylines(self.canvas, drawn, True, rgb, 1, cv2.LINE_AA)


def _surroundings(box_xyxy: Sequence[float], image_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square around the box in whole pixels, cut where the picture ends; at least one pixel."""
    x1, y1, x2, y2 = box_xyxy
    side = max(_LEAST_SIDE_PX, _SURROUNDINGS * max(x2 - x1, y2 - y1))
    height, width = image_hw
    left, top = (
        min(max(0, round((low + high - side) / 2)), bound - 1)
        for low, high, bound in ((x1, x2, width), (y1, y2, height))
    )
    right, bottom = (
        max(start + 1, min(bound, round((low + high + side) / 2)))
        for start, low, high, bound in ((left, x1, x2, width), (top, y1, y2, height))
    )
    return left, top, right, bottom
