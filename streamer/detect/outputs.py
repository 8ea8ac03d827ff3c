"""Annotated copies on the disk: a picture for a picture, a clip for a clip."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.structures import Detections
from streamer.detect.annotate import annotated, splash
from streamer.detect.material import Look, MaterialError

#: Rate of an annotated clip; its frames keep their number, not their times.
_CLIP_FPS: Final = 10


class CopyWriter:
    """Writes the annotated copies of one file below ``folder`` under its own name, or nothing when that is None.

    Raises ``MaterialError`` when a copy cannot be written.
    """

    def __init__(self, folder: Path | None, name: str, *, splash: bool, min_score: float) -> None:
        self._folder = folder
        self._name = name
        self._splash = splash
        self._min_score = min_score
        self._clip: Any = None
        self._stream: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._clip is not None:
            for packet in self._stream.encode():
                self._clip.mux(packet)
            self._clip.close()

    def write(self, look: Look, detections: Detections) -> None:
        """Add the copy of one look."""
        if self._folder is None:
            return
        draw = splash if self._splash else annotated
        picture = draw(look.picture.rgb(), detections, min_score=self._min_score)
        if look.frame is None:
            self._write_still(self._folder / Path(self._name).with_suffix(".jpg"), picture)
        else:
            self._write_frame(self._folder / Path(self._name).with_suffix(".mp4"), picture)

    def _write_still(self, path: Path, rgb: NDArray[np.uint8]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            done, jpeg = cv2.imencode(
                ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92]
            )
            if not done:
                raise MaterialError(f"{path}: cannot be encoded")
            path.write_bytes(jpeg.tobytes())
        except OSError as error:
            raise MaterialError(f"{path}: {error.strerror}") from error

    def _write_frame(self, path: Path, rgb: NDArray[np.uint8]) -> None:
        # H.264 in 4:2:0 takes even sizes alone
        even = np.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])
        try:
            if self._clip is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._clip = av.open(str(path), "w")
                self._stream = self._clip.add_stream("libx264", rate=Fraction(_CLIP_FPS))
                self._stream.height, self._stream.width = even.shape[:2]
                self._stream.pix_fmt = "yuv420p"
                self._stream.options = {"crf": "21", "preset": "veryfast"}
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            if (frame.width, frame.height) != (self._stream.width, self._stream.height):
                frame = frame.reformat(width=self._stream.width, height=self._stream.height)
            for packet in self._stream.encode(frame):
                self._clip.mux(packet)
        except (OSError, av.FFmpegError) as error:
            raise MaterialError(f"{path}: {error}") from error
