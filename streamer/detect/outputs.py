"""Annotated copies on the disk: a picture for a picture, a clip for a clip."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.structures import Detections
from streamer.detect import annotate
from streamer.detect.material import Look, Material, MaterialError

#: Written as they came; other pictures become PNG, other clips MP4, with the suffix put after their own.
_KEPT_PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_KEPT_CLIPS: Final = frozenset({".mp4", ".mkv", ".mov"})

_JPEG_QUALITY: Final = 92
#: Ticks of an annotated clip's clock per second, as MPEG counts.
_CLIP_TICKS: Final = 90_000
#: What players are told; each frame keeps the time that it has in the recording.
_NOMINAL_FPS: Final = 25


#: Makes a copy of a frame (H, W, 3) in which nothing is seen that nobody may see.
Hide = Callable[[NDArray[np.uint8], Detections], NDArray[np.uint8]]


def copy_path(folder: Path, material: Material) -> Path:
    """Where the copy of ``material`` goes below ``folder``."""
    path = folder / material.name
    suffix = path.suffix.lower()
    if material.is_picture:
        return path if suffix in _KEPT_PICTURES else path.with_name(f"{path.name}.png")
    return path if suffix in _KEPT_CLIPS else path.with_name(f"{path.name}.mp4")


class CopyWriter:
    """Writes the annotated copy of one file to ``path``; a clip is there once it is whole.

    ``hide`` is done to each picture first. Raises ``MaterialError`` when the copy cannot be written, or would overwrite
    ``material`` itself.
    """

    def __init__(
        self, path: Path, material: Material, *, splash: bool, min_score: float, hide: Hide | None = None
    ) -> None:
        if path.resolve() == material.path.resolve():
            raise MaterialError(f"{path}: the copy would overwrite the original; choose another folder")
        self._path = path
        # beside the target, with its suffix last: libav chooses the container by it
        self._part = path.with_name(f".part.{path.name}")
        self._draw = annotate.splash if splash else annotate.annotated
        self._min_score = min_score
        self._hide = hide
        self._clip: Any = None
        self._stream: Any = None
        self._last_tick = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._clip is None:
            return
        try:
            try:
                self._encode(None)
            finally:
                self._clip.close()
            # of a recording that breaks off the copy goes as far
            self._part.replace(self._path)
        except (OSError, av.FFmpegError) as failure:
            self._part.unlink(missing_ok=True)
            if error is None:
                raise self._not_written(failure) from failure

    def write(self, look: Look, detections: Detections) -> None:
        """Add the copy of one look."""
        rgb = look.picture.rgb()
        if self._hide is not None:
            rgb = self._hide(rgb, detections)
        rgb = self._draw(rgb, detections, min_score=self._min_score)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if look.at_s is None:
                self._write_still(rgb)
            else:
                self._write_frame(rgb, look.at_s)
        except (OSError, av.FFmpegError, cv2.error) as error:
            raise self._not_written(error) from error

    def _write_still(self, rgb: NDArray[np.uint8]) -> None:
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(self._path.suffix.lower(), bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        self._path.write_bytes(data.tobytes())

    def _write_frame(self, rgb: NDArray[np.uint8], at_s: float) -> None:
        # H.264 in 4:2:0 takes even sizes alone
        even = np.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])
        if self._clip is None:
            self._clip = av.open(str(self._part.absolute()), "w")
            self._stream = self._clip.add_stream("libx264", rate=Fraction(_NOMINAL_FPS))
            self._stream.height, self._stream.width = even.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _CLIP_TICKS)
            self._stream.options = {"crf": "21", "preset": "veryfast"}
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        if (frame.width, frame.height) != (self._stream.width, self._stream.height):
            frame = frame.reformat(width=self._stream.width, height=self._stream.height)
        # strictly growing, whatever the recording's clock does
        self._last_tick = max(self._last_tick + 1, round(at_s * _CLIP_TICKS))
        frame.pts, frame.time_base = self._last_tick, Fraction(1, _CLIP_TICKS)
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._clip.mux(packet)

    def _not_written(self, error: Exception) -> MaterialError:
        reason = getattr(error, "strerror", None) or str(error)
        return MaterialError(f"{self._path}: the copy cannot be written: {reason}")
