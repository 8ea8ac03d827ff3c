"""Training examples of faces: labels of a set, completed by what the teacher saw.

Shapes: M faces, G regions of one picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.coco_faces import LabelledPicture
from models.networks.boxes import box_coverage, box_iou
from models.retinaface.faces import Faces

#: A teacher's face is that of a label when they overlap by this IoU. Two people's labels agree on 0.64.
SAME_FACE_IOU: Final = 0.5

#: Below this overlap with every label, a teacher's face is one that the labeller skipped (or no face).
OTHER_FACE_IOU: Final = 0.3

#: From this score a teacher's landmarks are worth imitating.
LANDMARK_SCORE: Final = 0.5

#: From this score a skipped face is not used as background.
SKIPPED_SCORE: Final = 0.3

#: From this score a face that the teacher sees on a labelled head is a face.
HEAD_FACE_SCORE: Final = 0.7


#: So much of a teacher's face must lie in the box of a head, enlarged downwards, to be on it.
HEAD_FACE_COVERAGE: Final = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class FaceExample:
    """One picture with what may be learned from it, in its pixels.

    - ``boxes_xyxy``: float32 (M, 4), faces. ``landmarks_xy``: float32 (M, 5, 2), valid where
      ``has_landmarks`` (M,).
    - ``ignored_xyxy``: float32 (G, 4), regions that are neither face nor background.
    - ``subjects_xyxy``: float32 (any, 4), faces or heads: a crop chooses one, and its scale by it.
    """

    path: Path
    boxes_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    has_landmarks: NDArray[np.bool_]
    ignored_xyxy: NDArray[np.float32]
    subjects_xyxy: NDArray[np.float32]


def face_example(picture: LabelledPicture, seen: Faces, *, exhaustive: bool) -> FaceExample:
    """A picture whose labels are faces.

    What the teacher sees beside the labels is ignored unless the labels are ``exhaustive``.
    """
    boxes = picture.boxes_xyxy
    overlaps = box_iou(boxes, seen.boxes_xyxy)
    landmarks = np.zeros((len(boxes), 5, 2), np.float32)
    has_landmarks = np.zeros(len(boxes), np.bool_)
    if len(seen):
        best = overlaps.argmax(axis=1)
        good = overlaps[np.arange(len(boxes)), best] >= SAME_FACE_IOU
        has_landmarks = good & (seen.scores[best] >= LANDMARK_SCORE)
        landmarks[has_landmarks] = seen.landmarks_xy[best[has_landmarks]]
    ignored = np.zeros((0, 4), np.float32)
    if not exhaustive:
        skipped = (seen.scores >= SKIPPED_SCORE) & (overlaps.max(axis=0, initial=0.0) < OTHER_FACE_IOU)
        ignored = seen.boxes_xyxy[skipped]
    return FaceExample(picture.path, boxes, landmarks, has_landmarks, ignored, boxes)


def head_example(
    picture: LabelledPicture, seen: Faces, *, head_categories: Sequence[str], trust_teacher: bool
) -> FaceExample:
    """A picture whose labels are heads, every one of them, seen from any side.

    On or below a head (some labels hold a helmet alone), a face of which the teacher is sure is a face. Its
    other faces are ignored where they touch a head or are sure; the rest outside the heads is background,
    with what the teacher takes for faces there. A head without a sure face is ignored too, unless
    ``trust_teacher`` says that the teacher misses no face here (nobody covers it): then a head on which it
    sees nothing at all is seen from behind, and background.
    """
    is_head = np.array([category in head_categories for category in picture.categories], np.bool_)
    heads = _with_face_room(picture.boxes_xyxy[is_head])
    inside = box_coverage(seen.boxes_xyxy, heads) >= HEAD_FACE_COVERAGE
    sure = (seen.scores >= HEAD_FACE_SCORE) & inside.any(axis=1)
    doubtful = (seen.scores >= SKIPPED_SCORE) & (box_coverage(seen.boxes_xyxy, heads) > 0).any(axis=1)
    skipped = (doubtful | (seen.scores >= HEAD_FACE_SCORE)) & ~sure
    has_face = inside[sure].any(axis=0)
    keep_out = ~has_face & (inside.any(axis=0) if trust_teacher else True)
    return FaceExample(
        picture.path,
        seen.boxes_xyxy[sure],
        seen.landmarks_xy[sure],
        np.ones(int(sure.sum()), np.bool_),
        np.concatenate([heads[keep_out], seen.boxes_xyxy[skipped]]),
        heads,
    )


def landmark_example(picture: LabelledPicture, points_xy: NDArray[np.float32], seen: Faces) -> FaceExample:
    """A close-up of one face with labelled points (5, 2) and no box: the box is the teacher's.

    What else it sees may be a bystander, and is ignored. Nothing to learn from when the teacher is not sure
    of a face that holds the points.
    """
    holds = ((seen.boxes_xyxy[:, None, :2] <= points_xy) & (points_xy <= seen.boxes_xyxy[:, None, 2:])).all(
        axis=(1, 2)
    )
    sure = np.flatnonzero(holds & (seen.scores >= HEAD_FACE_SCORE))[:1]
    boxes = seen.boxes_xyxy[sure]
    others = box_iou(seen.boxes_xyxy, boxes).max(axis=1, initial=0.0) < OTHER_FACE_IOU
    return FaceExample(
        picture.path,
        boxes,
        np.repeat(points_xy[None], len(sure), axis=0),
        np.ones(len(sure), np.bool_),
        seen.boxes_xyxy[others],
        boxes,
    )


def _with_face_room(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Some label a helmet alone, and not the face below it: enlarge to where that face may be."""
    side = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    room = np.concatenate([-0.15 * side[:, :1], -0.1 * side[:, 1:], 0.15 * side[:, :1], 0.7 * side[:, 1:]], 1)
    return np.asarray(boxes_xyxy + room, np.float32)
