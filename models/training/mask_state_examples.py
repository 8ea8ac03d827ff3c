"""The labelled faces that the mask-state classifier learns from, gathered from COCO files of several layouts.

A data folder holds one folder per source with ``train.json``, ``val.json`` and ``images/``:

- ``faces``: boxes of faces in three classes; ``group`` marks images that are near duplicates of each other.
- ``face_crops``, ``mask_kinds``: one label per image and no box; a face detector finds the face.
- ``face_landmarks``: five points per face, nobody masked; the box is drawn from the points.
- ``hard_hats``: the faces that the face detector finds are unmasked but for a few in a hundred (seen by eye).
- ``heads``, ``hard_hats``: boxes of heads. Those in which the face detector sees no trace of a face are the
  backs and tops of heads of which nobody could tell; what it finds away from every head is no face.
- ``persons``, ``hard_hats``: squares away from every labelled box are background.

On unmasked faces of which the landmarks are known, face masks are drawn as well
(``models.data.face_masks_drawn``), worn as required or pulled down: real pictures of wrong wear are few.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.face_mask_templates import TEMPLATES
from models.errors import DataSetError

WITH_MASK, WITHOUT_MASK, INCORRECT = range(3)

#: Faces found in one image: rows of x1, y1, x2, y2, score, in pixels of the image file. Keys are
#: ``<folder>/<file>``.
LocatedFaces = Mapping[str, Sequence[Sequence[float]]]

_IMAGE_LABELS: Final = {
    "with_mask": WITH_MASK,
    "without_mask": WITHOUT_MASK,
    "cloth": WITH_MASK,
    "n95": WITH_MASK,
    "surgical": WITH_MASK,
    "worn_incorrectly": INCORRECT,
    "no_mask": WITHOUT_MASK,
}
_FACE_LABELS: Final = {
    "face_with_mask": WITH_MASK,
    "face_without_mask": WITHOUT_MASK,
    "face_mask_incorrect": INCORRECT,
}
_SMALLEST_FACE_PX: Final = 8.0
#: Labelled boxes of ``faces`` reach lower than those that RetinaFace draws around the same faces: by 0.15 (masked)
#: and 0.12 (unmasked) of the longer side with the published weights, 0.08 and 0.06 fine-tuned (medians).
_RISE: Final = 0.1
_SMALLEST_DRAWN_PX: Final = 24.0
_LEAST_EYE_DISTANCE_PX: Final = 6.0
_CALIBRATION_SHARE: Final = 10  # one group of so many


@dataclass(frozen=True, slots=True)
class Drawing:
    """A face mask to be drawn: template by name, colour by number, how far it is pulled down, seed of the
    grain.
    """

    landmarks_xy: tuple[tuple[float, float], ...]
    template: str
    colour: int
    lowered_mm: float
    seed: int


@dataclass(frozen=True, slots=True)
class FaceExample:
    """One box to learn from.

    - ``file``: the image; ``box_xyxy``: original pixels; ``label``: index of a logit.
    - ``source``: folder and source, for weighting and reports.
    - ``held_out``: belongs to the calibration split, never trained on.
    - ``landmarks_xy``: five points, original pixels, where they are known. ``drawing``: what is drawn on the
      face.
    """

    file: Path
    box_xyxy: tuple[float, float, float, float]
    label: int
    source: str
    held_out: bool = False
    landmarks_xy: tuple[tuple[float, float], ...] | None = None
    drawing: Drawing | None = None


def read_coco(path: Path) -> dict[str, Any]:
    """A COCO file. Raises ``DataSetError`` when it is missing or lacks ``images`` or ``categories``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataSetError(f"{path}: is no JSON: {error}") from error
    if not isinstance(content, dict) or not {"images", "categories"} <= set(content):
        raise DataSetError(f"{path}: is no COCO file")
    return content


def labelled_faces(data: Path, split: str) -> list[FaceExample]:
    """Boxes of ``faces``, moved to where a detector draws them.

    Groups of the training split are held out whole for calibration, by their hash."""
    coco = read_coco(data / "faces" / f"{split}.json")
    names = {category["id"]: category["name"] for category in coco["categories"]}
    images = {image["id"]: image for image in coco["images"]}
    examples = []
    for annotation in coco["annotations"]:
        image = images[annotation["image_id"]]
        x, y, width, height = annotation["bbox"]
        if annotation.get("iscrowd") or (split == "train" and max(width, height) < _SMALLEST_FACE_PX):
            continue
        group = str(image.get("group", image["file_name"]))
        examples.append(
            FaceExample(
                file=data / "faces" / image["file_name"],
                box_xyxy=_as_found((x, y, x + width, y + height)),
                label=_FACE_LABELS[names[annotation["category_id"]]],
                source=f"faces/{image['source']}",
                held_out=split == "train" and _is_held_out(group),
            )
        )
    return examples


def image_level_faces(data: Path, folder: str, located: LocatedFaces) -> list[FaceExample]:
    """The one face of each image of ``face_crops`` or ``mask_kinds`` that the face detector found.

    An image in which a second face is more than half as large is left out: its label may speak of either.
    """
    examples = []
    for image in read_coco(data / folder / "train.json")["images"]:
        faces = [row for row in located.get(f"{folder}/{image['file_name']}", ()) if row[4] >= 0.3]
        faces.sort(key=_area, reverse=True)
        if not faces or (len(faces) > 1 and _area(faces[1]) > 0.5 * _area(faces[0])):
            continue
        label = _IMAGE_LABELS[image["image_label"]]
        examples.append(
            FaceExample(
                data / folder / image["file_name"],
                box_of(faces[0]),
                label,
                f"{folder}/{image['image_label']}",
            )
        )
    return examples


def landmark_faces(data: Path) -> list[FaceExample]:
    """Unmasked faces of ``face_landmarks``; the box is drawn around the five points."""
    coco = read_coco(data / "face_landmarks" / "train.json")
    files = {image["id"]: image["file_name"] for image in coco["images"]}
    examples = []
    for annotation in coco["annotations"]:
        points = np.array(annotation["keypoints"], np.float64).reshape(5, 3)[:, :2]
        examples.append(
            FaceExample(
                file=data / "face_landmarks" / files[annotation["image_id"]],
                box_xyxy=box_around_landmarks(points),
                label=WITHOUT_MASK,
                source="face_landmarks",
                landmarks_xy=_points(points),
            )
        )
    return examples


def helmeted_faces(
    data: Path, located: LocatedFaces, *, sources: Iterable[str], min_face_px: float = 16.0
) -> list[FaceExample]:
    """Faces that the face detector found in ``hard_hats``, taken as unmasked."""
    wanted = set(sources)
    return [
        FaceExample(
            file=data / "hard_hats" / image["file_name"],
            box_xyxy=box_of(row),
            label=WITHOUT_MASK,
            source=f"hard_hats/{image['source']}",
            landmarks_xy=_points(np.array(row[5:15], np.float64).reshape(5, 2)),
        )
        for image in read_coco(data / "hard_hats" / "train.json")["images"]
        if image["source"] in wanted
        for row in located.get(f"hard_hats/{image['file_name']}", ())
        if row[4] >= 0.6 and max(row[2] - row[0], row[3] - row[1]) >= min_face_px
    ]


def drawn_on(faces: Iterable[FaceExample], *, seed: int, worn: float, lowered: float) -> list[FaceExample]:
    """Copies of unmasked ``faces`` that wear a drawn mask: a share ``worn`` as required, a share ``lowered``
    wrongly.

    From 28 mm on the nose is out, from about 70 mm the mouth is. Small faces are left out: nothing to draw
    on.
    """
    rng = np.random.default_rng(seed)
    examples = []
    for face in faces:
        chance, millimetres = rng.random(), (rng.uniform(0, 7), rng.uniform(28, 95))
        template = TEMPLATES[list(TEMPLATES)[rng.integers(len(TEMPLATES))]]
        colour, grain = int(rng.integers(len(template.colours_rgb))), int(rng.integers(2**31))
        if chance >= worn + lowered or not _can_be_drawn_on(face):
            continue
        label = WITH_MASK if chance < worn else INCORRECT
        points = face.landmarks_xy or ()
        drawing = Drawing(points, template.name, colour, millimetres[label == INCORRECT], grain)
        examples.append(replace(face, label=label, source=f"{face.source}/drawn", drawing=drawing))
    return examples


def box_around_landmarks(landmarks_xy: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """A face box from (5, 2) points: eyes, nose, mouth corners.

    Its proportions are the medians of what the reference RetinaFace draws around the same points: the
    larger of the distance between the eyes (short in profile) and that from eyes to mouth is the unit.
    """
    eyes, mouth = landmarks_xy[:2].mean(0), landmarks_xy[3:].mean(0)
    unit = max(float(np.hypot(*(landmarks_xy[0] - landmarks_xy[1]))), float(np.hypot(*(eyes - mouth))), 1.0)
    centre_x, centre_y = landmarks_xy.mean(0) - (0.0, 0.19 * unit)
    half_width, half_height = 1.05 * unit, 1.34 * unit
    return centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height


def _as_found(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    rise = _RISE * max(x2 - x1, y2 - y1)
    return x1, y1 - rise, x2, y2 - rise


def _is_held_out(group: str) -> bool:
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % _CALIBRATION_SHARE == 0


def _area(row: Sequence[float]) -> float:
    return (row[2] - row[0]) * (row[3] - row[1])


def box_of(row: Sequence[float]) -> tuple[float, float, float, float]:
    """The box of one row of ``LocatedFaces``."""
    return float(row[0]), float(row[1]), float(row[2]), float(row[3])


def _points(points_xy: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points_xy)


def _can_be_drawn_on(face: FaceExample) -> bool:
    """Large enough, and not in profile, where the eyes fall together."""
    if face.landmarks_xy is None or face.box_xyxy[3] - face.box_xyxy[1] < _SMALLEST_DRAWN_PX:
        return False
    (right_x, right_y), (left_x, left_y) = face.landmarks_xy[:2]
    return float(np.hypot(left_x - right_x, left_y - right_y)) >= _LEAST_EYE_DISTANCE_PX
