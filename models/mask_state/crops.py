"""Where the mask-state classifier looks: a square around each face, cut from the original picture.

The square is larger than the face so that a mask under the chin, straps and the head's outline are seen, and
larger still (relative to it) around small faces, whose boxes are uncertain by a larger share of their size.

Shapes: N faces, S side of the network's input in pixels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.structures import CropsAtOnce, Picture


@dataclass(frozen=True, slots=True)
class CropGeometry:
    """How a face box becomes the network's input; saved with the weights, which hold for one geometry only.

    - ``size_px``: side S of the square that the network sees.
    - ``context``: side of the square in the picture over the longer side of the face box, from
      ``large_face_px`` on.
    - ``small_context``: the same for faces of ``small_face_px`` and below; between the two it runs linearly
      in the logarithm of the size.

    - ``lowered``: how far the square's centre lies below that of the box, in longer sides of the box: found
      boxes begin at the hairline and often end above the chin, above all on masked faces.

    Raises ``ValueError`` on sizes below one pixel, a context below 1, or limits out of order.
    """

    size_px: int = 96
    context: float = 1.4
    small_context: float = 1.5
    small_face_px: float = 16.0
    large_face_px: float = 64.0
    lowered: float = 0.08

    def __post_init__(self) -> None:
        if self.size_px < 32 or self.size_px % 32:
            raise ValueError(f"size_px must be a multiple of 32, got {self.size_px}")
        if not (1 <= self.context <= 4 and 1 <= self.small_context <= 4):
            raise ValueError(f"context must lie in 1 to 4, got {self.context} and {self.small_context}")
        if not -0.5 <= self.lowered <= 0.5:
            raise ValueError(f"lowered must lie in -0.5 to 0.5, got {self.lowered}")
        if not 0 < self.small_face_px < self.large_face_px:
            raise ValueError("small_face_px must be above 0 and below large_face_px")

    def context_for(self, face_px: float) -> float:
        """The enlargement for a face whose longer side is ``face_px`` original pixels."""
        if face_px <= self.small_face_px:
            return self.small_context
        if face_px >= self.large_face_px:
            return self.context
        share = math.log(face_px / self.small_face_px) / math.log(self.large_face_px / self.small_face_px)
        return self.small_context + share * (self.context - self.small_context)

    def square_xyxy(self, box_xyxy: NDArray[np.floating[Any]]) -> tuple[int, int, int, int]:
        """The square to cut for ``box_xyxy`` (4,), in whole original pixels, half-open.

        Its centre lies within one pixel of the lowered centre of the box; it may reach beyond the picture. It
        is never smaller than 2 pixels, so that a degenerate box still yields pixels.
        """
        x1, y1, x2, y2 = (float(value) for value in box_xyxy)
        face_px = max(x2 - x1, y2 - y1)
        side = max(2, round(face_px * self.context_for(face_px)))
        left = math.floor((x1 + x2 - side) / 2 + 0.5)
        top = math.floor((y1 + y2 - side) / 2 + self.lowered * face_px + 0.5)
        return left, top, left + side, top + side

    def to_mapping(self) -> dict[str, Any]:
        """The geometry as JSON values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, origin: object) -> Self:
        """Read what ``to_mapping`` wrote. Raises ``WeightsError`` (naming ``origin``) on anything else."""
        known = {field.name for field in fields(cls)}
        if set(mapping) != known:
            raise WeightsError(f"{origin}: its crop config has {sorted(mapping)}, expected {sorted(known)}")
        try:
            return cls(**mapping)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"{origin}: its crop config is wrong: {error}") from error


def whole_picture_box(image_hw: tuple[int, int], geometry: CropGeometry) -> tuple[float, float, float, float]:
    """The box around which the crop holds a picture (height, width) whole and as large as can be: for pictures that
    are themselves crops of one face.
    """
    height, width = image_hw
    side = max(height, width)
    face_px = float(side)
    for _ in range(30):  # the context depends on the size that it gives
        face_px = side / geometry.context_for(face_px)
    left, top = (width - face_px) / 2, (height - face_px) / 2 - geometry.lowered * face_px
    return left, top, left + face_px, top + face_px


def resize_square(rgb: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Scale a square cut-out to uint8 (S, S, 3): averaging when it shrinks, linear when it grows."""
    if rgb.shape[0] == size_px:
        return rgb
    shrinks = rgb.shape[0] > size_px
    scaled = cv2.resize(
        rgb, (size_px, size_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return np.asarray(scaled, dtype=np.uint8)


def crop_faces(
    picture: Picture, boxes_xyxy: NDArray[np.float32], geometry: CropGeometry
) -> Sequence[NDArray[np.uint8]]:
    """Cut the square around each of ``boxes_xyxy`` (N, 4) at the picture's own resolution.

    Returns N arrays uint8 (side, side, 3), RGB, sides differing; what lies outside the picture repeats its
    border.
    """
    squares = [geometry.square_xyxy(box) for box in boxes_xyxy]
    if isinstance(picture, CropsAtOnce):
        return picture.crops_rgb(squares) if squares else []
    return [picture.crop_rgb(square) for square in squares]


def stack_crops(crops: Sequence[NDArray[np.uint8]], geometry: CropGeometry) -> NDArray[np.uint8]:
    """Scale square cut-outs of any size into the classifier's input, uint8 (N, S, S, 3)."""
    stacked = np.empty((len(crops), geometry.size_px, geometry.size_px, 3), np.uint8)
    for index, crop in enumerate(crops):
        stacked[index] = resize_square(crop, geometry.size_px)
    return stacked
