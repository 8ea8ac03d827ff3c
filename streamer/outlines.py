"""The pixels of detections as outlines: polygons in pixels of the picture, for files and for drawing."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.mask_rcnn.pasting import seg_mask_in_window, window_of_box
from models.structures import Category, Detections

Polygon = list[tuple[float, float]]

#: What has pixels that mean something to people.
SEGMENTED: Final = frozenset(
    {Category.HARD_HAT, Category.BARE_HEAD, Category.PERSON, Category.FACE_MASK, Category.HAT}
)
#: Small things are outlined at so many pixels, so that the outline is as smooth as their 28 x 28 pixels allow.
_SMOOTH_PX: Final = 128
#: Corners that stray by less than this from the outline, in the pixels in which it is traced, are left out.
_STRAIGHT_PX: Final = 0.75


def has_pixels(detections: Detections, index: int) -> bool:
    """Whether a row has pixels of its own."""
    return (
        detections.seg_masks is not None
        and Category(int(detections.class_ids[index])) in SEGMENTED
        and bool((detections.seg_masks[index] >= 0.5).any())
    )


def outlines_of(detections: Detections, index: int) -> list[Polygon]:
    """The outer outlines of a row's pixels inside the picture, largest first; none where it has no pixels."""
    if detections.seg_masks is None or not has_pixels(detections, index):
        return []
    return outlines(detections.seg_masks[index], detections.boxes_xyxy[index], detections.image_hw)


def outlines(seg_mask: NDArray[Any], box_xyxy: NDArray[Any], image_hw: tuple[int, int]) -> list[Polygon]:
    """The outer outlines of the pixels (S, S) of a box at one half, in pixels of the picture, largest first."""
    box = np.asarray(box_xyxy, np.float64)
    longest = max(1.0, float((box[2:] - box[:2]).max()))
    finer = max(1, int(np.ceil(_SMOOTH_PX / longest)))
    window = window_of_box(box * finer, (image_hw[0] * finer, image_hw[1] * finer))
    left, top, right, bottom = window
    if right <= left or bottom <= top:
        return []
    pixels = (seg_mask_in_window(seg_mask, box * finer, window) >= 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        corners = cv2.approxPolyDP(contour, _STRAIGHT_PX, True).reshape(-1, 2)
        if len(corners) >= 3:
            found.append([((x + left + 0.5) / finer, (y + top + 0.5) / finer) for x, y in corners.tolist()])
    return found
