"""How far found landmarks lie from labelled ones, on close-ups with five labelled points each.

The error of a face is the mean distance of the five points from their labels, divided by the labelled distance between
the eyes (as in 300-W: Sagonas et al. 2016, with the eyes' centres).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.evaluation.face_finder import FaceFinder
from models.letterbox import input_hw_for, letterbox_batch
from models.pictures import read_picture
from models.retinaface.faces import Faces


@dataclass(frozen=True, slots=True)
class LandmarkFigures:
    """``found``: share of pictures in which the labelled face was seen; ``mean_error`` and ``median_error`` over
    those."""

    longest_side_px: int
    images: int
    found: float
    mean_error: float
    median_error: float


def evaluate_landmarks(
    finder: FaceFinder, faces: Sequence[tuple[Path, NDArray[np.float32]]], *, longest_side_px: int
) -> LandmarkFigures:
    """Measure ``finder`` on pictures of one labelled face each: the face whose box holds the middle of the labelled
    points counts (of several, the surest), for others may be seen beside it."""
    errors = []
    for path, labelled in faces:
        picture = read_picture(path)
        batch = letterbox_batch([picture], input_hw_for(picture.image_hw, longest_side_px))
        points = _landmarks_at(finder.detect(batch)[0], labelled.mean(0))
        if points is not None:
            distance = np.linalg.norm(points - labelled, axis=1).mean()
            errors.append(float(distance / np.linalg.norm(labelled[0] - labelled[1])))
    return LandmarkFigures(
        longest_side_px=longest_side_px,
        images=len(faces),
        found=len(errors) / max(1, len(faces)),
        mean_error=float(np.mean(errors)) if errors else 0.0,
        median_error=float(np.median(errors)) if errors else 0.0,
    )


def _landmarks_at(found: Faces, place_xy: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Landmarks (5, 2) of the surest face whose box holds ``place_xy`` (2,)."""
    boxes = found.boxes_xyxy
    holds = ((boxes[:, :2] <= place_xy) & (place_xy <= boxes[:, 2:])).all(axis=1)
    if not holds.any():
        return None
    return np.asarray(found.landmarks_xy[int(np.where(holds, found.scores, -1.0).argmax())])
