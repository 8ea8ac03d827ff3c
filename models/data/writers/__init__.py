"""Writers of labelled pictures, one file a format."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from models.data.annotated import AnnotatedPicture
from models.data.readers.voc import LABELS_FOLDER
from models.data.readers.voc import WORDS as VOC_WORDS
from models.data.writers import voc, yolo
from models.data.writers.coco import write_coco
from models.data.writers.placement import Placing, names_in_place, names_of, place_pictures
from models.data.writers.via import write_via
from models.data.writers.voc import write_voc
from models.data.writers.yolo import write_yolo
from models.errors import DataSetError

__all__ = [
    "FORMATS",
    "lost_in",
    "write_coco",
    "write_coco_parts",
    "write_data_set",
    "write_via",
    "write_voc",
    "write_yolo",
]

#: By format, what a set of it is read by, within its folder.
FORMATS: Final = {
    "coco": "annotations.json",
    "via": "via.json",
    "voc": LABELS_FOLDER,
    "yolo": "data.yaml",
}


def write_data_set(
    pictures: Sequence[AnnotatedPicture], folder: Path, file_format: str, *, placing: Placing = "copy"
) -> Path:
    """Write ``pictures`` with their files as a data set of ``folder``; returns what it is read by.

    Pictures of COCO and VIA sets that are in ``folder`` already stay where they are.
    Raises ``DataSetError`` when there is a set already, or the format cannot hold the labels.
    """
    target = folder / FORMATS[file_format]
    _refuse_existing(target)
    if file_format == "coco":
        write_coco_parts({target.stem: pictures}, folder, placing=placing)
    elif file_format == "via":
        write_via(pictures, _names_beside(pictures, folder, placing), target)
    else:
        names = names_of(pictures)
        pictures_folder, labels_folder, write = {
            "voc": (voc.PICTURES_FOLDER, LABELS_FOLDER, write_voc),
            "yolo": (yolo.PICTURES_FOLDER, yolo.LABELS_FOLDER, write_yolo),
        }[file_format]
        # of a set without pictures nothing else makes them
        for name in (pictures_folder, labels_folder):
            (folder / name).mkdir(parents=True, exist_ok=True)
        place_pictures(pictures, names, folder / pictures_folder, placing)
        write(pictures, names, folder)
    return target


def lost_in(pictures: Sequence[AnnotatedPicture], file_format: str) -> dict[str, int]:
    """What of ``pictures`` the format cannot hold, and of how many things or pictures."""
    things = [thing for picture in pictures for thing in picture.objects]
    losses = {
        "coco": {},
        "via": {},
        "voc": {
            "polygons": sum(bool(thing.polygons) for thing in things),
            "attributes": sum(not set(thing.attributes) <= set(VOC_WORDS) for thing in things),
        },
        "yolo": {
            "ignored objects": sum(thing.ignored for thing in things),
            "attributes": sum(bool(thing.attributes) for thing in things),
            "sources": sum(bool(picture.source) for picture in pictures),
        },
    }[file_format]
    if losses:
        losses["groups and cameras"] = sum(bool(picture.group or picture.camera) for picture in pictures)
        losses["labels of whole pictures"] = sum(bool(picture.image_label) for picture in pictures)
    return {what: count for what, count in losses.items() if count}


def write_coco_parts(
    parts: Mapping[str, Sequence[AnnotatedPicture]], folder: Path, *, placing: Placing = "copy"
) -> list[Path]:
    """Write each part as the COCO file of that name in ``folder``; pictures outside are placed in ``images``.

    Raises ``DataSetError`` when a file of that name is there already.
    """
    files = [folder / f"{name}.json" for name in parts]
    for file in files:
        _refuse_existing(file)
    together = [picture for pictures in parts.values() for picture in pictures]
    names = iter(_names_beside(together, folder, placing))
    for file, pictures in zip(files, parts.values(), strict=True):
        write_coco(pictures, [next(names) for _ in pictures], file)
    return files


def _names_beside(pictures: Sequence[AnnotatedPicture], folder: Path, placing: Placing) -> list[str]:
    names = names_in_place(pictures, folder)
    if names is None:
        names = [f"images/{name}" for name in names_of(pictures)]
        place_pictures(pictures, names, folder, placing)
    return names


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise DataSetError(f"{target}: exists already; choose another folder")
