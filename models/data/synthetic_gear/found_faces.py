"""Faces of pictures without labels, as the shipped RetinaFace, or another, sees them.

Importing this loads TensorFlow.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.faced_pictures import FaceFinder
from models.letterbox import default_input_size, input_hw_for, letterbox_batch
from models.loading import weights_paths
from models.retinaface.detector import RetinaFaceDetector
from models.structures import Picture

#: Surely faces: gear drawn on what is none would be learned.
_LEAST_SCORE: Final = 0.8


def face_finder(weights: Path | None = None) -> FaceFinder:
    """What finds landmarks (F, 5, 2) in a picture: with ``weights``, by default the shipped ones.

    Raises ``WeightsError`` when the file is not one of a RetinaFace.
    """
    given = {} if weights is None else {"retinaface": weights}
    path = weights_paths(given, names=("retinaface",))["retinaface"]
    detector = RetinaFaceDetector(path, score_threshold=_LEAST_SCORE)

    def find(picture: Picture) -> NDArray[np.floating[Any]]:
        input_hw = input_hw_for(picture.image_hw, default_input_size(picture.image_hw))
        (faces,) = detector.detect(letterbox_batch([picture], input_hw))
        return faces.landmarks_xy

    return find
