"""The picture files that a labels file names: inside the data set's folder, and of which size."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from models.errors import DataSetError, PictureError
from models.pictures import read_picture

SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def path_inside(folder: Path, name: str, *, origin: object) -> Path:
    """Where the picture called ``name`` is in ``folder``; whether it exists is not asked.

    Backslashes separate folders too, as Windows tools write them. Raises ``DataSetError`` (naming ``origin``)
    for what is no path or leaves the folder.
    """
    spelled = name.replace("\\", "/")
    try:
        spelled.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataSetError(f"{origin}: {name!r} is no file's name") from error
    path = PurePosixPath(spelled)
    if not path.parts or any(ord(letter) < 32 for letter in spelled) or "://" in spelled:
        raise DataSetError(f"{origin}: {name!r} is no file's name")
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            break
    if depth < 1 or path.is_absolute() or PureWindowsPath(spelled).drive:
        raise DataSetError(f"{origin}: {name!r} leaves the data set's folder {folder}")
    return folder / path


def picture_hw(path: Path, *, origin: object) -> tuple[int, int]:
    """Height and width of a picture file, its EXIF orientation applied. The whole file is decoded: what
    passes here can be trained on. Raises ``DataSetError`` (naming ``origin``).
    """
    try:
        return read_picture(path).image_hw
    except PictureError as error:
        raise DataSetError(f"{origin}: {error}") from error


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that the file system refuses is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that the file system refuses is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def pictures_below(folder: Path) -> Iterator[Path]:
    """Picture files of ``folder`` and its folders, in order of their names; hidden ones are left out."""
    try:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise DataSetError(f"{folder}: cannot be read: {error.strerror}") from error
    for path in found:
        if is_file(path) and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
