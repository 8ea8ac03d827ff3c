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
from models.data.outlines import box_around
from models.data.readers.rle import polygons_of_pixels
from models.data.synthetic_gear.dressing import DrawnThing, GearShares, dress
from models.data.synthetic_gear.faced_pictures import GEAR_CATEGORIES, FacedPicture
from models.data.writers import write_coco
from models.data.writers.placement import names_of
from models.errors import DataSetError
from models.pictures import read_picture

FILE_NAME: Final = "annotations.json"
_FOLDER: Final = "images"


def write_gear_set(
    faced: Sequence[FacedPicture], folder: Path, shares: GearShares, *, seed: int
) -> list[AnnotatedPicture]:
    """Draw gear on ``faced`` as often as ``shares`` says and write ``folder/images`` and ``folder/annotations.json``;
    returns what was written. The same seed draws the same on each picture, whatever others there are.

    - Categories: ``face_mask`` (attributes ``wear``, ``kind``, ``template``), ``hard_hat`` and ``hat`` (``template``),
      ``occlusion`` (``shape``). What the source labels of gear that is really worn stays.
    - ``labelled``: ``face_mask`` and ``occlusion``, for all faces were bare; hats where the source labels them.

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
        written.append(_written(row, folder / name, shares, np.random.default_rng((seed, number))))
    write_coco(written, names, file)
    return written


def _written(
    faced: FacedPicture, file: Path, shares: GearShares, rng: np.random.Generator
) -> AnnotatedPicture:
    source = faced.picture
    rgb, things = dress(read_picture(source.path).rgb(), faced.landmarks_xy, faced.heads_xyxy, shares, rng)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(file), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)):
        raise DataSetError(f"{file}: cannot be written")
    worn = tuple(thing for thing in source.objects if thing.category in GEAR_CATEGORIES)
    drawn = tuple(row for thing in things if (row := _as_object(thing)) is not None)
    labelled = (source.labelled & {"hard_hat", "hat"}) | {"face_mask", "occlusion"}
    return replace(
        source,
        path=file,
        image_hw=(rgb.shape[0], rgb.shape[1]),
        objects=worn + drawn,
        labelled=frozenset(labelled),
        image_label="",
    )


def _as_object(thing: DrawnThing) -> AnnotatedObject | None:
    polygons = polygons_of_pixels(thing.seg_mask)
    box = box_around(polygons) if polygons else None
    if box is None:
        return None
    return AnnotatedObject(thing.category, box, polygons, attributes=MappingProxyType(dict(thing.attributes)))
