"""Boxes of faces of which only the landmarks are known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import Box


def box_around_landmarks(landmarks_xy: NDArray[np.floating[Any]]) -> Box:
    """A face box from (5, 2) points: eyes, nose, mouth corners.

    Its proportions are the medians of what ppewatch's own RetinaFace draws around the points that it finds: from
    the brows to the chin. The larger of the distance between the eyes (short in profile) and that from eyes to
    mouth is the unit.
    """
    eyes, mouth = landmarks_xy[:2].mean(0), landmarks_xy[3:].mean(0)
    unit = max(float(np.hypot(*(landmarks_xy[0] - landmarks_xy[1]))), float(np.hypot(*(eyes - mouth))), 1.0)
    x, y = landmarks_xy.mean(0).tolist()
    y -= 0.06 * unit
    half_width, half_height = 1.10 * unit, 1.27 * unit
    return x - half_width, y - half_height, x + half_width, y + half_height
