"""Labelled faces of one picture, as the evaluations of faces take them, and which face that was found is which.

A face smaller than asked for is neither hit nor miss, and so is what the source marks as ignored. Boxes, labelled and
found ones, are clipped to the picture first: nobody sees what lies beyond.

Shapes: N found faces and M labelled ones of one picture.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.evaluation.instances import clipped
from models.evaluation.matching import match
from models.evaluation.overlaps import box_overlaps
from models.structures import FACE_MASK_CLASSES

#: Two labellings of the same photos agree on a median IoU of 0.64: above that, one measures the labeller.
IOU_THRESHOLD: Final = 0.5

#: A found face that overlaps every label by less is away from them, not a badly placed one.
AWAY_BELOW_IOU: Final = 0.3

#: Of a labelled face whose state is not told.
UNKNOWN_STATE: Final = -1

_STATES: Final = {category.label: index for index, category in enumerate(FACE_MASK_CLASSES)} | {
    "face": UNKNOWN_STATE
}


@dataclass(frozen=True, slots=True, eq=False)
class FaceLabels:
    """The labelled faces of one picture.

    - ``boxes_xyxy``: float64 (M, 4), original pixels, inside of the picture.
    - ``states``: int64 (M,), indices into ``FACE_MASK_CLASSES``, or ``UNKNOWN_STATE``.
    - ``ignored``: bool (M,), neither to be found nor wrong to be found.
    - ``regions``: bool (M,), those of ``ignored`` that may hold many faces.
    - ``least_height_px``: found faces below it that meet nothing are not wrong.
    """

    boxes_xyxy: NDArray[np.float64]
    states: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    regions: NDArray[np.bool_]
    least_height_px: float = 0.0

    @property
    def heights_px(self) -> NDArray[np.float64]:
        """Heights (M,) in original pixels."""
        return np.asarray(self.boxes_xyxy[:, 3] - self.boxes_xyxy[:, 1])

    def overlaps(self, boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Overlaps (N, M) of boxes (N, 4) with the labels; see ``models.evaluation.overlaps``."""
        return box_overlaps(boxes_xyxy, self.boxes_xyxy, self.regions)

    def too_small(self, boxes_xyxy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which boxes (N, 4) are below ``least_height_px``: (N,)."""
        return np.asarray(boxes_xyxy[:, 3] - boxes_xyxy[:, 1] < self.least_height_px)


def face_labels(
    picture: AnnotatedPicture, *, least_height_px: float = 0.0, need_state: bool = False
) -> FaceLabels:
    """The faces among the objects of ``picture``: the three categories of wear and plain ``face``.

    With ``need_state`` a plain ``face`` is ignored. Other objects are left out.
    """
    things = [thing for thing in picture.objects if thing.category in _STATES]
    boxes = clipped(np.array([thing.box_xyxy for thing in things], np.float64), picture.image_hw)
    states = np.array([_STATES[thing.category] for thing in things], np.int64)
    regions = np.array([thing.ignored for thing in things], np.bool_)
    ignored = regions | (boxes[:, 3] - boxes[:, 1] < least_height_px)
    if need_state:
        ignored |= states == UNKNOWN_STATE
    return FaceLabels(boxes, states, ignored, regions, least_height_px)


@dataclass(frozen=True, slots=True, eq=False)
class FaceMatches:
    """How found faces meet labels at ``IOU_THRESHOLD``, whatever their states.

    - ``label_of``: int64 (N,), the label that each found, or -1; never an ignored one.
    - ``found_by``: int64 (M,), the other way round.
    - ``excused``: bool (N,), found no label but lies on an ignored one, or is too small to count.
    - ``best_iou``: float64 (N,), largest overlap with any label, found by another or not.
    - ``nearest_iou``: float64 (M,), largest overlap with any found face that found no other label.
    """

    label_of: NDArray[np.int64]
    found_by: NDArray[np.int64]
    excused: NDArray[np.bool_]
    best_iou: NDArray[np.float64]
    nearest_iou: NDArray[np.float64]


def match_faces(
    boxes_xyxy: NDArray[np.float64], scores: NDArray[np.float32], labels: FaceLabels
) -> FaceMatches:
    """Match boxes (N, 4), best first, with the labels as ``models.evaluation.matching`` does."""
    wanted = np.flatnonzero(~labels.ignored)
    found = match(boxes_xyxy, scores, labels.boxes_xyxy[wanted], iou_threshold=IOU_THRESHOLD)
    label_of = np.full(len(boxes_xyxy), -1, np.int64)
    best_first = np.argsort(-scores, kind="stable")
    hits = found.label_of >= 0
    label_of[best_first[hits]] = wanted[found.label_of[hits]]
    found_by = np.full(len(labels.states), -1, np.int64)
    found_by[label_of[label_of >= 0]] = np.flatnonzero(label_of >= 0)
    overlaps = labels.overlaps(boxes_xyxy)
    on_ignored = overlaps[:, labels.ignored].max(axis=1, initial=0.0) >= IOU_THRESHOLD
    free = (label_of[:, None] < 0) | (label_of[:, None] == np.arange(len(labels.states)))
    return FaceMatches(
        label_of=label_of,
        found_by=found_by,
        excused=(label_of < 0) & (on_ignored | labels.too_small(boxes_xyxy)),
        best_iou=overlaps.max(axis=1, initial=0.0),
        nearest_iou=np.where(free, overlaps, 0.0).max(axis=0, initial=0.0),
    )
