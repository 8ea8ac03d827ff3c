"""What to look at: pictures, folders of them, and clips, as one sequence."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.pictures import read_picture
from models.structures import Picture
from streamer.errors import StreamerError
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
CLIP_SUFFIXES: Final = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".3gp"),
        *(
            ".ts",
            ".mts",
            ".m2ts",
            ".mpg",
            ".mpeg",
            ".h264",
            ".264",
            ".h265",
            ".265",
            ".hevc",
            ".mjpeg",
            ".mjpg",
        ),
    }
)


class MaterialError(StreamerError):
    """A picture or clip that cannot be found, read or written; the message names it."""


@dataclass(frozen=True, slots=True)
class Material:
    """One file to look at and the name it is reported by, which no other file of the same call has."""

    name: str
    path: Path

    @property
    def is_picture(self) -> bool:
        """Whether it is taken for a still picture, by the end of its name; else it is read as a clip."""
        return self.path.suffix.lower() in PICTURE_SUFFIXES


@dataclass(frozen=True, slots=True)
class Look:
    """One picture to look at. ``frame`` is its number within a clip, from 0, and ``at_s`` its time there in seconds;
    both are None for a still picture.
    """

    file_name: str
    frame: int | None
    at_s: float | None
    picture: Picture


def material_of(sources: Iterable[Path], *, but_below: Path | None = None) -> list[Material]:
    """Every file of ``sources``, each once, in the order given; folders are searched to the bottom, by name.

    A file is reported by its path below the folder that was given, or by its own name; where two would be called
    alike, by as many of their parents before it as tell them apart. Files below ``but_below`` (where copies are
    written) are left out of folders. Raises ``MaterialError`` when a source is not there or a folder holds nothing.
    """
    names: dict[Path, Path] = {}
    for source in sources:
        if source.is_dir():
            found = [
                path
                for path in sorted(source.rglob("*"))
                if path.suffix.lower() in PICTURE_SUFFIXES | CLIP_SUFFIXES
                and path.is_file()
                and not (but_below is not None and path.resolve().is_relative_to(but_below.resolve()))
            ]
            if not found:
                raise MaterialError(f"{source}: holds no pictures and no clips")
            for path in found:
                names.setdefault(path.resolve(), path.relative_to(source))
        elif source.is_file():
            names.setdefault(source.resolve(), Path(source.name))
        else:
            raise MaterialError(f"{source}: no such file or folder")
    return [Material(str(name), path) for path, name in _told_apart(names).items()]


def _told_apart(names: dict[Path, Path]) -> dict[Path, Path]:
    """The same files in the same order, with longer names for those that are called alike."""
    by_name: defaultdict[Path, list[Path]] = defaultdict(list)
    for path, name in names.items():
        by_name[name].append(path)
    result = dict(names)
    for name, alike in by_name.items():
        parts = len(name.parts)
        # two paths that differ have tails that differ, at the latest without the root
        while len(alike) > 1 and len({path.parts[-parts:] for path in alike}) < len(alike):
            parts += 1
        if len(alike) > 1:
            result |= {path: Path(*path.parts[-parts:]) for path in alike}
    return result


def looks_of(material: Material, *, every: int = 1) -> Iterator[Look]:
    """The pictures in one file; of a clip every ``every``-th frame, from the first.

    Raises ``PictureError`` or ``IngestError`` when it cannot be read.
    """
    if material.is_picture:
        yield Look(material.name, None, None, read_picture(material.path))
        return
    # No pacing, and time from 0: only the pictures count here. The path is absolute, so that no name of a file can
    # be taken for a webcam or a URL.
    source = Source(str(material.path.absolute()), paced=False, start_epoch_s=0.0, decode_threads=0)
    for frame in read_frames(source, Session(camera_id=material.name, sink=NoSink())):
        if frame.index % every == 0:
            yield Look(material.name, frame.index, frame.captured_at, frame)
