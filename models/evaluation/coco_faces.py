"""COCO files of faces as boxes, for training and measuring."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.data.readers import read_coco


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """One picture of a set.

    - ``path``: the image file. ``source``: which collection it comes from.
    - ``group``: near duplicates share one; the file's name where the set knows none.
    - ``boxes_xyxy``: float32 (M, 4), pixels; every side above 0.
    - ``categories``: (M,) names of what the boxes hold.
    """

    path: Path
    source: str
    group: str
    image_hw: tuple[int, int]
    boxes_xyxy: NDArray[np.float32]
    categories: tuple[str, ...]


def read_faces(file: Path) -> list[LabelledPicture]:
    """The pictures of a COCO file, as ``models.data.readers.read_coco`` reads them, with the boxes alone.

    Ignored objects are left out. Raises ``DataSetError`` as it does.
    """
    return [_boxes_of(picture, file.parent) for picture in read_coco(file)]


def _boxes_of(picture: AnnotatedPicture, folder: Path) -> LabelledPicture:
    things = [thing for thing in picture.objects if not thing.ignored]
    return LabelledPicture(
        path=picture.path,
        source=picture.source,
        group=picture.group or picture.path.relative_to(folder).as_posix(),
        image_hw=picture.image_hw,
        boxes_xyxy=np.array([thing.box_xyxy for thing in things], np.float32).reshape(-1, 4),
        categories=tuple(thing.category for thing in things),
    )
