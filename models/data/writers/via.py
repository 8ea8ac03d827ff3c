"""Writes VIA 2 projects, which the VGG Image Annotator opens."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.readers.via import CATEGORY_ATTRIBUTE, IGNORED_ATTRIBUTE, PART_ATTRIBUTE
from models.data.writers.numbers import short
from models.errors import DataSetError

_PICTURE_WORDS: Final = ("source", "group", "camera", "image_label")


def write_via(pictures: Sequence[AnnotatedPicture], names: Sequence[str], file: Path) -> None:
    """Write ``pictures``, called ``names`` relative to the folder of ``file``, in which they must be.

    A polygon is a region; those of one object share the attribute ``part_of``, and their box is the smallest
    around them. An object without polygons is a rectangle. Words about pictures stand in the file attributes.
    Raises ``DataSetError`` for categories with commas, by which ``labelled`` is separated.
    """
    everything = frozenset(thing.category for picture in pictures for thing in picture.objects)
    metadata: dict[str, Any] = {}
    attributes: set[str] = set()
    words: set[str] = set()
    for name, picture in zip(names, pictures, strict=True):
        size_bytes = (file.parent / name).stat().st_size
        regions = [
            region
            for number, thing in enumerate(picture.objects, start=1)
            for region in _regions(thing, number)
        ]
        about = _file_attributes(picture, everything)
        metadata[f"{name}{size_bytes}"] = {
            "filename": name,
            "size": size_bytes,
            "regions": regions,
            "file_attributes": about,
        }
        attributes.update(*(region["region_attributes"] for region in regions))
        words.update(about)
    options = dict.fromkeys(sorted(everything), "")
    category = {"type": "dropdown", "description": "", "options": options, "default_options": {}}
    document = {
        "_via_settings": {"project": {"name": file.stem}},
        "_via_img_metadata": metadata,
        "_via_attributes": {
            "region": _texts(attributes) | {CATEGORY_ATTRIBUTE: category},
            "file": _texts(words),
        },
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": list(metadata),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


def _texts(names: set[str]) -> dict[str, Any]:
    return {name: {"type": "text", "description": "", "default_value": ""} for name in sorted(names)}


def _file_attributes(picture: AnnotatedPicture, everything: frozenset[str]) -> dict[str, str]:
    words = {key: getattr(picture, key) for key in _PICTURE_WORDS if getattr(picture, key)}
    by_default = everything if picture.objects or not picture.image_label else frozenset()
    if picture.labelled != by_default:
        if any("," in name for name in picture.labelled):
            raise DataSetError(f"{picture.path}: a category with a comma in it cannot be written to VIA")
        words["labelled"] = ",".join(sorted(picture.labelled))
    return words


def _regions(thing: AnnotatedObject, number: int) -> Iterator[dict[str, Any]]:
    attributes = dict(thing.attributes) | {CATEGORY_ATTRIBUTE: thing.category}
    attributes |= {IGNORED_ATTRIBUTE: "1"} if thing.ignored else {}
    attributes |= {PART_ATTRIBUTE: str(number)} if len(thing.polygons) > 1 else {}
    for polygon in thing.polygons:
        xs, ys = short(polygon[:, 0]), short(polygon[:, 1])
        shape = {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
        yield {"shape_attributes": shape, "region_attributes": attributes}
    if not thing.polygons:
        x1, y1, x2, y2 = thing.box_xyxy
        sides = dict(zip(("x", "y", "width", "height"), short((x1, y1, x2 - x1, y2 - y1)), strict=True))
        yield {"shape_attributes": {"name": "rect", **sides}, "region_attributes": attributes}
