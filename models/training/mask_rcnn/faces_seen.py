"""Faces on the training pictures, with landmarks and how each wears a face mask, seen by our own detector.

They say on which faces a face mask may be drawn, and about where one is that nobody labelled.

    python -m models.training.mask_rcnn.faces_seen --data DATA --coco faces/train.json --out runs/pseudo/faces.json
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.data.readers.coco import read_coco
from models.data.synthetic_gear.face_mask_templates import SURGICAL
from models.data.synthetic_gear.head_frame import HeadFrame
from models.detector import Detector
from models.errors import DataSetError
from models.pictures import ArrayPicture, read_picture
from models.training.mask_rcnn.labels import Example
from models.training.mask_rcnn.pseudo_labels import PseudoLabel, PseudoLabelRule, completed

_LEAST_SCORE: Final = 0.3

#: Of faces with less, one cannot be sure that they wear no face mask.
_SURE: Final = 0.85
_LEAST_SHARPNESS: Final = 0.2

#: Where labelled face masks are in the box of the face that wears them, by its sides: medians.
_FACE_MASK_IN_FACE: Final = np.array([0.02, 0.36, 0.99, 1.04])

#: About where the head is, by the sides of its face's box.
_HEAD_AROUND_FACE: Final = np.array([-0.15, -0.35, 1.15, 1.05])

_FACE_MASK_RULE: Final = PseudoLabelRule("", "face_mask", thing_score=0.8, ignored_score=0.15)
#: Nobody knows whether the head is bare.
_HEAD_RULE: Final = PseudoLabelRule("", "bare_head", thing_score=2.0, ignored_score=0.3)

#: Pictures are looked at enlarged by about this much, on squares of few sizes: each is compiled once.
_ENLARGED: Final = 1.5
_SIDES_PX: Final = (480, 640, 800, 960, 1280)


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """A face, in pixels of the picture.

    - ``box_xyxy`` float32 (4,); ``landmarks_xy`` float32 (5, 2); ``score`` 0 to 1.
    - ``masked``, ``unmasked``: probability that it wears a face mask as required, or none.
    - ``sharpness``: 0 to 1, see ``Detections``.
    """

    box_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    score: float
    masked: float
    unmasked: float
    sharpness: float


def look(detector: Detector, pixels: NDArray[np.uint8]) -> list[SeenFace]:
    """The faces on uint8 (H, W, 3), best first. ``detector`` is the default one, of ``models.loading``."""
    wanted = _ENLARGED * max(pixels.shape[:2])
    side = next((size for size in _SIDES_PX if size >= wanted), _SIDES_PX[-1])
    found = detector.detect([ArrayPicture(pixels)], (side, side))[0]
    if not len(found.scores):
        return []
    if found.landmarks_xy is None or found.face_mask_probs is None or found.sharpness is None:
        raise ValueError("the detector tells no landmarks or no face masks")
    return [
        SeenFace(
            found.boxes_xyxy[row],
            found.landmarks_xy[row],
            float(found.scores[row]),
            float(found.face_mask_probs[row, 0]),
            float(found.face_mask_probs[row, 1]),
            float(found.sharpness[row]),
        )
        for row in range(len(found.scores))
    ]


def write_faces(path: Path, faces: Mapping[str, Sequence[SeenFace]], digests: Mapping[str, str]) -> None:
    """Write faces by picture (its path relative to the data folder), and what saw them."""
    rows = {
        name: [
            [
                np.round(face.box_xyxy.astype(float), 1).tolist(),
                np.round(face.landmarks_xy.astype(float), 2).tolist(),
                *(round(value, 3) for value in (face.score, face.masked, face.unmasked, face.sharpness)),
            ]
            for face in seen
        ]
        for name, seen in faces.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps({"seen_by": dict(digests), "pictures": rows}), encoding="utf-8")
    temporary.replace(path)


def read_faces(path: Path) -> dict[str, list[SeenFace]]:
    """Read what ``write_faces`` wrote. Raises ``DataSetError``."""
    try:
        pictures = json.loads(path.read_text(encoding="utf-8"))["pictures"]
        return {
            str(name): [
                SeenFace(
                    np.array(box, np.float32).reshape(4),
                    np.array(landmarks, np.float32).reshape(5, 2),
                    *map(float, numbers),
                )
                for box, landmarks, *numbers in rows
            ]
            for name, rows in pictures.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataSetError(f"{path}: is no file of faces: {error}") from error


def with_faces(example: Example, seen: Sequence[SeenFace], categories: Sequence[str]) -> Example:
    """The example with what the faces seen on it tell.

    Landmarks of those that surely wear no face mask; the face masks of those that surely wear one, ignored
    regions of others (unless the source labels face masks there); ignored regions of heads (unless it labels
    heads). What the source labels wins.
    """
    sure = [
        face.landmarks_xy
        for face in seen
        if min(face.score, face.unmasked) >= _SURE and face.sharpness >= _LEAST_SHARPNESS
    ]
    example = replace(example, bare_faces_xy=np.array(sure, np.float32).reshape(-1, 5, 2))
    example = completed(example, face_mask_labels(seen), _FACE_MASK_RULE, categories)
    return completed(example, _head_labels(seen), _HEAD_RULE, categories)


def face_mask_labels(seen: Sequence[SeenFace]) -> list[PseudoLabel]:
    """About where the face masks of the faces are, whatever they look like.

    The mean of two guesses: where a drawn surgical mask would be, and the part of a face's box that labelled
    face masks take. ``score`` is sure only of sharp faces that wear one as required.
    """
    labels = []
    for face in seen:
        try:
            frame = HeadFrame.from_landmarks(face.landmarks_xy)
        except ValueError:
            continue
        points = frame.project(SURGICAL.control_mm).reshape(-1, 2)
        drawn = np.concatenate([points.min(axis=0), points.max(axis=0)])
        origin, sides = np.tile(face.box_xyxy[:2], 2), np.tile(face.box_xyxy[2:] - face.box_xyxy[:2], 2)
        x1, y1, x2, y2 = ((drawn + origin + sides * _FACE_MASK_IN_FACE) / 2).tolist()
        told = min(1.0, face.sharpness / _LEAST_SHARPNESS)
        score = told * min(face.score, face.masked) + (1 - told) * 0.5 * face.score * (1 - face.unmasked)
        if x2 > x1 and y2 > y1:
            labels.append(PseudoLabel("face_mask", score, (x1, y1, x2, y2)))
    return labels


def _head_labels(seen: Sequence[SeenFace]) -> list[PseudoLabel]:
    labels = []
    for face in seen:
        origin, sides = np.tile(face.box_xyxy[:2], 2), np.tile(face.box_xyxy[2:] - face.box_xyxy[:2], 2)
        x1, y1, x2, y2 = (origin + sides * _HEAD_AROUND_FACE).tolist()
        labels.append(PseudoLabel("bare_head", face.score, (x1, y1, x2, y2)))
    return labels


def main(arguments: Sequence[str] | None = None) -> None:
    """Look at the pictures of COCO files and write the faces seen."""
    from models.loading import load_default_detector  # noqa: PLC0415 - loads TensorFlow

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--coco", action="append", required=True, help="relative to --data; several times")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    detector = load_default_detector(score_threshold=_LEAST_SCORE, models=["retinaface"])
    pictures = [picture for name in given.coco for picture in read_coco(given.data / name)]
    faces: dict[str, list[SeenFace]] = {}
    for picture in tqdm(pictures, unit="picture", mininterval=5):
        name = picture.path.relative_to(given.data).as_posix()
        faces[name] = look(detector, read_picture(picture.path).rgb())
    write_faces(given.out, faces, detector.digests)


if __name__ == "__main__":
    main()
