"""What every anchor should say of a canvas.

Shapes: A anchors; M faces; G ignored regions.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.networks.boxes import box_coverage, box_iou, encode_boxes, encode_landmarks
from models.training.retinaface_augmentation import Canvas

#: Published with RetinaFace: from this IoU an anchor stands for a face.
POSITIVE_IOU: Final = 0.35

#: A face that no anchor reaches by the above gets its best one, if they overlap by this at least.
FORCED_IOU: Final = 0.2

#: Of an anchor, this much inside an ignored region makes it ignored.
IGNORED_COVERAGE: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """- ``labels``: float32 (A,), 1 face, 0 background, -1 ignored.

    - ``box_deltas``: float32 (A, 4), valid where the label is 1.
    - ``landmark_deltas``: float32 (A, 10), valid where ``landmark_weights`` float32 (A,) is 1.
    """

    labels: NDArray[np.float32]
    box_deltas: NDArray[np.float32]
    landmark_deltas: NDArray[np.float32]
    landmark_weights: NDArray[np.float32]


def targets_for(canvas: Canvas, anchors: NDArray[np.float32]) -> Targets:
    """Match the faces of a canvas with anchors (A, 4; centre and sides).

    Every anchor stands for the face it overlaps most, from an IoU of 0.35; every face keeps its best anchor
    (from 0.2, and the larger overlap wins where two faces want the same one); what lies in an ignored
    region without standing for a face is ignored.
    """
    count = len(anchors)
    half = anchors[:, 2:] / 2
    corners = np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1)
    labels = np.zeros(count, np.float32)
    if len(canvas.ignored_xyxy):
        labels[(box_coverage(corners, canvas.ignored_xyxy) >= IGNORED_COVERAGE).any(axis=1)] = -1
        labels[(box_iou(corners, canvas.ignored_xyxy) >= POSITIVE_IOU).any(axis=1)] = -1
    targets = Targets(
        labels,
        np.zeros((count, 4), np.float32),
        np.zeros((count, 10), np.float32),
        np.zeros(count, np.float32),
    )
    if len(canvas.boxes_xyxy) == 0:
        return targets
    overlaps = box_iou(corners, canvas.boxes_xyxy)
    face_of = overlaps.argmax(axis=1)
    is_face = overlaps.max(axis=1) >= POSITIVE_IOU
    best_anchor = overlaps.argmax(axis=0)
    best_overlap = overlaps.max(axis=0)
    for face in np.argsort(best_overlap, kind="stable"):
        if best_overlap[face] >= FORCED_IOU:
            face_of[best_anchor[face]] = face
            is_face[best_anchor[face]] = True
    rows = np.flatnonzero(is_face)
    faces = face_of[rows]
    labels[rows] = 1
    targets.box_deltas[rows] = encode_boxes(canvas.boxes_xyxy[faces], anchors[rows])
    targets.landmark_deltas[rows] = encode_landmarks(canvas.landmarks_xy[faces], anchors[rows])
    targets.landmark_weights[rows] = canvas.has_landmarks[faces]
    return targets
