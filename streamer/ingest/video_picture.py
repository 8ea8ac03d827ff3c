"""A decoded video frame as ``Picture``: YUV as the decoder left it, RGB only at the size, or in the part,
asked for.

Colour: libswscale converts with the matrix and range that the stream declares. Streams that declare no
matrix get BT.709 from 1280 pixels of width or more than 576 of height, BT.601 below, as players do (mpv,
VLC); an undeclared range is the limited one, except in MJPEG. RGB is always full range.

Rotation by quarter turns that a file declares (phones do) is applied; other angles are ignored. Pixels that
are not square stay as they are stored: boxes, zones and snapshots all live in stored pixels
(``StreamFormat`` tells).
"""

from threading import Lock
from typing import Final

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from models.errors import PictureError
from models.pictures import check_part, crop_with_border, resized

#: Results up to so many pixels are kept: several readers ask for one frame at the network's size.
CACHED_PIXELS: Final = 1_500_000

#: AVCOL_SPC_* values that libswscale can convert; anything else (a damaged header, say) counts as undeclared.
_KNOWN_MATRICES: Final = frozenset({0, 1, 4, 5, 6, 7, 9})
_UNDECLARED: Final = 2

#: Planar 8-bit formats whose conversion treats each chroma sample alone, so that a part converts to the same
#: bits as the whole; the number of planes and the luma pixels per chroma sample each way.
_CROPPABLE: Final = {
    "yuv420p": (3, 2),
    "yuvj420p": (3, 2),
    "yuv444p": (3, 1),
    "yuvj444p": (3, 1),
    "gray": (1, 1),
}


class VideoPicture:
    """One ``av.VideoFrame`` as ``models.structures.Picture``; any thread may ask, conversion runs without
    the GIL.

    The frame's planes are shared with the decoder by reference count and never written to.
    """

    __slots__ = ("_cached", "_frame", "_lock", "_matrix", "_turns")

    def __init__(self, frame: av.VideoFrame) -> None:
        if frame.colorspace not in _KNOWN_MATRICES:
            frame.colorspace = _UNDECLARED
        self._frame = frame
        self._matrix = _assumed_matrix(frame)
        self._turns = _quarter_turns(frame.rotation)
        # Guards the frame's own tags, which PyAV overwrites while it converts, and the cache.
        self._lock = Lock()
        self._cached: NDArray[np.uint8] | None = None

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width as displayed, rotation applied."""
        stored_hw = self._frame.height, self._frame.width
        return (stored_hw[1], stored_hw[0]) if self._turns % 2 else stored_hw

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The whole picture as RGB, uint8 (H, W, 3), scaled to ``size_hw`` or at its own size. Read-only.

        Shrinking averages the covered pixels, enlarging interpolates linearly. The last result of a modest
        size is kept. Raises ``PictureError`` on a size below 1 or when libswscale cannot convert the
        format.
        """
        size_hw = size_hw or self.image_hw
        if min(size_hw) < 1:
            raise PictureError(f"cannot scale a picture to {size_hw[1]} x {size_hw[0]}")
        with self._lock:
            if self._cached is not None and self._cached.shape[:2] == size_hw:
                return self._cached
            stored_hw = (size_hw[1], size_hw[0]) if self._turns % 2 else size_hw
            result = _read_only(_turned(self._converted(self._frame, stored_hw), self._turns))
            if size_hw[0] * size_hw[1] <= CACHED_PIXELS:
                self._cached = result
            return result

    def grey(self, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """The whole picture's luma as the stream's range has it, uint8 (H, W), scaled to ``size_hw``. Never kept.

        Costs a fraction of ``rgb``: chroma is not touched. Raises ``PictureError`` as ``rgb`` does.
        """
        if min(size_hw) < 1:
            raise PictureError(f"cannot scale a picture to {size_hw[1]} x {size_hw[0]}")
        stored_hw = (size_hw[1], size_hw[0]) if self._turns % 2 else size_hw
        with self._lock:
            grey = self._reformatted(self._frame, stored_hw, "gray")
        return _read_only(_turned(_plane(grey, 0)[:, : stored_hw[1]], self._turns))

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` as read-only RGB, uint8 (H, W, 3), scaled to ``size_hw``.

        Where it shrinks, and the pixel format and the box allow it, the part alone is scaled while it is converted:
        half the cost of scaling what was converted. Raises ``PictureError`` when the box is empty or reaches out of the
        picture, or on a size below 1.
        """
        check_part(box_xyxy, self.image_hw)
        x1, y1, x2, y2 = box_xyxy
        shrinks = 0 < size_hw[0] <= y2 - y1 and 0 < size_hw[1] <= x2 - x1
        stored = self._to_stored(x1, y1, x2, y2)
        chroma_step = self._croppable()[1]
        if not shrinks or not chroma_step or any(side % chroma_step for side in stored):
            return resized(self.crop_rgb(box_xyxy), size_hw)
        stored_hw = (size_hw[1], size_hw[0]) if self._turns % 2 else size_hw
        return _read_only(_turned(self._converted(self._cut(stored), stored_hw), self._turns))

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` (whole pixels, half-open) as RGB; what lies outside repeats the
        border.

        Only the part is converted where the pixel format allows it; the result is the same to the bit as
        cutting it out of ``rgb()``. Raises ``PictureError`` when the box is empty.
        """
        x1, y1, x2, y2 = box_xyxy
        if x2 <= x1 or y2 <= y1:
            raise PictureError(f"cannot crop an empty box: {box_xyxy}")
        height, width = self.image_hw
        # The part that exists; at least one row and column of it, whose repetition fills a box wholly
        # outside.
        left, right = min(max(x1, 0), width - 1), max(min(x2, width), 1)
        top, bottom = min(max(y1, 0), height - 1), max(min(y2, height), 1)
        inside = self._existing_part(left, top, right, bottom)
        shifted = x1 - left, y1 - top, x2 - left, y2 - top
        return _read_only(crop_with_border(inside, shifted))

    def _existing_part(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        chroma_step = self._croppable()[1]
        if not chroma_step:
            return self.rgb()[top:bottom, left:right]
        x1, y1, x2, y2 = self._to_stored(left, top, right, bottom)
        wide_x1, wide_y1 = x1 - x1 % chroma_step, y1 - y1 % chroma_step
        part = self._cut((wide_x1, wide_y1, x2 + x2 % chroma_step, y2 + y2 % chroma_step))
        whole = self._converted(part, (part.height, part.width))
        cut_rgb = whole[y1 - wide_y1 : y2 - wide_y1, x1 - wide_x1 : x2 - wide_x1]
        return _turned(cut_rgb, self._turns)

    def _croppable(self) -> tuple[int, int]:
        """Planes, and luma pixels per chroma sample each way; both 0 where a part cannot be cut out of the planes."""
        planes, chroma_step = _CROPPABLE.get(self._frame.format.name, (0, 0))
        # With odd sizes libswscale leaves the fast path and interpolates chroma across the cut.
        if not planes or self._frame.width % chroma_step or self._frame.height % chroma_step:
            return 0, 0
        return planes, chroma_step

    def _cut(self, stored_xyxy: tuple[int, int, int, int]) -> av.VideoFrame:
        """The planes of a part in stored pixels, multiples of the chroma step, as a frame of its own."""
        x1, y1, x2, y2 = stored_xyxy
        planes, chroma_step = self._croppable()
        part = av.VideoFrame(x2 - x1, y2 - y1, self._frame.format.name)
        for number in range(planes):
            step = chroma_step if number else 1
            cut = _plane(self._frame, number)[y1 // step : y2 // step, x1 // step : x2 // step]
            _plane(part, number)[: cut.shape[0], : cut.shape[1]] = cut
        with self._lock:
            part.colorspace, part.color_range = self._frame.colorspace, self._frame.color_range
        return part

    def _to_stored(self, left: int, top: int, right: int, bottom: int) -> tuple[int, int, int, int]:
        """The box as displayed in stored pixels: the inverse of ``numpy.rot90`` by ``_turns``."""
        stored_h, stored_w = self._frame.height, self._frame.width
        if self._turns == 1:
            return stored_w - bottom, left, stored_w - top, right
        if self._turns == 2:
            return stored_w - right, stored_h - bottom, stored_w - left, stored_h - top
        if self._turns == 3:
            return top, stored_h - right, bottom, stored_h - left
        return left, top, right, bottom

    def _converted(self, frame: av.VideoFrame, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        height, width = size_hw
        rgb = self._reformatted(frame, size_hw, "rgb24")
        return _plane(rgb, 0)[:, : 3 * width].reshape(height, width, 3)

    def _reformatted(
        self, frame: av.VideoFrame, size_hw: tuple[int, int], pixel_format: str
    ) -> av.VideoFrame:
        height, width = size_hw
        shrinks = height <= frame.height and width <= frame.width
        failure = None
        try:
            return frame.reformat(
                width,
                height,
                format=pixel_format,
                src_colorspace=self._matrix,
                interpolation=Interpolation.AREA if shrinks else Interpolation.BILINEAR,
                dst_color_range=ColorRange.JPEG,
                # Many cameras share the cores; one frame does not get them all.
                threads=1,
            )
        except (av.FFmpegError, ValueError) as error:
            failure = str(error)
        size = f"{frame.width}x{frame.height}"
        raise PictureError(f"cannot convert a {frame.format.name} frame of {size}: {failure}")


def _plane(frame: av.VideoFrame, number: int) -> NDArray[np.uint8]:
    """One plane as bytes (rows, bytes of a row with its padding), sharing the frame's memory."""
    plane = frame.planes[number]
    return np.frombuffer(plane, np.uint8).reshape(-1, abs(plane.line_size))  # type: ignore[call-overload,no-any-return]


def _assumed_matrix(frame: av.VideoFrame) -> Colorspace | None:
    if frame.colorspace != _UNDECLARED or not frame.format.name.startswith(("yuv", "nv", "p0")):
        return None
    return Colorspace.ITU709 if frame.width >= 1280 or frame.height > 576 else Colorspace.ITU601


def _quarter_turns(degrees: float) -> int:
    """Counter-clockwise quarter turns, 0 to 3; other angles than these count as none."""
    turns = round(degrees / 90)
    return turns % 4 if abs(degrees - 90 * turns) < 1 else 0


def _turned(array: NDArray[np.uint8], turns: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(array, turns)) if turns else np.ascontiguousarray(array)


def _read_only(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    view = array.view()
    view.setflags(write=False)
    return view
