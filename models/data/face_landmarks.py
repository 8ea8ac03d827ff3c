"""Labelled landmarks of faces: COCO's keypoint files of single faces."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DataSetError


def read_landmarks(file: Path) -> list[tuple[Path, NDArray[np.float32]]]:
    """Image paths and points (5, 2), eyes, nose and corners of the mouth, of pictures of one labelled face each.

    Raises ``DataSetError`` when the file cannot be read or is none of five points per face.
    """
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
