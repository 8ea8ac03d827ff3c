"""Pictures with what was seen in them: boxes and words, or protective equipment alone in colour."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.structures import Category, Detections
from streamer.detect.rows import category_scores
from streamer.drawing import AMBER, BLUE, GREEN, GREY, RED, Color, LabelledBox, draw_boxes

COLORS: Final[dict[Category, Color]] = {
    Category.FACE_WITH_MASK: GREEN,
    Category.FACE_WITHOUT_MASK: RED,
    Category.FACE_MASK_INCORRECT: AMBER,
    Category.HARD_HAT: GREEN,
    Category.BARE_HEAD: RED,
    Category.PERSON: BLUE,
    Category.FACE_MASK: GREEN,
    Category.HAT: GREY,
}

#: Categories that are protective equipment on somebody, or the equipment itself.
_GEAR: Final = frozenset({Category.FACE_WITH_MASK, Category.HARD_HAT, Category.FACE_MASK})


def annotated(rgb: NDArray[np.uint8], detections: Detections, *, min_score: float) -> NDArray[np.uint8]:
    """A copy of ``rgb`` (H, W, 3) with a labelled box for each detection of at least ``min_score``."""
    picture = rgb.copy()
    scores = category_scores(detections)
    boxes = [
        LabelledBox(
            box_xyxy=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            label=f"{Category(int(class_id)).label.replace('_', ' ')} {score:.2f}",
            color=COLORS[Category(int(class_id))],
        )
        for box, class_id, score in zip(detections.boxes_xyxy, detections.class_ids, scores, strict=True)
        if score >= min_score
    ]
    draw_boxes(picture, boxes)
    return picture


def splash(rgb: NDArray[np.uint8], detections: Detections, *, min_score: float) -> NDArray[np.uint8]:
    """A grey copy of ``rgb`` (H, W, 3) in which protective equipment keeps its colour (Matterport's "color splash").

    Where a detection has pixels of its own (``seg_masks``) these stay coloured. A face with a mask that has none
    keeps what lies below the middle between eyes and nose inside its box: that is where the mask is.
    """
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    keep = np.zeros(rgb.shape[:2], bool)
    for index, score in enumerate(category_scores(detections)):
        if score >= min_score and Category(int(detections.class_ids[index])) in _GEAR:
            _keep_gear(keep, detections, index)
    return np.where(keep[:, :, None], rgb, grey).astype(np.uint8)


def _keep_gear(keep: NDArray[np.bool_], detections: Detections, index: int) -> None:
    height, width = keep.shape
    x1, y1, x2, y2 = (float(value) for value in detections.boxes_xyxy[index])
    left, top = max(0, int(x1)), max(0, int(y1))
    right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
    if right <= left or bottom <= top:
        return
    if detections.seg_masks is not None:
        size = (max(1, int(np.ceil(x2)) - int(x1)), max(1, int(np.ceil(y2)) - int(y1)))
        pixels = cv2.resize(detections.seg_masks[index], size, interpolation=cv2.INTER_LINEAR) >= 0.5
        offset_y, offset_x = top - int(y1), left - int(x1)
        keep[top:bottom, left:right] |= pixels[
            offset_y : offset_y + bottom - top, offset_x : offset_x + right - left
        ]
        return
    if (
        detections.landmarks_xy is not None
        and Category(int(detections.class_ids[index])) is Category.FACE_WITH_MASK
    ):
        eyes_y = float(detections.landmarks_xy[index, :2, 1].mean())
        nose_y = float(detections.landmarks_xy[index, 2, 1])
        top = min(bottom, max(top, int((eyes_y + nose_y) / 2)))
    keep[top:bottom, left:right] = True
