"""Where a written data set has its pictures: where they are, or copied or linked beside its labels."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from tqdm import tqdm

from models.data.annotated import AnnotatedPicture
from models.errors import DataSetError

#: ``link`` makes symbolic links, which take no room and break when the originals move.
Placing = Literal["copy", "link"]

#: Left out of the names of pictures: it says nothing, and YOLO gives it a meaning.
_SAYS_NOTHING: Final = "images"


def names_in_place(pictures: Sequence[AnnotatedPicture], folder: Path) -> list[str] | None:
    """Names of the pictures relative to ``folder``, ``/`` between; None when one lies elsewhere."""
    names = []
    for picture in pictures:
        relative = os.path.relpath(picture.path, folder)
        if relative.split(os.sep)[0] == os.pardir:
            return None
        names.append(PurePosixPath(*Path(relative).parts).as_posix())
    return names


def names_of(pictures: Sequence[AnnotatedPicture]) -> list[str]:
    """A name for each picture, ``/`` between: its path below the folder that all share.

    No two differ in their endings or in upper case alone: labels have other endings.
    Raises ``DataSetError`` when a picture comes twice.
    """
    paths = [Path(os.path.abspath(picture.path)) for picture in pictures]
    if len(set(paths)) < len(paths):
        twice = next(path for index, path in enumerate(paths) if path in paths[:index])
        raise DataSetError(f"{twice}: comes twice, with labels of its own each time")
    if not paths:
        return []
    shared = os.path.commonpath([path.parent for path in paths])
    taken: set[str] = set()
    names = []
    for path in paths:
        parts = [part for part in path.relative_to(shared).parts[:-1] if part != _SAYS_NOTHING]
        stem = PurePosixPath(*parts, path.stem).as_posix()
        unique, number = stem, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{stem}_{number}"
        taken.add(unique.casefold())
        names.append(unique + path.suffix)
    return names


def place_pictures(
    pictures: Sequence[AnnotatedPicture], names: Sequence[str], folder: Path, placing: Placing
) -> None:
    """Copy or link each picture to its name in ``folder``.

    Raises ``DataSetError`` when a file of that name is there already, ``OSError`` when it cannot be written.
    """
    progress = tqdm(pictures, desc="pictures", unit="picture", leave=False, disable=None)
    for picture, name in zip(progress, names, strict=True):
        target = folder / name
        if os.path.lexists(target):
            raise DataSetError(f"{target}: exists already")
        target.parent.mkdir(parents=True, exist_ok=True)
        if placing == "link":
            target.symlink_to(os.path.abspath(picture.path))
        else:
            shutil.copyfile(picture.path, target)
