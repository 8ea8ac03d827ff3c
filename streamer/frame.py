"""One frame of one camera, with its two clocks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.structures.picture import CropsAtOnce, Picture


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame as it came from a camera; itself a ``models.structures.Picture``.

    - ``camera_id``: the configured camera's name.
    - ``index``: number of the frame within its connection, from 0, counting every frame that was decoded,
      also those that were not due. In a recording it is the frame's number in the file, unless the decoder left
      some out (``Source.skip_frame``).
    - ``pts_s``: presentation time in seconds on the stream's own clock, or None. Cameras let it jump:
      use it for nothing but display and the pacing of recordings.
    - ``captured_at``: UTC, seconds since the epoch; the only time that rules may use. Never goes back
      within a connection, whatever the camera's or the system's clock does.
    - ``received_mono_s``: ``time.monotonic()`` at reception, for latency and timeouts only.
    - ``picture``: the pixels, not converted before somebody asks.
    """

    camera_id: str
    index: int
    pts_s: float | None
    captured_at: float
    received_mono_s: float
    picture: Picture

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width of the whole picture in pixels."""
        return self.picture.image_hw

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The whole picture as RGB, uint8 (H, W, 3), scaled to ``size_hw`` or at its own size. Read-only."""
        return self.picture.rgb(size_hw)

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy``, which lies in the picture, as RGB, scaled to ``size_hw``. Read-only."""
        return self.picture.part_rgb(box_xyxy, size_hw)

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` as RGB, uint8 (y2-y1, x2-x1, 3); border pixels repeat outside."""
        return self.picture.crop_rgb(box_xyxy)

    def crops_rgb(self, boxes_xyxy: Sequence[tuple[int, int, int, int]]) -> list[NDArray[np.uint8]]:
        """``crop_rgb`` of each of ``boxes_xyxy``: fetched together where the pixels are far."""
        if isinstance(self.picture, CropsAtOnce):
            return self.picture.crops_rgb(boxes_xyxy)
        return [self.picture.crop_rgb(box) for box in boxes_xyxy]
