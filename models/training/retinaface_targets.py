"""What every anchor should say of a canvas.

Shapes: A anchors; M faces; G ignored regions.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.networks.boxes import box_coverage, box_iou, encode_boxes, encode_landmarks
from models.training.retinaface_augmentation import Canvas

#: Of an anchor, this much inside an ignored region makes it ignored.
IGNORED_COVERAGE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which anchors stand for a face.

    The defaults are those of biubug6/Pytorch_Retinaface, whose weights are the initial ones: face from 0.35,
    background below it, a best anchor from 0.2. The paper has 0.5 and 0.3, with what lies between ignored.

    - ``positive_iou``: from this IoU an anchor stands for the face that it overlaps most.
    - ``background_iou``: below this it is background.
    - ``forced_iou``: a face that no anchor reaches gets its best one, from this IoU.
    - ``least_anchors``, ``compensated_iou``: a face with fewer anchors than the first gets its best free
      ones, from the second IoU (scale compensation, Zhang et al. 2017, arXiv:1708.05237): else faces smaller
      than the smallest anchor learn from one anchor or none.

    Raises ``ValueError`` on values out of range.
    """

    positive_iou: float = 0.35
    background_iou: float = 0.35
    forced_iou: float = 0.2
    least_anchors: int = 1
    compensated_iou: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.background_iou <= self.positive_iou < 1:
            raise ValueError("background_iou must lie between 0 and positive_iou, and that below 1")
        if not 0 < self.compensated_iou <= self.forced_iou < 1 or self.least_anchors < 1:
            raise ValueError("compensated_iou must lie between 0 and forced_iou, least_anchors above 0")


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """- ``labels``: float32 (A,), 1 face, 0 background, -1 ignored.

    - ``box_deltas``: float32 (A, 4), valid where ``box_weights`` float32 (A,) is above 0.
    - ``landmark_deltas``: float32 (A, 10), valid where ``landmark_weights`` float32 (A,) is above 0.
    """

    labels: NDArray[np.float32]
    box_deltas: NDArray[np.float32]
    box_weights: NDArray[np.float32]
    landmark_deltas: NDArray[np.float32]
    landmark_weights: NDArray[np.float32]


def targets_for(canvas: Canvas, anchors: NDArray[np.float32], matching: Matching) -> Targets:
    """Match the faces of a canvas with anchors (A, 4; centre and sides).

    What ``matching`` gives to several faces goes to the one it overlaps most; the best anchor of a face is
    its own all the same (that of the larger overlap, where two want the same one). What lies in an ignored
    region without standing for a face is ignored.
    """
    count = len(anchors)
    half = anchors[:, 2:] / 2
    corners = np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1)
    labels = np.zeros(count, np.float32)
    if len(canvas.ignored_xyxy):
        labels[(box_coverage(corners, canvas.ignored_xyxy) >= IGNORED_COVERAGE).any(axis=1)] = -1
        labels[(box_iou(corners, canvas.ignored_xyxy) >= matching.positive_iou).any(axis=1)] = -1
    targets = Targets(
        labels,
        np.zeros((count, 4), np.float32),
        np.zeros(count, np.float32),
        np.zeros((count, 10), np.float32),
        np.zeros(count, np.float32),
    )
    if len(canvas.boxes_xyxy) == 0:
        return targets
    overlaps = box_iou(corners, canvas.boxes_xyxy)
    labels[overlaps.max(axis=1) >= matching.background_iou] = -1
    face_of = _faces_of_anchors(overlaps, matching)
    rows = np.flatnonzero(face_of >= 0)
    faces = face_of[rows]
    labels[rows] = 1
    targets.box_deltas[rows] = encode_boxes(canvas.boxes_xyxy[faces], anchors[rows])
    targets.box_weights[rows] = canvas.box_weights[faces]
    targets.landmark_deltas[rows] = encode_landmarks(canvas.landmarks_xy[faces], anchors[rows])
    targets.landmark_weights[rows] = canvas.landmark_weights[faces]
    return targets


def _faces_of_anchors(overlaps: NDArray[np.float32], matching: Matching) -> NDArray[np.intp]:
    """Of (A, M) IoUs: (A,) the face that each anchor stands for, or -1."""
    face_of = np.where(overlaps.max(axis=1) >= matching.positive_iou, overlaps.argmax(axis=1), -1)
    best_anchor, best_overlap = overlaps.argmax(axis=0), overlaps.max(axis=0)
    for face in np.argsort(best_overlap, kind="stable"):
        if best_overlap[face] >= matching.forced_iou:
            face_of[best_anchor[face]] = face
    if matching.least_anchors > 1:
        counts = np.bincount(face_of[face_of >= 0], minlength=overlaps.shape[1])
        for face in np.flatnonzero(counts < matching.least_anchors):
            free = np.flatnonzero((face_of < 0) & (overlaps[:, face] >= matching.compensated_iou))
            best = free[np.argsort(-overlaps[free, face], kind="stable")]
            face_of[best[: matching.least_anchors - counts[face]]] = face
    return np.asarray(face_of, np.intp)
