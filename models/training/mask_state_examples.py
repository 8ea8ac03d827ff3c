"""The labelled faces that the mask-state classifier learns from: what one is, and those of the collection that
ppewatch's own weights are made from.

A data folder holds one folder per source with ``train.json``, ``val.json`` and ``images/``:

- ``faces``: boxes of faces in three classes; ``group`` marks images that are near duplicates of each other.
- ``face_crops``, ``mask_kinds``: one label per image and no box; a face detector finds the face.
- ``face_landmarks``: five points per face, nobody masked; the box is drawn from the points.
- ``mask_skin_polygons``: close-ups with the pixels of mask and facial skin, and how the mask is worn.
- ``hard_hats``: the faces that the face detector finds are unmasked but for a few in a hundred (seen by eye).
- ``heads``, ``hard_hats``: boxes of heads. Those in which the face detector sees no trace of a face are the
  backs and tops of heads of which nobody could tell; what it finds away from every head is no face.
- ``persons``, ``hard_hats``: squares away from every labelled box are background.

On unmasked faces of which the landmarks are known things are drawn as well: see ``mask_state_drawings``.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture, Box
from models.data.face_boxes import box_around_landmarks
from models.data.face_landmarks import read_landmarks
from models.data.readers import read_coco
from models.mask_state.crops import CropGeometry, whole_picture_box
from models.mask_state.network import KINDS
from models.training.mask_state_drawings import Drawing
from models.training.mask_state_labels import INCORRECT, UNKNOWN_KIND, WITH_MASK, WITHOUT_MASK, meaning_of

#: Faces found in one image: rows of x1, y1, x2, y2, score and ten of landmarks, in pixels of the image file. Keys
#: are ``<folder>/<file>``.
LocatedFaces = Mapping[str, Sequence[Sequence[float]]]

_FACE_LABELS: Final = {
    "face_with_mask": WITH_MASK,
    "face_without_mask": WITHOUT_MASK,
    "face_mask_incorrect": INCORRECT,
}
_SMALLEST_FACE_PX: Final = 8.0
_CALIBRATION_SHARE: Final = 10  # one group of so many
_LEAST_SCORE: Final = 0.3


@dataclass(frozen=True, slots=True)
class FaceExample:
    """One box to learn from.

    - ``file``: the image; ``box_xyxy``: original pixels; ``label``: index of a logit.
    - ``source``: folder and source, for weighting and reports.
    - ``held_out``: belongs to the calibration split, never trained on.
    - ``landmarks_xy``: five points, original pixels, where they are known. ``drawing``: what is drawn on the
      face.
    - ``kind``: of the mask, index of ``KINDS``, or ``UNKNOWN_KIND``.
    """

    file: Path
    box_xyxy: Box
    label: int
    source: str
    held_out: bool = False
    landmarks_xy: tuple[tuple[float, float], ...] | None = None
    drawing: Drawing | None = None
    kind: int = UNKNOWN_KIND


def labelled_faces(data: Path, split: str) -> list[FaceExample]:
    """Boxes of ``faces``.

    Groups of the training split are held out whole for calibration, by their hash."""
    examples = []
    for picture in read_coco(data / "faces" / f"{split}.json"):
        group = picture.group or picture.path.relative_to(data / "faces").as_posix()
        for thing in picture.objects:
            x1, y1, x2, y2 = thing.box_xyxy
            if thing.ignored or (split == "train" and max(x2 - x1, y2 - y1) < _SMALLEST_FACE_PX):
                continue
            examples.append(
                FaceExample(
                    file=picture.path,
                    box_xyxy=thing.box_xyxy,
                    label=_FACE_LABELS[thing.category],
                    source=f"faces/{picture.source}",
                    held_out=split == "train" and _is_held_out(group),
                )
            )
    return examples


def image_level_faces(
    pictures: Iterable[AnnotatedPicture],
    folder: Path,
    located: LocatedFaces,
    *,
    name: str,
    geometry: CropGeometry,
    classes: Mapping[str, str | None] | None = None,
    measured: bool = False,
) -> list[FaceExample]:
    """The one face of each of ``pictures`` below ``folder`` that shows what its ``image_label`` says; ``name`` is the
    folder's in sources and in ``located``.

    It is the largest that the face detector found, or the whole picture where it found none. A picture in which a
    second face is more than half as large is left out, for its label may speak of either, unless it is
    ``measured``. Words are understood as ``mask_state_labels.meaning_of`` does; raises ``DataSetError``.
    """
    examples = []
    for picture in pictures:
        meaning = meaning_of(picture.image_label, classes or {}, origin=folder)
        key = f"{name}/{picture.path.relative_to(folder).as_posix()}"
        faces = [row for row in located.get(key, ()) if row[4] >= _LEAST_SCORE]
        faces.sort(key=_area, reverse=True)
        unclear = len(faces) > 1 and _area(faces[1]) > 0.5 * _area(faces[0]) and not measured
        if meaning is None or unclear:
            continue
        box = box_of(faces[0]) if faces else whole_picture_box(picture.image_hw, geometry)
        source = f"{name}/{picture.image_label}"
        examples.append(FaceExample(picture.path, box, meaning.label, source, kind=meaning.kind))
    return examples


def landmark_faces(data: Path) -> list[FaceExample]:
    """Unmasked faces of ``face_landmarks``; the box is drawn around the five points."""
    return [
        FaceExample(
            file=file,
            box_xyxy=box_around_landmarks(points.astype(np.float64)),
            label=WITHOUT_MASK,
            source="face_landmarks",
            landmarks_xy=_points(points.astype(np.float64)),
        )
        for file, points in read_landmarks(data / "face_landmarks" / "train.json")
    ]


def close_ups(data: Path) -> list[FaceExample]:
    """Faces of ``mask_skin_polygons``, all in surgical masks; the box is that of mask and skin together."""
    examples = []
    for picture in read_coco(data / "mask_skin_polygons" / "train.json"):
        boxes = np.array([thing.box_xyxy for thing in picture.objects], np.float64)
        if not len(boxes):
            continue
        meaning = meaning_of(picture.objects[0].attributes["wear"], {}, origin=data / "mask_skin_polygons")
        x1, y1 = boxes[:, :2].min(0).tolist()
        x2, y2 = boxes[:, 2:].max(0).tolist()
        if meaning is not None:
            box, kind = (x1, y1, x2, y2), KINDS.index("surgical")
            examples.append(FaceExample(picture.path, box, meaning.label, "mask_skin_polygons", kind=kind))
    return examples


def helmeted_faces(
    data: Path, located: LocatedFaces, *, sources: Iterable[str], min_face_px: float = 16.0
) -> list[FaceExample]:
    """Faces that the face detector found in ``hard_hats``, taken as unmasked."""
    wanted = set(sources)
    return [
        FaceExample(
            file=picture.path,
            box_xyxy=box_of(row),
            label=WITHOUT_MASK,
            source=f"hard_hats/{picture.source}",
            landmarks_xy=_points(np.array(row[5:15], np.float64).reshape(5, 2)),
        )
        for picture in read_coco(data / "hard_hats" / "train.json")
        if picture.source in wanted
        for row in located.get(located_key(data, picture), ())
        if row[4] >= 0.6 and max(row[2] - row[0], row[3] - row[1]) >= min_face_px
    ]


def located_key(data: Path, picture: AnnotatedPicture) -> str:
    """The key of ``LocatedFaces`` of a picture in a folder of ``data``."""
    return picture.path.relative_to(data).as_posix()


def _is_held_out(group: str) -> bool:
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % _CALIBRATION_SHARE == 0


def _area(row: Sequence[float]) -> float:
    return (row[2] - row[0]) * (row[3] - row[1])


def box_of(row: Sequence[float]) -> Box:
    """The box of one row of ``LocatedFaces``."""
    return float(row[0]), float(row[1]), float(row[2]), float(row[3])


def _points(points_xy: NDArray[np.floating]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points_xy)
