"""What to look at: pictures, folders of them, and clips, as one sequence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from models.pictures import ArrayPicture
from models.structures import Picture
from streamer.errors import StreamerError
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
CLIP_SUFFIXES: Final = frozenset(
    {".mp4", ".mkv", ".avi", ".mov", ".ts", ".webm", ".m4v", ".h264", ".h265", ".hevc"}
)

#: More pixels than any camera gives; a picture that claims more is refused before it is decoded.
MAX_PIXELS: Final = 200_000_000


class MaterialError(StreamerError):
    """A picture or clip that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Look:
    """One picture to look at. ``frame`` is its number within a clip, from 0, and None for a still picture."""

    file_name: str
    frame: int | None
    picture: Picture


def material_files(sources: Iterable[Path]) -> list[tuple[str, Path]]:
    """Every file below ``sources`` with the name it is reported by: relative to its folder, or its own.

    Folders are searched to the bottom, in order of name. Raises ``MaterialError`` when a source is not there or a
    folder holds neither pictures nor clips.
    """
    files: list[tuple[str, Path]] = []
    for source in sources:
        if source.is_dir():
            found = sorted(
                path
                for path in source.rglob("*")
                if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES | CLIP_SUFFIXES
            )
            if not found:
                raise MaterialError(f"{source}: holds no pictures and no clips")
            files += [(str(path.relative_to(source)), path) for path in found]
        elif source.exists():
            files.append((source.name, source))
        else:
            raise MaterialError(f"{source}: no such file or folder")
    return files


def looks_of(name: str, path: Path) -> Iterator[Look]:
    """The pictures in one file. Raises ``MaterialError`` or ``IngestError`` when it cannot be read."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        yield Look(name, None, read_picture(path))
        return
    # no pacing, and time from 0: only the pictures count here
    source = Source(str(path), paced=False, start_epoch_s=0.0, decode_threads=0)
    for frame in read_frames(source, Session(camera_id=name, sink=NoSink())):
        yield Look(name, frame.index, frame)


def read_picture(path: Path) -> ArrayPicture:
    """A still picture in RGB, turned as its Exif says. Raises ``MaterialError`` that names the file."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise MaterialError(f"{path}: {error.strerror}") from error
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        # OpenCV refuses pictures that claim to be larger than its limit
        raise MaterialError(f"{path}: cannot be decoded") from error
    if bgr is None:
        raise MaterialError(f"{path}: is no picture that can be decoded")
    if bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise MaterialError(f"{path}: has more than {MAX_PIXELS // 1_000_000} million pixels")
    return ArrayPicture(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
