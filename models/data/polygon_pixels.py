"""The pixels of polygons.

A pixel belongs to a polygon when its centre does (even-odd rule); of a thing of several polygons, when any of them
has it. So areas are right on average, an edge that two polygons share is drawn once, and labels agree with pasted
detections, which are sampled at centres too. ``cv2.fillPoly`` draws the outline as well, half a pixel too wide all
around: 5 % of the area of a hat 40 pixels wide.

Shapes: P corners of a polygon; H, W pixels of the window.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float32]


def polygon_pixels(
    polygons: Sequence[Polygon],
    window_xyxy: tuple[float, float, float, float],
    size_hw: tuple[int, int] | None = None,
) -> NDArray[np.bool_]:
    """The pixels bool (H, W) of polygons, each (P, 2) in the picture's coordinates, inside ``window_xyxy``.

    The window is cut into ``size_hw`` pixels: by default one for each whole pixel of the picture; a box and
    (28, 28) give box-relative pixels. Raises ``ValueError`` when the window is empty.
    """
    x1, y1, x2, y2 = window_xyxy
    if not (x2 > x1 and y2 > y1):
        raise ValueError(f"the window is empty: {window_xyxy}")
    height, width = size_hw or (round(y2 - y1), round(x2 - x1))
    scale = np.array([width / (x2 - x1), height / (y2 - y1)])
    pixels = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        corners = (np.asarray(polygon, np.float64) - (x1, y1)) * scale
        pixels |= _inside(corners, height, width)
    return pixels


def _inside(corners: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Parity of the edges that lie left of each pixel's centre."""
    ends = np.roll(corners, -1, axis=0)
    upper = np.where((corners[:, 1] <= ends[:, 1])[:, None], corners, ends)
    lower = np.where((corners[:, 1] <= ends[:, 1])[:, None], ends, corners)
    # rows whose centre lies in [upper, lower): a corner counts for one of the two edges that meet there
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(np.intp)
    count = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(np.intp) - first
    edge = np.repeat(np.arange(len(corners)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (lower[edge, 0] - upper[edge, 0]) / (lower[edge, 1] - upper[edge, 1])
    crossing = upper[edge, 0] + (row + 0.5 - upper[edge, 1]) * slope
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)
    toggles = np.zeros((height, width + 1), np.int32)
    np.add.at(toggles, (row, column), 1)
    return np.asarray(np.cumsum(toggles, axis=1)[:, :width] % 2 == 1)
