"""Writes YOLO labels: boxes, and polygons where objects have them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.outlines import box_around

#: In which folders of the set the pictures and their labels are.
PICTURES_FOLDER: Final = "images"
LABELS_FOLDER: Final = "labels"


def write_yolo(pictures: Sequence[AnnotatedPicture], names: Sequence[str], folder: Path) -> None:
    """Write the labels of ``pictures``, called ``names`` in ``images``, to ``labels``, and ``data.yaml``.

    What lies outside the picture is cut off: readers refuse it. Polygons of one object are joined by lines
    without width. In a file with polygons, boxes are written as rectangles: mixed files are misread by
    others. Ignored objects, sources, groups, labels of whole pictures and attributes are lost: YOLO has none.
    """
    categories = sorted(
        {thing.category for picture in pictures for thing in picture.objects}.union(
            *(picture.labelled for picture in pictures)
        )
    )
    ids = {name: number for number, name in enumerate(categories)}
    for name, picture in zip(names, pictures, strict=True):
        target = folder / LABELS_FOLDER / Path(name).with_suffix(".txt")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(_lines(picture, ids)), encoding="utf-8")
    content = {
        "train": PICTURES_FOLDER,
        "val": PICTURES_FOLDER,
        "names": {number: name for name, number in ids.items()},
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / "data.yaml").write_text(text, encoding="utf-8")


def _lines(picture: AnnotatedPicture, ids: dict[str, int]) -> list[str]:
    things = [thing for thing in picture.objects if not thing.ignored]
    as_polygons = any(thing.polygons for thing in things)
    lines = []
    for thing in things:
        corners = _corners(thing) / np.array(picture.image_hw[::-1], np.float64)
        corners = corners.clip(0.0, 1.0)
        box = box_around([corners])
        if box is None:
            continue
        if not as_polygons:
            x1, y1, x2, y2 = box
            corners = np.array([[(x1 + x2) / 2, (y1 + y2) / 2], [x2 - x1, y2 - y1]])
        numbers = " ".join(f"{number:.8g}" for number in corners.reshape(-1))
        lines.append(f"{ids[thing.category]} {numbers}\n")
    return lines


def _corners(thing: AnnotatedObject) -> NDArray[np.float64]:
    """The corners of the polygons one after the other, or of the box: float64 (P, 2).

    Each polygon of several ends where it began, and so does the whole: what joins them is walked twice.
    """
    if not thing.polygons:
        x1, y1, x2, y2 = thing.box_xyxy
        return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)
    first, *others = thing.polygons
    if not others:
        return first.astype(np.float64)
    closed = [np.concatenate([polygon, polygon[:1]]) for polygon in thing.polygons]
    way_back = [polygon[:1] for polygon in others[:-1][::-1]]
    return np.concatenate([*closed, *way_back]).astype(np.float64)
