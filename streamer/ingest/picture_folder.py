"""A folder of pictures as a source."""

import logging
import re
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

from models.errors import PictureError
from models.pictures import ArrayPicture, read_picture
from streamer.frame import Frame
from streamer.ingest.collapse import collapsing_warnings
from streamer.ingest.counters import StreamFormat
from streamer.ingest.errors import EndOfStream, NoVideo, StreamNotFound
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.ingest.timing import RecordingTiming

logger = logging.getLogger(__name__)

#: What is taken for a picture, by the end of its name.
PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder (not of those below it), numbers in their names in numeric order.

    Raises ``OSError`` when the folder cannot be read.
    """
    found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]
    return sorted(found, key=_natural_order)


def folder_frames(source: Source, session: Session) -> Iterator[Frame]:
    """The pictures as frames, ``source.folder_fps`` of them a second; ends when ``session.stop`` is set.

    A looped folder is listed anew each time. Pictures that cannot be read are counted and left out. Raises
    ``StreamNotFound``, ``NoVideo`` when not one picture can be read, or ``EndOfStream``.
    """
    collapser = collapsing_warnings(logger, session.camera_id)
    timing = RecordingTiming(
        fps=session.fps,
        stop=session.stop,
        paced=source.paced,
        start_epoch_s=source.start_epoch_s,
        interval_s=1.0 / source.folder_fps,
    )
    index = 0
    last_hw: tuple[int, int] | None = None
    while True:
        shown = 0
        for path in _listed(source):
            if session.stop.is_set():
                return
            picture = None
            try:
                picture = read_picture(path)
            except PictureError as error:
                session.counters.decode_errors += 1
                collapser.add(str(error))
            if picture is None:
                continue
            shown += 1
            session.counters.packets += 1
            session.counters.key_frames += 1
            session.counters.decoded += 1
            received_s = time.monotonic()
            times = timing.take(None, received_s)
            if session.stop.is_set():
                return
            if picture.image_hw != last_hw:
                session.counters.format_changes += last_hw is not None
                last_hw = picture.image_hw
                session.sink.opened(_format(picture, path, source))
            session.sink.progressed(received_s, 1)
            if times is not None:
                session.counters.due += 1
                yield Frame(
                    camera_id=session.camera_id,
                    index=index,
                    pts_s=index / source.folder_fps,
                    captured_at=times.captured_at,
                    received_mono_s=times.received_mono_s,
                    picture=picture,
                )
            index += 1
        collapser.flush(at_once=True)
        if not shown:
            raise NoVideo(f"{source.display}: holds no picture that can be read")
        if not source.loop:
            raise EndOfStream(f"{source.display}: all its pictures were shown")


def _listed(source: Source) -> list[Path]:
    reason = None
    try:
        return pictures_in(source.path)
    except OSError as error:
        reason = error.strerror
    raise StreamNotFound(f"{source.display}: cannot be read ({reason})")


def _format(picture: ArrayPicture, path: Path, source: Source) -> StreamFormat:
    suffix = path.suffix.lower().removeprefix(".")
    return StreamFormat(
        codec=suffix,
        image_hw=picture.image_hw,
        pixel_format="rgb24",
        fps=source.folder_fps,
        pixel_aspect=Fraction(1),
        decoder=f"{suffix} (OpenCV)",
    )


def _natural_order(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
