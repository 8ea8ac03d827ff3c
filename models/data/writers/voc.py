"""Writes Pascal VOC: one XML file a picture, boxes of whole pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.readers.voc import LABELS_FOLDER, PICTURES_FOLDERS, WORDS

#: In which folder of the set the pictures are.
PICTURES_FOLDER: Final = PICTURES_FOLDERS[0]


def write_voc(pictures: Sequence[AnnotatedPicture], names: Sequence[str], folder: Path) -> None:
    """Write the labels of ``pictures``, called ``names`` in ``JPEGImages``, to ``Annotations``.

    Corners are rounded to whole pixels (at least one wide and high) and kept within the picture; ignored is
    ``difficult``. Polygons, groups, labels of whole pictures and most attributes are lost: VOC has none.
    """
    for name, picture in zip(names, pictures, strict=True):
        target = folder / LABELS_FOLDER / Path(name).with_suffix(".xml")
        root = ElementTree.Element("annotation")
        _add(root, "folder", Path(PICTURES_FOLDER, name).parent.as_posix())
        _add(root, "filename", Path(name).name)
        if picture.source:
            _add(_add(root, "source"), "database", picture.source)
        size = _add(root, "size")
        for side, number in zip(("height", "width"), picture.image_hw, strict=True):
            _add(size, side, str(number))
        _add(size, "depth", "3")
        for thing in picture.objects:
            _add_object(root, thing, picture.image_hw)
        ElementTree.indent(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(ElementTree.tostring(root, encoding="utf-8"))


def _add_object(root: ElementTree.Element, thing: AnnotatedObject, image_hw: tuple[int, int]) -> None:
    x1, y1, x2, y2 = thing.box_xyxy
    height, width = image_hw
    left, right = _whole(x1, x2, width)
    top, bottom = _whole(y1, y2, height)
    element = _add(root, "object")
    _add(element, "name", thing.category)
    for word in WORDS:
        if word in thing.attributes:
            _add(element, word, thing.attributes[word])
    _add(element, "difficult", str(int(thing.ignored)))
    box = _add(element, "bndbox")
    for side, number in zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True):
        _add(box, side, str(number))


def _whole(start: float, end: float, side_px: int) -> tuple[int, int]:
    first = min(max(round(start), 0), side_px - 1)
    return first, max(min(round(end), side_px), first + 1)


def _add(parent: ElementTree.Element, tag: str, text: str | None = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag)
    element.text = text
    return element
