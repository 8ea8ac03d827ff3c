"""A batch of letterboxed pictures and the way back from its pixels to those of the original pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.structures.checks import read_only_array


@dataclass(frozen=True, slots=True, eq=False)
class ImageBatch:
    """Pictures scaled by one factor each and padded to a common size.

    A point of the original picture, ``(x, y)`` in pixels, lies at ``(x, y) * scale + pad_xy`` of the batch.

    - ``pixels``: uint8 (B, H, W, 3), RGB. Not copied: whoever makes the batch hands it over.
    - ``scales``: float32 (B,), batch pixels per original pixel, above 0.
    - ``pads_xy``: float32 (B, 2), batch pixels left of and above the picture, at least 0.
    - ``image_hw``: int32 (B, 2), the original heights and widths.

    Raises ``ValueError`` on shapes that disagree or values out of range.
    """

    pixels: NDArray[np.uint8]
    scales: NDArray[np.float32]
    pads_xy: NDArray[np.float32]
    image_hw: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[3] != 3:
            raise ValueError(
                f"pixels: expected uint8 (B, H, W, 3), got {self.pixels.dtype} {self.pixels.shape}"
            )
        count = len(self.pixels)
        pixels = self.pixels.view()
        pixels.setflags(write=False)
        set_field = object.__setattr__
        set_field(self, "pixels", pixels)
        set_field(
            self, "scales", read_only_array(self.scales, name="scales", dtype=np.float32, shape=(count,))
        )
        set_field(
            self, "pads_xy", read_only_array(self.pads_xy, name="pads_xy", dtype=np.float32, shape=(count, 2))
        )
        set_field(
            self,
            "image_hw",
            read_only_array(self.image_hw, name="image_hw", dtype=np.int32, shape=(count, 2)),
        )
        if (self.scales <= 0).any() or (self.pads_xy < 0).any() or (self.image_hw <= 0).any():
            raise ValueError("scales and image_hw must be above 0, pads_xy at least 0")

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the batch's pictures in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    def select(self, rows: Sequence[int]) -> Self:
        """The pictures that ``rows`` names, in its order; the batch itself when it names all of them in their order."""
        if list(rows) == list(range(len(self))):
            return self
        index = np.asarray(rows, np.intp)
        return type(self)(self.pixels[index], self.scales[index], self.pads_xy[index], self.image_hw[index])

    def points_to_image(self, points_xy: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Map points (..., 2) from pixels of batch picture ``index`` to pixels of its original."""
        return np.asarray((points_xy - self.pads_xy[index]) / self.scales[index], np.float32)

    def boxes_to_image(self, boxes_xyxy: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Map boxes (N, 4) from pixels of batch picture ``index`` to pixels of its original. Not clipped."""
        return self.points_to_image(boxes_xyxy.reshape(-1, 2, 2), index).reshape(-1, 4)
