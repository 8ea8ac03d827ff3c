"""Training examples of faces: labels of a set, completed by what the teacher saw.

Shapes: M faces, G regions of one picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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

#: From this score a face that nobody labelled is not used as background where labels are exhaustive, either:
#: even careful labellers leave out a bystander now and then.
SURELY_SKIPPED_SCORE: Final = 0.95

#: From this score a face that the teacher sees on a labelled head is a face.
HEAD_FACE_SCORE: Final = 0.7


#: So much of a teacher's face must lie in the box of a head, enlarged downwards, to be on it.
HEAD_FACE_COVERAGE: Final = 0.4

#: Of a face with five points and no box: centre and sides of the box that the published weights see, medians
#: over 5700 faces. The unit is the distance from between the eyes to the middle of the mouth, the centre lies
#: on that way.
_BOX_OF_POINTS: Final = (0.34, 2.12, 2.74)

_NOWHERE: Final = np.zeros((0, 4), np.float32)
_NOWHERE.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class FaceExample:
    """One picture with what may be learned from it, in its pixels.

    - ``boxes_xyxy``: float32 (M, 4), faces. ``landmarks_xy``: float32 (M, 5, 2). ``box_weights``,
      ``landmark_weights``: float32 (M,), how much a face's box and its landmarks teach; 0: they are unknown
      or of another habit, and the face teaches that it is one.
    - ``ignored_xyxy``: float32 (G, 4), regions that are neither face nor background.
    - ``subjects_xyxy``: float32 (any, 4), faces or heads: a crop chooses one, and its scale by it.
    - ``hard_xyxy``: float32 (any, 4), subjects that are preferred: see ``retinaface_mining``.
    - ``draw_weight``: how often the picture is drawn, relative to the others of its set.
    """

    path: Path
    image_hw: tuple[int, int]
    boxes_xyxy: NDArray[np.float32]
    box_weights: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    landmark_weights: NDArray[np.float32]
    ignored_xyxy: NDArray[np.float32]
    subjects_xyxy: NDArray[np.float32]
    hard_xyxy: NDArray[np.float32] = field(default_factory=lambda: _NOWHERE)
    draw_weight: float = 1.0


def no_faces() -> Faces:
    """What is seen where there is no teacher."""
    return Faces(_NOWHERE, np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def face_example(
    picture: LabelledPicture,
    seen: Faces,
    *,
    exhaustive: bool,
    box_weight: float = 1.0,
    teacher_weight: float = 1.0,
) -> FaceExample:
    """A picture whose labels are faces.

    What the teacher sees beside the labels is ignored; where they are ``exhaustive``, only what it is very
    sure of. ``teacher_weight`` is that of its landmarks.
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
    least = SURELY_SKIPPED_SCORE if exhaustive else SKIPPED_SCORE
    skipped = (seen.scores >= least) & (overlaps.max(axis=0, initial=0.0) < OTHER_FACE_IOU)
    return FaceExample(
        picture.path,
        picture.image_hw,
        boxes,
        np.full(len(boxes), box_weight, np.float32),
        landmarks,
        has_landmarks * np.float32(teacher_weight),
        seen.boxes_xyxy[skipped],
        boxes,
    )


def head_example(
    picture: LabelledPicture,
    seen: Faces,
    *,
    head_categories: Sequence[str],
    trust_teacher: bool,
    box_weight: float = 1.0,
    teacher_weight: float = 1.0,
) -> FaceExample:
    """A picture whose labels are heads, every one of them, seen from any side.

    On or below a head (some labels hold a helmet alone), a face of which the teacher is sure is a face; its
    box and landmarks are the teacher's, and teach as much as the weights say. Its
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
    count = int(sure.sum())
    return FaceExample(
        picture.path,
        picture.image_hw,
        seen.boxes_xyxy[sure],
        np.full(count, box_weight, np.float32),
        seen.landmarks_xy[sure],
        np.full(count, teacher_weight, np.float32),
        np.concatenate([heads[keep_out], seen.boxes_xyxy[skipped]]),
        heads,
    )


def landmark_example(
    picture: LabelledPicture, points_xy: NDArray[np.float32], seen: Faces, *, box_weight: float = 1.0
) -> FaceExample:
    """A close-up of one face with labelled points (5, 2) and no box.

    The box is that of the teacher, where it is sure of a face that holds the points; else one is put around
    them, which tells anchors where the face is and teaches no box. What else the teacher sees may be a
    bystander, and is ignored.
    """
    holds = ((seen.boxes_xyxy[:, None, :2] <= points_xy) & (points_xy <= seen.boxes_xyxy[:, None, 2:])).all(
        axis=(1, 2)
    )
    sure = np.flatnonzero(holds & (seen.scores >= HEAD_FACE_SCORE))[:1]
    boxes = seen.boxes_xyxy[sure] if len(sure) else box_around(points_xy)[None]
    others = box_iou(seen.boxes_xyxy, boxes).max(axis=1, initial=0.0) < OTHER_FACE_IOU
    return FaceExample(
        picture.path,
        picture.image_hw,
        boxes,
        np.full(1, box_weight if len(sure) else 0.0, np.float32),
        points_xy[None].astype(np.float32),
        np.ones(1, np.float32),
        seen.boxes_xyxy[others],
        boxes,
    )


def box_around(points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """About where the face (4,) of five points (5, 2) is: eyes, nose, corners of the mouth."""
    eyes, mouth = points_xy[:2].mean(axis=0), points_xy[3:].mean(axis=0)
    along, width, height = _BOX_OF_POINTS
    unit = max(float(np.linalg.norm(mouth - eyes)), 0.4 * float(np.linalg.norm(points_xy[1] - points_xy[0])))
    centre = eyes + along * (mouth - eyes)
    half = np.array([width, height]) * max(unit, 1.0) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def _with_face_room(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Some label a helmet alone, and not the face below it: enlarge to where that face may be."""
    side = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    room = np.concatenate([-0.15 * side[:, :1], -0.1 * side[:, 1:], 0.15 * side[:, :1], 0.7 * side[:, 1:]], 1)
    return np.asarray(boxes_xyxy + room, np.float32)
