"""Reads COCO files: boxes, polygons and run lengths, with what ppewatch adds to their pictures."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedObject, AnnotatedPicture, Box
from models.data.outlines import box_around
from models.data.readers.entries import Entry, read_json
from models.data.readers.picture_files import path_inside
from models.data.readers.rle import decode_runs, polygons_of_pixels

KIND: Final = "COCO file"

#: Of a picture and of an annotation; single words under any other key are attributes of the things.
_PICTURE_KEYS: Final = frozenset(
    {"id", "width", "height", "file_name", "license", "coco_url", "flickr_url", "date_captured"}
    | {"source", "source_file", "group", "camera", "image_label", "labelled"}
)
_ANNOTATION_KEYS: Final = frozenset(
    {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "ignore", "segmentation"}
    | {"keypoints", "num_keypoints", "attributes"}
)


def read_coco(path: Path, *, images: Path | None = None) -> list[AnnotatedPicture]:
    """The pictures of a COCO file in its order; names are relative to its folder, or to ``images``.

    - ``iscrowd`` or ``ignore``: the object is ignored. Boxes without area and polygons of less than three
      corners are left out. Run lengths become outlines; a missing ``bbox`` is that of the polygons.
    - ``source``, ``group``, ``camera``, ``image_label`` and ``labelled`` (names) of a picture are kept; other
      words beside them, and those of an annotation, become attributes of its objects.
    - ``labelled`` is by default every category of the file, and nothing for a picture that has an
      ``image_label`` and no object.

    Raises ``DataSetError`` when the file is missing, not of that layout, or names a picture outside its
    folder.
    """
    document = read_json(path, KIND)
    names = _names(document)
    folder = path.parent if images is None else images
    pictures = {}
    objects: dict[int | str, list[AnnotatedObject]] = {}
    for row in document.member("images").rows():
        key = row.member("id").key()
        if key in pictures:
            raise row.problem(f"has the id {key!r} of another picture")
        pictures[key] = row
        objects[key] = []
    words = {key: _words(row, _PICTURE_KEYS) for key, row in pictures.items()}
    sizes = {key: _image_hw(row) for key, row in pictures.items()}
    for row in document.member("annotations").rows():
        key = _known(row.member("image_id"), pictures, "picture")
        category = names[_known(row.member("category_id"), names, "category")]
        thing = _object(row, category, sizes[key], words[key])
        if thing is not None:
            objects[key].append(thing)
    return [
        _picture(row, folder, sizes[key], tuple(objects[key]), frozenset(names.values()))
        for key, row in pictures.items()
    ]


def _names(document: Entry) -> dict[int | str, str]:
    names: dict[int | str, str] = {}
    for row in document.member("categories").rows():
        key = row.member("id").key()
        if key in names:
            raise row.problem(f"has the id {key!r} of another category")
        names[key] = row.member("name").text()
    return names


def _known(reference: Entry, known: Mapping[int | str, object], what: str) -> int | str:
    key = reference.key()
    if key not in known:
        raise reference.problem(f"is {key!r}, which is no {what} of this file")
    return key


def _image_hw(row: Entry) -> tuple[int, int]:
    return row.member("height").side_px(), row.member("width").side_px()


def _picture(
    row: Entry,
    folder: Path,
    image_hw: tuple[int, int],
    objects: tuple[AnnotatedObject, ...],
    categories: frozenset[str],
) -> AnnotatedPicture:
    name = row.member("file_name")
    image_label = row.member_or("image_label", "").word()
    if "labelled" in row:
        labelled = frozenset(category.text() for category in row.member("labelled").rows())
    else:
        labelled = categories if objects or not image_label else frozenset()
    return AnnotatedPicture(
        path=path_inside(folder, name.text(), origin=name.problem("cannot be used")),
        image_hw=image_hw,
        objects=objects,
        labelled=labelled,
        source=row.member_or("source", "").word(),
        group=row.member_or("group", "").word(),
        camera=row.member_or("camera", "").word(),
        image_label=image_label,
    )


def _object(
    row: Entry, category: str, image_hw: tuple[int, int], words: Mapping[str, str]
) -> AnnotatedObject | None:
    polygons = _polygons(row.member_or("segmentation", []), image_hw)
    box = _box(row, polygons)
    if box is None:
        return None
    attributes = dict(words) | _words(row, _ANNOTATION_KEYS)
    attributes |= _words(row.member_or("attributes", {}), frozenset())
    return AnnotatedObject(
        category=category,
        box_xyxy=box,
        polygons=polygons,
        ignored=row.member_or("iscrowd", 0).flag() or row.member_or("ignore", 0).flag(),
        attributes=MappingProxyType(attributes),
    )


def _box(row: Entry, polygons: tuple[NDArray[np.float32], ...]) -> Box | None:
    if polygons and "bbox" not in row:
        return box_around(polygons)
    x, y, width, height = row.member("bbox").numbers(4).tolist()
    return (x, y, x + width, y + height) if width > 0 and height > 0 else None


def _polygons(segmentation: Entry, image_hw: tuple[int, int]) -> tuple[NDArray[np.float32], ...]:
    if isinstance(segmentation.value, dict):
        return _polygons_of_runs(segmentation, image_hw)
    polygons = []
    for row in segmentation.rows():
        numbers = row.numbers()
        if len(numbers) % 2:
            raise row.problem(f"has {len(numbers)} numbers, which are no pairs of x and y")
        if len(numbers) >= 6:
            polygons.append(numbers.reshape(-1, 2).astype(np.float32))
    return tuple(polygons)


def _polygons_of_runs(segmentation: Entry, image_hw: tuple[int, int]) -> tuple[NDArray[np.float32], ...]:
    if tuple(segmentation.member("size").numbers(2)) != image_hw:
        raise segmentation.problem("has a size that is not its picture's")
    counts = segmentation.member("counts")
    if not isinstance(counts.value, list | str):
        raise counts.problem("should be a list or text")
    try:
        return polygons_of_pixels(decode_runs(counts.value, image_hw))
    except ValueError as error:
        raise counts.problem(str(error)) from error


def _words(row: Entry, known: frozenset[str]) -> dict[str, str]:
    """Text, numbers and flags of ``row`` under keys that are not ``known``."""
    return {
        key: member.value if isinstance(member.value, str) else str(member.value).lower()
        for key, member in row.members()
        if key not in known and isinstance(member.value, str | int | float)
    }
