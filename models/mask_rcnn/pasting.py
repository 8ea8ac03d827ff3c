"""From the 28 x 28 pixels of a box to the pixels of the picture.

The box is cut into S x S cells, each value stands at the centre of its cell, and a picture's pixel takes the value at
its own centre, bilinearly; beyond the box the values are zero (as ``paste_masks_in_image`` of detectron2, which is
``grid_sample`` with ``align_corners=False`` and zero padding). Only pixels whose centre lies in the box are computed:
at thresholds of 0.5 and above no other pixel could be set.

Shapes: S side of the box's pixels, 28 in ``Detections``; H, W the picture.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Whole pixels, half-open: (x1, y1, x2, y2).
Window = tuple[int, int, int, int]


def window_of_box(box_xyxy: ArrayLike, image_hw: tuple[int, int]) -> Window:
    """The pixels of a picture whose centres lie in a box (half-open); ends where it begins when there are none."""
    x1, y1, x2, y2 = np.ceil(np.asarray(box_xyxy, np.float64) - 0.5)
    height, width = image_hw
    left, top = (int(np.clip(value, 0, bound)) for value, bound in ((x1, width), (y1, height)))
    return left, top, max(left, int(min(x2, width))), max(top, int(min(y2, height)))


def seg_mask_in_window(seg_mask: NDArray[Any], box_xyxy: ArrayLike, window: Window) -> NDArray[np.float32]:
    """The values (S, S) of a box at the pixels of ``window``: float32 (y2 - y1, x2 - x1)."""
    x1, y1, x2, y2 = np.asarray(box_xyxy, np.float64)
    columns = _weights(window[0], window[2], x1, x2, seg_mask.shape[1])
    rows = _weights(window[1], window[3], y1, y2, seg_mask.shape[0])
    return np.asarray(rows @ seg_mask.astype(np.float64) @ columns.T, np.float32)


def paste_seg_mask(
    seg_mask: NDArray[Any], box_xyxy: ArrayLike, image_hw: tuple[int, int], threshold: float = 0.5
) -> NDArray[np.bool_]:
    """The pixels bool (H, W) of a picture at which a box's values (S, S), 0 to 1, reach ``threshold``.

    ``box_xyxy`` is in the picture's pixels and may reach beyond it.
    """
    pixels = np.zeros(image_hw, np.bool_)
    left, top, right, bottom = window = window_of_box(box_xyxy, image_hw)
    if right > left and bottom > top:
        pixels[top:bottom, left:right] = seg_mask_in_window(seg_mask, box_xyxy, window) >= threshold
    return pixels


def _weights(first: int, last: int, start: float, end: float, cells: int) -> NDArray[np.float64]:
    """How much of each cell's value (columns) the pixels ``first`` to ``last`` (rows) take along one axis."""
    position = (np.arange(first, last) + 0.5 - start) * (cells / (end - start) if end > start else 0.0) - 0.5
    distance = np.abs(position[:, None] - np.arange(cells))
    return np.asarray(np.maximum(0.0, 1.0 - distance))
