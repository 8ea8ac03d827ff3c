"""Pictures with what was seen in them: boxes and words, or protective equipment alone in colour."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.mask_rcnn.pasting import Window, paste_seg_mask, window_of_box
from models.structures import Category, Detections
from streamer.detect.rows import category_scores
from streamer.drawing import AMBER, BLUE, GREEN, GREY, RED, Color, LabelledBox, draw_boxes, draw_shapes
from streamer.outlines import has_pixels, outlines_of

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

#: Things that people wear: they stay coloured.
_GARMENTS: Final = frozenset({Category.HARD_HAT, Category.FACE_MASK, Category.HAT})


def annotated(rgb: NDArray[np.uint8], detections: Detections, *, min_score: float) -> NDArray[np.uint8]:
    """A copy of ``rgb`` (H, W, 3) with a labelled box for each detection of at least ``min_score``, and the pixels of
    what people wear.
    """
    picture = rgb.copy()
    scores = category_scores(detections)
    for index, score in enumerate(scores):
        category = Category(int(detections.class_ids[index]))
        if score >= min_score and category in _GARMENTS:
            draw_shapes(picture, outlines_of(detections, index), color=COLORS[category])
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
    """A grey copy of ``rgb`` (H, W, 3) in which hats and masks keep their colour (Matterport's "color splash").

    By their own pixels (``seg_masks``), or their whole box where they have none. A face with a mask keeps what lies
    below the middle between eyes and nose, unless the pixels of a mask on it were found.
    """
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    keep = np.zeros(rgb.shape[:2], bool)
    scores = category_scores(detections)
    chosen = [index for index, score in enumerate(scores) if score >= min_score]
    for index in chosen:
        if Category(int(detections.class_ids[index])) in _GARMENTS:
            _keep_garment(keep, detections, index)
    found = keep.copy()
    for index in chosen:
        if Category(int(detections.class_ids[index])) is Category.FACE_WITH_MASK:
            left, top, right, bottom = _lower_face(detections, index)
            if not found[top:bottom, left:right].any():
                keep[top:bottom, left:right] = True
    return np.where(keep[:, :, None], rgb, grey).astype(np.uint8)


def _keep_garment(keep: NDArray[np.bool_], detections: Detections, index: int) -> None:
    box = detections.boxes_xyxy[index]
    if detections.seg_masks is not None and has_pixels(detections, index):
        keep |= paste_seg_mask(detections.seg_masks[index], box, (keep.shape[0], keep.shape[1]))
        return
    left, top, right, bottom = window_of_box(box, (keep.shape[0], keep.shape[1]))
    keep[top:bottom, left:right] = True


def _lower_face(detections: Detections, index: int) -> Window:
    """Where the mask of a masked face is."""
    left, top, right, bottom = window_of_box(detections.boxes_xyxy[index], detections.image_hw)
    if detections.landmarks_xy is not None and detections.landmarks_xy[index].any():
        eyes_y = float(detections.landmarks_xy[index, :2, 1].mean())
        nose_y = float(detections.landmarks_xy[index, 2, 1])
        top = min(bottom, max(top, int((eyes_y + nose_y) / 2)))
    return left, top, right, bottom
