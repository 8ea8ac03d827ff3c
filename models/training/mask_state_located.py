"""Faces that a RetinaFace finds in pictures without boxes of faces, kept in a file: see ``LocatedFaces``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from tqdm import tqdm

from models.errors import DataSetError
from models.letterbox import FILL_RGB, input_hw_for, letterbox_batch
from models.loading import weights_paths
from models.pictures import read_picture
from models.retinaface.detector import RetinaFaceDetector
from models.structures import ImageBatch, Picture
from models.training.mask_state_examples import LocatedFaces

_CANVAS_PX: Final = 640
# Close-ups need a frame around them, or a face as large as the picture is larger than the largest anchor.
_CLOSE_UP_PX: Final = 480
_LEAST_SCORE: Final = 0.02
#: So often the file is written while the detector works.
_SAVED_EVERY: Final = 500


class ToLocate(NamedTuple):
    """A picture to be looked at: ``longest_px`` is its longest side for the detector, None for a close-up, which gets
    a frame around it."""

    file: Path
    longest_px: int | None = None


def located_faces(wanted: Mapping[str, ToLocate], kept: Path, detector_weights: Path | None) -> LocatedFaces:
    """The faces of the pictures ``wanted`` by key: from the file ``kept``, which gets those that it lacks.

    ``detector_weights``: of a RetinaFace, None for the shipped ones.

    Raises ``WeightsError``, ``DataSetError``, ``PictureError``.
    """
    located: dict[str, list[list[float]]] = _read(kept)
    missing = {key: picture for key, picture in wanted.items() if key not in located}
    if not missing:
        return located
    weights = detector_weights or weights_paths(names=("retinaface",))["retinaface"]
    detector = RetinaFaceDetector(weights, score_threshold=_LEAST_SCORE)
    for number, (key, (file, longest_px)) in enumerate(
        tqdm(missing.items(), desc="faces", unit="picture"), 1
    ):
        picture = read_picture(file)
        batch = (
            _framed(picture)
            if longest_px is None
            else letterbox_batch([picture], input_hw_for(picture.image_hw, longest_px))
        )
        (faces,) = detector.detect(batch)
        rows = np.column_stack([faces.boxes_xyxy, faces.scores, faces.landmarks_xy.reshape(-1, 10)])
        located[key] = np.round(rows, 3).tolist()
        if number % _SAVED_EVERY == 0:
            _write(kept, located)
    _write(kept, located)
    return located


def _read(kept: Path) -> dict[str, list[list[float]]]:
    if not kept.exists():
        return {}
    try:
        content = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataSetError(f"{kept}: holds no located faces: {error}") from error
    if not isinstance(content, dict):
        raise DataSetError(f"{kept}: holds no located faces")
    return content


def _write(kept: Path, located: LocatedFaces) -> None:
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps(located), encoding="utf-8")
    partial.replace(kept)


def _framed(picture: Picture) -> ImageBatch:
    """The picture, scaled to the size of close-ups, in the middle of a canvas of the mean colour."""
    height, width = picture.image_hw
    scale = _CLOSE_UP_PX / max(height, width)
    drawn = picture.rgb((max(1, round(height * scale)), max(1, round(width * scale))))
    top, left = (_CANVAS_PX - drawn.shape[0]) // 2, (_CANVAS_PX - drawn.shape[1]) // 2
    pixels = np.empty((1, _CANVAS_PX, _CANVAS_PX, 3), np.uint8)
    pixels[:] = FILL_RGB
    pixels[0, top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return ImageBatch(
        pixels=pixels,
        scales=np.array([scale], np.float32),
        pads_xy=np.array([[left, top]], np.float32),
        image_hw=np.array([[height, width]], np.int32),
    )
