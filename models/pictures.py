"""Still pictures: arrays and image files as ``Picture``."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PictureError
from models.picture_headers import read_header

#: 8K square, 200 MB of memory: larger than any camera's picture.
LARGEST_PICTURE_PX: Final = 8192 * 8192
#: Pixels times scans of a progressive JPEG, which has ten or so: hundreds of empty ones cost minutes.
_MOST_WORK_PX: Final = 1 << 30
_LARGEST_FILE_BYTES: Final = 512_000_000


class ArrayPicture:
    """A picture held as an array.

    ``rgb_array``: uint8 (H, W, 3), RGB, at least one pixel. Kept as a read-only view, not copied: whoever
    makes the picture hands the array over. Raises ``PictureError`` on another shape or type.
    """

    __slots__ = ("_rgb",)

    def __init__(self, rgb_array: NDArray[np.uint8]) -> None:
        shape = rgb_array.shape
        if rgb_array.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise PictureError(f"expected uint8 (H, W, 3), got {rgb_array.dtype} {shape}")
        view = rgb_array.view()
        view.setflags(write=False)
        self._rgb = view

    @property
    def image_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._rgb.shape[0], self._rgb.shape[1]

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The whole picture as read-only RGB, uint8 (H, W, 3), at ``size_hw`` or at its own size.

        Shrinking averages the covered pixels (no aliasing), enlarging interpolates linearly.
        """
        return self._rgb if size_hw is None else resized(self._rgb, size_hw)

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` as read-only RGB, uint8 (H, W, 3), scaled to ``size_hw`` as ``rgb`` does.

        Raises ``PictureError`` when the box is empty or reaches out of the picture.
        """
        check_part(box_xyxy, self.image_hw)
        x1, y1, x2, y2 = box_xyxy
        return resized(self._rgb[y1:y2, x1:x2], size_hw)

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """The part inside ``box_xyxy`` (whole pixels, half-open) as RGB; outside, border pixels repeat.

        Raises ``PictureError`` when the box is empty.
        """
        return crop_with_border(self._rgb, box_xyxy)


def crop_with_border(rgb_array: NDArray[np.uint8], box_xyxy: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Cut ``box_xyxy`` (whole pixels, half-open) out of uint8 (H, W, 3); what lies outside repeats the
    border.

    Works for boxes wholly outside the picture too. Raises ``PictureError`` when the box is empty.
    """
    x1, y1, x2, y2 = box_xyxy
    if x2 <= x1 or y2 <= y1:
        raise PictureError(f"cannot crop an empty box: {box_xyxy}")
    height, width = rgb_array.shape[:2]
    if min(x1, y1) >= 0 and x2 <= width and y2 <= height:
        return rgb_array[y1:y2, x1:x2]
    rows = np.clip(np.arange(y1, y2), 0, height - 1)
    columns = np.clip(np.arange(x1, x2), 0, width - 1)
    return rgb_array[rows[:, None], columns[None, :]]


def read_picture(path: Path) -> ArrayPicture:
    """Read a picture file (JPEG, PNG, WebP, BMP or TIFF, whatever its name says), its EXIF orientation applied.

    Raises ``PictureError`` when the file is missing or none of these, is damaged, or claims more pixels, or more work,
    than any camera's picture: that is found out before memory is taken for them.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise PictureError(f"{path}: is too large for a picture")
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PictureError(f"{path}: is no file's name") from error
    header = read_header(data)
    if header is None:
        raise PictureError(f"{path}: is no picture: neither JPEG, PNG, WebP, BMP nor TIFF")
    if header.pixels > LARGEST_PICTURE_PX or header.pixels * header.passes > _MOST_WORK_PX:
        raise PictureError(f"{path}: is too large for a picture: {header.format} of {header.pixels:,} pixels")
    rgb = None
    try:
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise PictureError(f"{path}: is no picture that can be decoded: too large or damaged") from error
    if rgb is None:
        raise PictureError(f"{path}: is no picture that can be decoded")
    return ArrayPicture(np.asarray(rgb, dtype=np.uint8))


def check_part(box_xyxy: tuple[int, int, int, int], image_hw: tuple[int, int]) -> None:
    """Raise ``PictureError`` unless ``box_xyxy`` is a part of a picture of ``image_hw``."""
    x1, y1, x2, y2 = box_xyxy
    if not (0 <= x1 < x2 <= image_hw[1] and 0 <= y1 < y2 <= image_hw[0]):
        raise PictureError(f"{box_xyxy} is no part of a picture of {image_hw[1]} x {image_hw[0]}")


def resized(rgb_array: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale uint8 (H, W, 3) to ``size_hw``; the array itself where it has that size. Read-only.

    Shrinking averages the covered pixels (no aliasing), enlarging interpolates linearly. Raises ``PictureError`` on a
    size below 1.
    """
    if size_hw == rgb_array.shape[:2]:
        same = rgb_array.view()
        same.setflags(write=False)
        return same
    height, width = size_hw
    if height <= 0 or width <= 0:
        raise PictureError(f"cannot scale a picture to {width} x {height}")
    shrinks = height <= rgb_array.shape[0] and width <= rgb_array.shape[1]
    result = cv2.resize(
        rgb_array, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    scaled: NDArray[np.uint8] = np.asarray(result, dtype=np.uint8)
    scaled.setflags(write=False)
    return scaled
