"""Measure landmarks: ``python -m models.evaluation.landmarks WEIGHTS COCO_FILE``.

For pictures of one face each, with five labelled points. The error is the mean distance of the five points
from their labels, divided by the labelled distance between the eyes.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DataSetError, ModelError
from models.evaluation.faces import FaceFinder
from models.letterbox import input_hw_for, letterbox_batch
from models.pictures import read_picture


@dataclass(frozen=True, slots=True)
class LandmarkFigures:
    """``found``: share of pictures in which a face was seen; ``mean_error`` and ``median_error`` over
    those."""

    longest_side_px: int
    images: int
    found: float
    mean_error: float
    median_error: float


def read_landmarks(file: Path) -> list[tuple[Path, NDArray[np.float32]]]:
    """Image paths and points (5, 2) of a COCO keypoint file of single faces. Raises ``DataSetError``."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        names = {image["id"]: file.parent / image["file_name"] for image in content["images"]}
        return [
            (
                names[row["image_id"]],
                np.array(row["keypoints"], np.float32).reshape(5, 3)[:, :2],
            )
            for row in content["annotations"]
        ]
    except OSError as error:
        raise DataSetError(f"{file}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataSetError(f"{file}: is no COCO file of five points per face: {error!r}") from error


def evaluate_landmarks(
    finder: FaceFinder, faces: Sequence[tuple[Path, NDArray[np.float32]]], *, longest_side_px: int
) -> LandmarkFigures:
    """Measure ``finder`` on pictures of one face each, of which its best detection counts."""
    errors = []
    for path, labelled in faces:
        picture = read_picture(path)
        batch = letterbox_batch([picture], input_hw_for(picture.image_hw, longest_side_px))
        found = finder.detect(batch)[0]
        if len(found):
            distance = np.linalg.norm(found.landmarks_xy[0] - labelled, axis=1).mean()
            errors.append(float(distance / np.linalg.norm(labelled[0] - labelled[1])))
    return LandmarkFigures(
        longest_side_px=longest_side_px,
        images=len(faces),
        found=len(errors) / max(1, len(faces)),
        mean_error=float(np.mean(errors)) if errors else 0.0,
        median_error=float(np.median(errors)) if errors else 0.0,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of one weights file as JSON lines."""
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415 - loads TensorFlow

    parser = argparse.ArgumentParser(prog="python -m models.evaluation.landmarks", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("coco_file", type=Path)
    parser.add_argument("--longest-side", type=int, nargs="+", default=[96, 160], metavar="PX")
    options = parser.parse_args(arguments)
    try:
        finder = RetinaFaceDetector(options.weights)
        faces = read_landmarks(options.coco_file)
        for longest_side_px in options.longest_side:
            print(json.dumps(asdict(evaluate_landmarks(finder, faces, longest_side_px=longest_side_px))))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
