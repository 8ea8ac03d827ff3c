"""Hard examples among the training pictures: what given weights miss there, and what they take for a face.

Mined once, before a run, in what the weights see of every picture (``retinaface_teacher``): such pictures are
drawn more often, and their crops show the hard places. Harder than the hard negatives of a batch, which are
those of its few canvases.

Shapes: M faces, N seen ones of one picture.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.networks.boxes import box_coverage, box_iou
from models.retinaface.faces import Faces
from models.training.retinaface_examples import FaceExample

#: A face is missed when nothing of this score overlaps it by this IoU.
FOUND_SCORE: Final = 0.5
FOUND_IOU: Final = 0.5

#: From this score, what overlaps no face by ``APART_IOU`` is a false one.
FALSE_SCORE: Final = 0.3
APART_IOU: Final = 0.3

#: Beyond this many hard places a picture is not drawn more often still.
MOST_COUNTED: Final = 4


def mined(example: FaceExample, seen: Faces, *, gain: float) -> FaceExample:
    """The example with its hard places, drawn ``gain`` times more often for each of them, up to four.

    ``seen``: what the weights see in the picture. What is ignored there is no hard place.
    """
    hard = hard_places(example, seen)
    return replace(example, hard_xyxy=hard, draw_weight=1 + gain * min(len(hard), MOST_COUNTED))


def hard_places(example: FaceExample, seen: Faces) -> NDArray[np.float32]:
    """Faces that are missed, and false ones: float32 (any, 4), in the picture's pixels."""
    overlaps = box_iou(example.boxes_xyxy, seen.boxes_xyxy)
    certain = seen.scores >= FOUND_SCORE
    missed = (overlaps * certain).max(axis=1, initial=0.0) < FOUND_IOU
    apart = overlaps.max(axis=0, initial=0.0) < APART_IOU
    excused = box_coverage(seen.boxes_xyxy, example.ignored_xyxy).max(axis=1, initial=0.0) >= 0.5
    false = (seen.scores >= FALSE_SCORE) & apart & ~excused
    return np.concatenate([example.boxes_xyxy[missed], seen.boxes_xyxy[false]]).astype(np.float32)
