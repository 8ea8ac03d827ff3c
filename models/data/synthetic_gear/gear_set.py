"""Writes a data set of bare faces and heads that were given gear: pictures, and a COCO file with its pixels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from tqdm import tqdm

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.face_boxes import box_around_landmarks
from models.data.outlines import box_around
from models.data.readers.rle import polygons_of_pixels
from models.data.synthetic_gear.dressing import DrawnThing, GearShares, dress
from models.data.synthetic_gear.face_mask_looks import FaceMaskWear
from models.data.synthetic_gear.faced_pictures import GEAR_CATEGORIES, FacedPicture
from models.data.writers import write_coco
from models.data.writers.placement import names_of
from models.errors import DataSetError
from models.pictures import read_picture
from models.structures import FACE_CATEGORIES, Category

FILE_NAME: Final = "annotations.json"
#: Things of which less is seen teach nothing.
LEAST_PIXELS: Final = 12
_FOLDER: Final = "images"
_STATES: Final = frozenset(category.label for category in FACE_CATEGORIES)


def write_gear_set(
    faced: Sequence[FacedPicture], folder: Path, shares: GearShares, *, seed: int, label_faces: bool = False
) -> list[AnnotatedPicture]:
    """Draw gear on ``faced`` as often as ``shares`` says and write ``folder/images`` and ``folder/annotations.json``;
    returns what was written. The same seed draws the same on each picture, whatever others there are.

    - Categories: ``face_mask`` (attributes ``wear``, ``kind``, ``template``), ``hard_hat`` and ``hat`` (``template``),
      ``occlusion`` (``shape``). What the source labels of gear that is really worn stays.
    - ``labelled``: ``face_mask`` and ``occlusion``, for all faces were bare; hats where the source labels them.
    - With ``label_faces``: instead, boxes of faces as ``face_with_mask``, ``face_without_mask`` and
      ``face_mask_incorrect``, with the attributes of the mask that was drawn; ``ignored`` where that mask is hidden.

    Raises ``DataSetError`` when there is a set already or a picture comes twice, ``PictureError`` when one cannot
    be read.
    """
    file = folder / FILE_NAME
    if file.exists():
        raise DataSetError(f"{file}: exists already; choose another folder")
    names = [
        f"{_FOLDER}/{Path(name).with_suffix('.png')}" for name in names_of([row.picture for row in faced])
    ]
    written = []
    progress = tqdm(faced, desc="pictures", unit="picture", leave=False, disable=None)
    for number, (row, name) in enumerate(zip(progress, names, strict=True)):
        rng = np.random.default_rng((seed, number))
        written.append(_written(row, folder / name, shares, rng, label_faces=label_faces))
    write_coco(written, names, file)
    return written


def _written(
    faced: FacedPicture, file: Path, shares: GearShares, rng: np.random.Generator, *, label_faces: bool
) -> AnnotatedPicture:
    source = faced.picture
    rgb, things = dress(read_picture(source.path).rgb(), faced.landmarks_xy, faced.heads_xyxy, shares, rng)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(file), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)):
        raise DataSetError(f"{file}: cannot be written")
    worn = tuple(thing for thing in source.objects if thing.category in GEAR_CATEGORIES)
    if label_faces:
        worn = tuple(thing for thing in worn if thing.category in _STATES)
        drawn = _faces(faced, things)
        labelled = source.labelled & _STATES
    else:
        drawn = tuple(row for thing in things if (row := _as_object(thing)) is not None)
        labelled = (source.labelled & {"hard_hat", "hat"}) | {"face_mask", "occlusion"}
    return replace(
        source,
        path=file,
        image_hw=(rgb.shape[0], rgb.shape[1]),
        objects=worn + drawn,
        labelled=labelled,
        image_label="",
    )


def _faces(faced: FacedPicture, things: Sequence[DrawnThing]) -> tuple[AnnotatedObject, ...]:
    masks = {thing.face: thing for thing in things if thing.category == "face_mask"}
    height, width = faced.picture.image_hw
    faces = []
    for index, landmarks in enumerate(faced.landmarks_xy):
        x1, y1, x2, y2 = box_around_landmarks(landmarks)
        box = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
        mask = masks.get(index)
        if mask is None:
            faces.append(AnnotatedObject(Category.FACE_WITHOUT_MASK.label, box))
            continue
        worn = mask.attributes["wear"] == FaceMaskWear.WORN
        faces.append(
            AnnotatedObject(
                (Category.FACE_WITH_MASK if worn else Category.FACE_MASK_INCORRECT).label,
                box,
                ignored=int(mask.seg_mask.sum()) < LEAST_PIXELS,
                attributes=MappingProxyType(dict(mask.attributes)),
            )
        )
    return tuple(faces)


def _as_object(thing: DrawnThing) -> AnnotatedObject | None:
    seen = int(thing.seg_mask.sum()) >= LEAST_PIXELS
    polygons = polygons_of_pixels(thing.seg_mask) if seen else ()
    box = box_around(polygons) if polygons else None
    if box is None:
        return None
    return AnnotatedObject(thing.category, box, polygons, attributes=MappingProxyType(dict(thing.attributes)))
