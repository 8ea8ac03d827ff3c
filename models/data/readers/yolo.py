"""Reads YOLO labels, boxes and polygons: one text file a picture, numbers relative to the picture."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray
from tqdm import tqdm

from config.bounded_yaml import load_bounded
from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.outlines import box_around
from models.data.readers.entries import Entry, read_text, shown
from models.data.readers.picture_files import is_file, is_folder, path_inside, picture_hw, pictures_below
from models.errors import DataSetError

KIND: Final = "YOLO data set"

_SPLITS: Final = ("train", "val", "valid", "test")
_NAME_FILES: Final = ("classes.txt", "obj.names")

#: Relative coordinates beyond this are not relative to the picture.
_FARTHEST: Final = 2.0


def read_yolo(path: Path, *, subset: str | None = None) -> list[AnnotatedPicture]:
    """The pictures of a ``data.yaml``, or of a folder that has one or a ``classes.txt``.

    - ``subset``: ``train``, ``val`` or ``test`` of the ``data.yaml``; by default all that it names, each
      picture once. Without ``data.yaml`` every picture below the folder.
    - Labels stand beside the picture, or in ``labels`` where the last ``images`` of its path is. A picture
      without labels shows nothing.
    - Lines of five numbers are boxes, longer ones polygons; a polygon that is an upright rectangle says no
      more than a box. What has no area is left out. ``labelled``: all names.

    Raises ``DataSetError`` when a file is not so, or names pictures outside the folder.
    """
    file = path / "data.yaml" if path.is_dir() else path
    if file.suffix in (".yaml", ".yml") and is_file(file):
        names, pictures = _described(file, subset)
    elif subset is not None:
        raise DataSetError(f"{path}: has no data.yaml, so it has no subset {subset!r}")
    else:
        folder = path if path.is_dir() else path.parent
        names, pictures = _names_beside(folder), list(pictures_below(folder))
    if not pictures:
        raise DataSetError(f"{path}: there are no pictures")
    if not any(is_file(labels_file(picture)) for picture in pictures):
        raise DataSetError(
            f"{path}: no picture has labels; those of {pictures[0]} would be {labels_file(pictures[0])}"
        )
    progress = tqdm(pictures, desc="sizes of pictures", unit="picture", leave=False, disable=None)
    return [_picture(picture, names) for picture in progress]


def _names_beside(folder: Path) -> dict[int, str]:
    for name in _NAME_FILES:
        if is_file(folder / name):
            lines = read_text(folder / name).split("\n")
            return {index: line.strip() for index, line in enumerate(lines) if line.strip()}
    raise DataSetError(f"{folder}: is no {KIND}: it has no data.yaml, {' or '.join(_NAME_FILES)}")


def _described(file: Path, subset: str | None) -> tuple[dict[int, str], list[Path]]:
    try:
        document = Entry(load_bounded(read_text(file)), file=file, kind=KIND)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        words = " ".join(str(error).split())
        raise DataSetError(f"{file}: is no {KIND}: no YAML that can be read: {words}") from error
    names = _names(document.member("names"))
    root = file.parent
    if "path" in document and document.member("path").word() not in ("", "."):
        # written for the folder from which training was started; ours is where the file lies
        named = document.member("path").text()
        within = _folder_inside(root, Path(named.replace("\\", "/")).name, file)
        root = within if is_folder(within) else root
    splits = [name for name in _SPLITS if name in document and document.member(name).value is not None]
    if subset is not None:
        if subset not in splits:
            raise DataSetError(f"{file}: has no subset {subset!r}, only {', '.join(splits) or 'none'}")
        splits = [subset]
    pictures: dict[Path, None] = {}
    for name in splits:
        place = document.member(name)
        for row in place.rows() if isinstance(place.value, list) else [place]:
            pictures |= dict.fromkeys(_pictures_of(row, root, file))
    return names, list(pictures)


def _names(entry: Entry) -> dict[int, str]:
    if isinstance(entry.value, list):
        return {index: row.text() for index, row in enumerate(entry.rows())}
    names = {}
    for key, row in entry.members():
        if not key.isdecimal() or len(key) > 6:
            raise row.problem("should have a number as its key")
        names[int(key)] = row.text()
    return names


def _pictures_of(entry: Entry, root: Path, file: Path) -> Iterator[Path]:
    """Pictures of a folder, or those that a text file lists."""
    place = _folder_inside(root, entry.text(), file)
    if is_folder(place):
        yield from pictures_below(place)
    elif place.suffix == ".txt":
        for line in filter(None, map(str.strip, read_text(place).split("\n"))):
            yield path_inside(root, line, origin=place)
    else:
        raise entry.problem(f"is {shown(entry.value)}: there is no folder {place}")


def _folder_inside(root: Path, name: str, file: Path) -> Path:
    """``name`` in ``root``. Some exports write ``../train/images`` for their own ``train/images``."""
    spelled = name.replace("\\", "/")
    if spelled in (".", "./"):
        return root
    return path_inside(root, spelled.removeprefix("../"), origin=file)


def _picture(path: Path, names: dict[int, str]) -> AnnotatedPicture:
    labels = labels_file(path)
    lines = read_text(labels).split("\n") if is_file(labels) else []
    image_hw = picture_hw(path, origin=labels)
    objects = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                thing = _object(line.split(), names, image_hw)
            except ValueError as error:
                raise DataSetError(f"{labels}: line {number}: {error}") from error
            objects += [] if thing is None else [thing]
    return AnnotatedPicture(path, image_hw, tuple(objects), labelled=frozenset(names.values()))


def labels_file(picture: Path) -> Path:
    """Where the labels of ``picture`` are, or would be: in ``labels`` instead of the last ``images`` of its
    path, unless there are some beside it.
    """
    beside = picture.with_suffix(".txt")
    parts = list(picture.parent.parts)
    if "images" not in parts or is_file(beside):
        return beside
    parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts, beside.name)


def _object(words: list[str], names: dict[int, str], image_hw: tuple[int, int]) -> AnnotatedObject | None:
    numbers = _numbers(words)
    if numbers[0] not in names:
        raise ValueError(f"there is no class {words[0][:20]!r}")
    side_wh = np.array([image_hw[1], image_hw[0]], np.float64)
    polygon = None
    if len(numbers) == 5:
        centre, half = numbers[1:3] * side_wh, numbers[3:5] * side_wh / 2
        corners = np.stack([centre - half, centre + half])
        box = box_around([corners]) if (half > 0).all() else None
    else:
        corners = numbers[1:].reshape(-1, 2) * side_wh
        if not _is_upright_rectangle(corners):
            polygon = corners.astype(np.float32)
        box = box_around([corners if polygon is None else polygon])
    if box is None:
        return None
    return AnnotatedObject(names[int(numbers[0])], box, () if polygon is None else (polygon,))


def _numbers(words: list[str]) -> NDArray[np.float64]:
    if len(words) != 5 and (len(words) < 7 or len(words) % 2 == 0):
        raise ValueError(f"{len(words)} numbers are neither a box (5) nor a polygon (7, 9, 11 ...)")
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise ValueError(f"should hold numbers: {shown(' '.join(words))}") from error
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"should hold finite numbers: {shown(' '.join(words))}")
    if max(map(abs, numbers[1:])) > _FARTHEST:
        raise ValueError(f"is not relative to the picture: {shown(' '.join(words))}")
    return np.array(numbers, np.float64)


def _is_upright_rectangle(corners: NDArray[Any]) -> bool:
    if len(corners) != 4:
        return False
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners.tolist()
    return bool(
        (ay == by and bx == cx and cy == dy and dx == ax) or (ax == bx and by == cy and cx == dx and dy == ay)
    )
