"""How much detections and labels overlap, as boxes and as pixels, by COCO's rules.

Intersection over union; where a label is an ignored region, over the detection's own area, because the region may
hold many things.

Shapes: N detections and M labels of one picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of one thing, cut out of its picture.

    - ``left``, ``top``: where the cut-out begins, whole pixels of the picture.
    - ``pixels``: bool (h, w) of the cut-out; may have no pixel.
    """

    left: int
    top: int
    pixels: NDArray[np.bool_]

    @property
    def area_px(self) -> int:
        """Number of pixels that are set."""
        return int(np.count_nonzero(self.pixels))


def box_areas(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas (N,) of boxes (N, 4)."""
    return np.asarray((boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1]))


def box_overlaps(
    boxes_xyxy: NDArray[np.float64], gt_boxes_xyxy: NDArray[np.float64], gt_ignored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Overlaps (N, M) of boxes (N, 4) with labelled boxes (M, 4), of which ``gt_ignored`` (M,) are regions."""
    corner_low = np.maximum(boxes_xyxy[:, None, :2], gt_boxes_xyxy[None, :, :2])
    corner_high = np.minimum(boxes_xyxy[:, None, 2:], gt_boxes_xyxy[None, :, 2:])
    shared = np.prod(np.maximum(corner_high - corner_low, 0.0), axis=2)
    return _shares(shared, box_areas(boxes_xyxy), box_areas(gt_boxes_xyxy), gt_ignored)


def region_overlaps(
    regions: Sequence[Region], gt_regions: Sequence[Region], gt_ignored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Overlaps (N, M) of pixels with labelled pixels."""
    shared = np.array([[_shared_px(one, other) for other in gt_regions] for one in regions], np.float64)
    areas = np.array([region.area_px for region in regions], np.float64)
    gt_areas = np.array([region.area_px for region in gt_regions], np.float64)
    return _shares(shared.reshape(len(regions), len(gt_regions)), areas, gt_areas, gt_ignored)


def _shares(
    shared: NDArray[np.float64],
    areas: NDArray[np.float64],
    gt_areas: NDArray[np.float64],
    gt_ignored: NDArray[np.bool_],
) -> NDArray[np.float64]:
    whole = np.where(gt_ignored[None, :], areas[:, None], areas[:, None] + gt_areas[None, :] - shared)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def _shared_px(one: Region, other: Region) -> int:
    left, top = max(one.left, other.left), max(one.top, other.top)
    right = min(one.left + one.pixels.shape[1], other.left + other.pixels.shape[1])
    bottom = min(one.top + one.pixels.shape[0], other.top + other.pixels.shape[0])
    if right <= left or bottom <= top:
        return 0
    first, second = (
        region.pixels[top - region.top : bottom - region.top, left - region.left : right - region.left]
        for region in (one, other)
    )
    return int(np.count_nonzero(first & second))
