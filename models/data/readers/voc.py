"""Reads Pascal VOC: one XML file a picture, boxes only."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from xml.etree import ElementTree

from tqdm import tqdm

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.readers.entries import FARTHEST_PX, read_text, shown
from models.data.readers.labelled import with_labelled
from models.data.readers.picture_files import SUFFIXES, is_file, path_inside, picture_hw
from models.errors import DataSetError

#: The folder of the XML files, and those of the pictures beside it.
LABELS_FOLDER: Final = "Annotations"
PICTURES_FOLDERS: Final = ("JPEGImages", "images")

#: Words of an object that become its attributes.
WORDS: Final = ("pose", "truncated", "occluded")


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type: entities that grow or fetch are declared there, and labels need none."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002
        raise ValueError("declares a document type, which labels have no use for")


def read_voc(path: Path, *, images: Path | None = None, first_pixel: int = 0) -> list[AnnotatedPicture]:
    """The pictures of an XML file or of every one in a folder, ``Annotations`` of it if there is one.

    - Pictures are looked for in ``images``, or beside the XML file, in ``../JPEGImages``, ``../images`` (of
      ``Annotations``, if that is in its path) and ``..``; also under the XML file's own name.
    - ``first_pixel``: the number of the leftmost and topmost pixel. 0: corners are continuous, as labelImg and
      most since write them; 1: both are whole pixels that belong to the box, as in Pascal's own sets.
    - ``difficult`` objects are ignored. ``labelled``: all categories of the files that were read.
      ``source``: that of ``<source><database>``. Boxes without area are left out.

    Raises ``DataSetError`` when a file is not so, or names a picture outside the folder.
    """
    files = _xml_files(path)
    pictures = [
        _read_one(file, images, first_pixel)
        for file in tqdm(files, desc="labels", unit="file", leave=False, disable=None)
    ]
    categories = frozenset(thing.category for picture in pictures for thing in picture.objects)
    return with_labelled(pictures, dict.fromkeys({picture.source for picture in pictures}, categories))


def _xml_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inner = path / LABELS_FOLDER
    try:
        files = sorted((inner if inner.is_dir() else path).rglob("*.xml"))
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read: {error.strerror}") from error
    if not files:
        raise DataSetError(f"{path}: holds no XML file of Pascal VOC")
    return files


def _read_one(file: Path, images: Path | None, first_pixel: int) -> AnnotatedPicture:
    try:
        root = _root(file)
        picture = _picture_file(file, images, _text(root, "filename", ""))
        objects = tuple(_objects(root, first_pixel))
        image_hw = _size_hw(root)
        source = _text(root, "source/database", "")
    except (ValueError, ElementTree.ParseError, RecursionError, LookupError) as error:
        raise DataSetError(f"{file}: is no Pascal VOC file: {error}") from error
    return AnnotatedPicture(
        path=picture,
        image_hw=image_hw or picture_hw(picture, origin=file),
        objects=objects,
        source="" if source == "Unknown" else source,
    )


def _root(file: Path) -> Any:
    parser = ElementTree.XMLParser(target=_NoDoctype())  # noqa: S314 - refuses what makes XML dangerous
    root = ElementTree.fromstring(read_text(file), parser)  # noqa: S314
    if root.tag != "annotation":
        raise ValueError(f"its root is {shown(root.tag)}, not 'annotation'")
    return root


def _picture_file(file: Path, images: Path | None, name: str) -> Path:
    stems = [file.stem + suffix for suffix in sorted(SUFFIXES)]
    folders = _folders(file.parent) if images is None else [images]
    for folder in folders:
        names = [name, *stems] if name else stems
        for candidate in (path_inside(folder, word, origin=file) for word in names):
            if is_file(candidate):
                return candidate
    raise DataSetError(
        f"{file}: there is no picture {name or file.stem!r} in {' or '.join(map(str, folders))}"
    )


def _folders(labels: Path) -> list[Path]:
    """Where the pictures of the labels in the folder ``labels`` may be."""
    parts = list(labels.parts)
    if LABELS_FOLDER in parts:
        index = len(parts) - 1 - parts[::-1].index(LABELS_FOLDER)
        beside = [Path(*parts[:index], name, *parts[index + 1 :]) for name in PICTURES_FOLDERS]
    else:
        beside = [Path(os.path.normpath(labels / ".." / name)) for name in PICTURES_FOLDERS]
    return [labels, *beside, Path(os.path.normpath(labels / ".."))]


def _size_hw(root: Any) -> tuple[int, int] | None:
    """The size in the file; None where it is absent or 0, as some tools write it."""
    if root.find("size") is None:
        return None
    height, width = (_number(root, f"size/{side}") for side in ("height", "width"))
    if not (height.is_integer() and width.is_integer() and min(height, width) >= 0):
        raise ValueError(f"its size is {width} x {height}")
    return (int(height), int(width)) if height and width else None


def _objects(root: Any, first_pixel: int) -> Iterator[AnnotatedObject]:
    for index, element in enumerate(root.findall("object")):
        try:
            name = _name(element)
            x1, y1, x2, y2 = (_number(element, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
            ignored = _text(element, "difficult", "0") not in ("0", "Unspecified")
        except ValueError as error:
            raise ValueError(f"object {index + 1} {error}") from error
        box = (x1 - first_pixel, y1 - first_pixel, x2, y2)
        if box[0] < box[2] and box[1] < box[3]:
            words = {word: _text(element, word, "") for word in WORDS}
            kept = {key: word for key, word in words.items() if word not in ("", "0", "Unspecified")}
            yield AnnotatedObject(name, box, ignored=ignored, attributes=MappingProxyType(kept))


def _name(element: Any) -> str:
    name = _text(element, "name", "")
    if not name:
        raise ValueError("has no name")
    return name


def _text(element: Any, path: str, default: str) -> str:
    return (element.findtext(path) or "").strip() or default


def _number(element: Any, path: str) -> float:
    text = _text(element, path, "")
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"has {shown(text)} for {path}") from None
    if not math.isfinite(number) or abs(number) > FARTHEST_PX:
        raise ValueError(f"has {shown(text)} for {path}")
    return number
