"""A frame that a device decoded as ``Picture``: it is fetched when somebody looks at its pixels, and only then."""

from threading import Lock
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from models.errors import PictureError
from streamer.ingest.device_decoding import pixel_format
from streamer.ingest.video_picture import VideoPicture

#: Devices interleave chroma. In planes it is as software decodes it, and ``VideoPicture`` can cut parts out of it.
_PLANAR: Final = {"nv12": "yuv420p"}


class DevicePicture:
    """One ``av.VideoFrame`` on a device; any thread may ask. Its memory there is free again once it was fetched.

    Its methods raise ``PictureError`` when it cannot be fetched, else as those of ``VideoPicture`` do.
    """

    __slots__ = ("_fetched", "_frame", "_lock", "image_hw")

    def __init__(self, frame: av.VideoFrame) -> None:
        #: Height and width as displayed.
        self.image_hw: tuple[int, int] = VideoPicture(frame).image_hw
        self._frame: av.VideoFrame | None = frame
        self._fetched: VideoPicture | None = None
        self._lock = Lock()

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """See ``VideoPicture``."""
        return self._here().rgb(size_hw)

    def grey(self, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """See ``VideoPicture``."""
        return self._here().grey(size_hw)

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """See ``VideoPicture``."""
        return self._here().part_rgb(box_xyxy, size_hw)

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """See ``VideoPicture``."""
        return self._here().crop_rgb(box_xyxy)

    def _here(self) -> VideoPicture:
        with self._lock:
            if self._fetched is None and self._frame is not None:
                self._fetched = VideoPicture(_fetched(self._frame))
                self._frame = None
        if self._fetched is None:
            raise PictureError("the picture is gone")
        return self._fetched


def picture_of(frame: av.VideoFrame) -> VideoPicture | DevicePicture:
    """A decoded frame as ``Picture``, wherever its pixels are."""
    return VideoPicture(frame) if frame.sw_format is None else DevicePicture(frame)


def _fetched(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame in this machine's memory."""
    name = pixel_format(frame)
    failure = None
    try:
        # reformatting a frame of a device fetches it first
        return frame.reformat(format=_PLANAR.get(name, name), threads=1)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        failure = str(error)
    raise PictureError(f"cannot fetch a {name} frame from the device: {failure}")
