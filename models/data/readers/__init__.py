"""Readers of labelled pictures, one file a format; which one a path needs is found out or told."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from models.data.annotated import AnnotatedPicture
from models.data.readers.coco import read_coco
from models.data.readers.entries import read_json
from models.data.readers.folders import read_folders
from models.data.readers.via import read_via
from models.data.readers.voc import read_voc
from models.data.readers.yolo import read_yolo
from models.errors import DataSetError

__all__ = [
    "READERS",
    "detect_format",
    "read_coco",
    "read_folders",
    "read_pictures",
    "read_via",
    "read_voc",
    "read_yolo",
]

#: By format: its reader, and the options that it takes.
READERS: Final[Mapping[str, tuple[Callable[..., list[AnnotatedPicture]], frozenset[str]]]] = MappingProxyType(
    {
        "coco": (read_coco, frozenset({"images"})),
        "via": (read_via, frozenset({"images", "attribute", "category"})),
        "voc": (read_voc, frozenset({"images", "first_pixel"})),
        "yolo": (read_yolo, frozenset({"subset"})),
        "folders": (read_folders, frozenset()),
    }
)


def read_pictures(path: Path, *, file_format: str | None = None, **options: Any) -> list[AnnotatedPicture]:
    """The labelled pictures of ``path``; ``options`` are those of the format's reader, None is not given.

    Raises ``DataSetError`` when the format cannot be told, takes no such option, or the reader refuses.
    """
    name = file_format or detect_format(path)
    if name not in READERS:
        raise DataSetError(f"there is no format {name!r}; there are {', '.join(READERS)}")
    reader, known = READERS[name]
    given = {option: value for option, value in options.items() if value is not None}
    if unknown := sorted(set(given) - known):
        raise DataSetError(f"{path}: {name} has no use for {unknown[0]!r}")
    return reader(path, **given)


def detect_format(path: Path) -> str:
    """Which format ``path`` is of: by a file's ending and first keys, or by what lies in a folder.

    Raises ``DataSetError`` when none fits.
    """
    if path.is_dir():
        return _format_of_folder(path)
    if not path.exists():
        raise DataSetError(f"{path}: does not exist")
    match path.suffix.lower():
        case ".json":
            document = read_json(path, "labels file")
            return "coco" if "images" in document or "annotations" in document else "via"
        case ".xml":
            return "voc"
        case ".yaml" | ".yml" | ".txt" | ".names":
            return "yolo"
    raise DataSetError(f"{path}: cannot tell its format; it is one of {', '.join(READERS)}")


def _format_of_folder(folder: Path) -> str:
    if any((folder / name).is_file() for name in ("data.yaml", "classes.txt", "obj.names")):
        return "yolo"
    if (folder / "Annotations").is_dir() or next(folder.glob("*.xml"), None) is not None:
        return "voc"
    documents = sorted(folder.glob("*.json"))
    if documents:
        raise DataSetError(f"{folder}: is a folder; read a file of it, for example {documents[0].name}")
    return "folders"
