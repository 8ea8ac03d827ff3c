"""Figures on the pictures that a run holds out: how it chooses its best round.

Shapes: D detections of all pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.coco_faces import LabelledPicture
from models.evaluation.face_finder import FaceFinder
from models.evaluation.landmarks import evaluate_landmarks
from models.evaluation.matching import average_precision, match
from models.letterbox import input_hw_for, letterbox_batch
from models.pictures import read_picture
from models.retinaface.faces import Faces

#: At which side close-ups are looked at, and how many at most.
CLOSE_UP_SIDE_PX: Final = 160
MOST_CLOSE_UPS: Final = 200


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """``ap50`` and ``ap75`` by longest side; ``landmark_error``: mean error on held-out close-ups in distances
    of the eyes, None where there are none."""

    ap50: dict[int, float]
    ap75: dict[int, float]
    landmark_error: float | None = None

    @property
    def score(self) -> float:
        """By which rounds are compared: the mean of ``ap50``."""
        return float(np.mean(list(self.ap50.values())))

    @property
    def scalars(self) -> dict[str, float]:
        """All figures by name."""
        values = {f"ap50/{side}": value for side, value in self.ap50.items()}
        values |= {f"ap75/{side}": value for side, value in self.ap75.items()}
        return values if self.landmark_error is None else values | {"landmark_error": self.landmark_error}


def measure_held_out(
    finder: FaceFinder,
    pictures: Sequence[LabelledPicture],
    close_ups: Sequence[tuple[Path, NDArray[np.float32]]] = (),
    *,
    sides_px: Sequence[int],
) -> HeldOutFigures:
    """Look at every picture at each of ``sides_px``, and at the first close-ups, and compare."""
    found = {side: [_look(finder, picture, side) for picture in pictures] for side in sides_px}
    error = None
    if close_ups:
        chosen = close_ups[:MOST_CLOSE_UPS]
        error = evaluate_landmarks(finder, chosen, longest_side_px=CLOSE_UP_SIDE_PX).mean_error
    return HeldOutFigures(
        {side: _precision(faces, pictures, 0.5) for side, faces in found.items()},
        {side: _precision(faces, pictures, 0.75) for side, faces in found.items()},
        error,
    )


def _look(finder: FaceFinder, picture: LabelledPicture, side_px: int) -> Faces:
    return finder.detect(
        letterbox_batch([read_picture(picture.path)], input_hw_for(picture.image_hw, side_px))
    )[0]


def _precision(found: Sequence[Faces], pictures: Sequence[LabelledPicture], iou_threshold: float) -> float:
    matches = [
        match(faces.boxes_xyxy, faces.scores, picture.boxes_xyxy, iou_threshold=iou_threshold)
        for faces, picture in zip(found, pictures, strict=True)
    ]
    return average_precision(
        np.concatenate([one.scores for one in matches]),
        np.concatenate([one.label_of >= 0 for one in matches]),
        sum(len(picture.boxes_xyxy) for picture in pictures),
    )
