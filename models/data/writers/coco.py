"""Writes COCO files: everything that the value types hold."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.writers.numbers import short


def write_coco(pictures: Sequence[AnnotatedPicture], names: Sequence[str], file: Path) -> None:
    """Write ``pictures``, called ``names`` relative to the folder of ``file``.

    Nothing is lost: ``labelled`` stands with each picture, ``attributes`` with each annotation, ``ignored``
    is ``iscrowd``. Categories are numbered from 1 in the order of their names.
    """
    categories = sorted(
        {thing.category for picture in pictures for thing in picture.objects}.union(
            *(picture.labelled for picture in pictures)
        )
    )
    ids = {name: number for number, name in enumerate(categories, start=1)}
    images = [
        _image(number, name, row) for number, (name, row) in enumerate(zip(names, pictures, strict=True), 1)
    ]
    annotations = [
        _annotation(thing, image["id"], ids)
        for image, picture in zip(images, pictures, strict=True)
        for thing in picture.objects
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


def _image(number: int, name: str, picture: AnnotatedPicture) -> dict[str, Any]:
    height, width = picture.image_hw
    words = {key: getattr(picture, key) for key in ("source", "group", "camera", "image_label")}
    return {
        "id": number,
        "file_name": name,
        "width": width,
        "height": height,
        "labelled": sorted(picture.labelled),
        **{key: word for key, word in words.items() if word},
    }


def _annotation(thing: AnnotatedObject, image_id: int, ids: dict[str, int]) -> dict[str, Any]:
    x1, y1, x2, y2 = thing.box_xyxy
    area = sum(cv2.contourArea(polygon) for polygon in thing.polygons) or (x2 - x1) * (y2 - y1)
    row = {
        "image_id": image_id,
        "category_id": ids[thing.category],
        "bbox": short((x1, y1, x2 - x1, y2 - y1)),
        "area": round(area, 2),
        "iscrowd": int(thing.ignored),
        "segmentation": [short(polygon.reshape(-1)) for polygon in thing.polygons],
    }
    return row | {"attributes": dict(thing.attributes)} if thing.attributes else row
