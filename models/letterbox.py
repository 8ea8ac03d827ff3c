"""Fit pictures of any size into one network input without distorting them.

A picture is scaled by one factor until it touches the input's width or height, laid into the top left
corner (every pad then lies to the right and below, and boxes need no shift), and the rest is filled.

Shapes: B pictures; H, W height and width of the network's input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.errors import PictureError
from models.structures import ImageBatch, Picture

#: Strides of the detectors' feature pyramids end at 32: inputs are whole multiples of it.
INPUT_MULTIPLE: Final = 32

#: The training mean (RGB) that the networks subtract: padding becomes the zero that their convolutions pad
#: with too.
FILL_RGB: Final = (123, 117, 104)

#: Longest side of the network's input for large pictures, in pixels: docs/adr/0034-input-size.md has the figures.
LARGE_INPUT_PX: Final = 1280

#: Smaller pictures are enlarged by up to this factor: their faces are small already.
SMALL_PICTURE_SCALE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies in the network's input.

    A point ``(x, y)`` of the picture lies at ``(x, y) * scale + pad_xy`` of the input; both in continuous
    pixel coordinates, in which the first pixel covers 0 to 1. ``content_hw`` is the drawn size in whole
    input pixels: it differs from ``image_hw * scale`` by at most half an input pixel at the far edge.
    """

    scale: float
    pad_xy: tuple[float, float]
    content_hw: tuple[int, int]


def letterbox_geometry(image_hw: tuple[int, int], input_hw: tuple[int, int]) -> Letterbox:
    """Largest placement of a picture of ``image_hw`` in an input of ``input_hw`` that keeps its aspect.

    Raises ``PictureError`` on sizes below one pixel.
    """
    if min(image_hw) <= 0 or min(input_hw) <= 0:
        raise PictureError(f"sizes must be above 0: picture {image_hw}, input {input_hw}")
    scale = min(input_hw[0] / image_hw[0], input_hw[1] / image_hw[1])
    content_hw = (
        min(input_hw[0], max(1, round(image_hw[0] * scale))),
        min(input_hw[1], max(1, round(image_hw[1] * scale))),
    )
    return Letterbox(scale=scale, pad_xy=(0.0, 0.0), content_hw=content_hw)


def letterbox_batch(pictures: Sequence[Picture], input_hw: tuple[int, int]) -> ImageBatch:
    """Draw ``pictures`` (any sizes, at least one) into one batch of ``input_hw``.

    Each picture is asked for its pixels once, at the size in which it is drawn, so that a video frame can
    be scaled while it is converted. Raises ``PictureError`` when there is none.
    """
    if not pictures:
        raise PictureError("a batch needs at least one picture")
    placements = [letterbox_geometry(picture.image_hw, input_hw) for picture in pictures]
    pixels = np.empty((len(pictures), *input_hw, 3), np.uint8)
    for index, (picture, placement) in enumerate(zip(pictures, placements, strict=True)):
        height, width = placement.content_hw
        pixels[index, :height, :width] = picture.rgb(placement.content_hw)
        pixels[index, height:] = FILL_RGB
        pixels[index, :height, width:] = FILL_RGB
    return ImageBatch(
        pixels=pixels,
        scales=np.array([placement.scale for placement in placements], np.float32),
        pads_xy=np.array([placement.pad_xy for placement in placements], np.float32),
        image_hw=np.array([picture.image_hw for picture in pictures], np.int32),
    )


def input_hw_for(image_hw: tuple[int, int], longest_side_px: int) -> tuple[int, int]:
    """Network input for pictures of ``image_hw`` whose longest side is to be looked at in
    ``longest_side_px`` pixels.

    Both sides are multiples of 32, the longest one ``longest_side_px`` rounded up and the other one as
    large as the aspect needs: 1080p and 720p cameras at 1280 share inputs of 736 x 1280. Pictures that are
    smaller are enlarged. Raises ``PictureError`` on sizes below one pixel.
    """
    if min(image_hw) <= 0 or longest_side_px <= 0:
        raise PictureError(f"sizes must be above 0: picture {image_hw}, longest side {longest_side_px}")
    longest = _multiple_above(longest_side_px)
    # the shortest side is rounded down to whole pixels first: 1366 x 768 is meant to be 16:9
    other = _multiple_above(max(1, int(min(image_hw) * longest / max(image_hw))))
    return (other, longest) if image_hw[1] >= image_hw[0] else (longest, other)


def default_input_size(image_hw: tuple[int, int]) -> int:
    """Longest side, in pixels, at which pictures are looked at when nothing else is said.

    1280 for 1080p and above (and for 720p, which is 1280 wide). Smaller pictures are enlarged 1.5 times, up to
    1280, since most of their faces are near 16 pixels, the detector's smallest anchor: 360p is looked at in
    960. Raises ``ValueError`` on sizes below one pixel.
    """
    if min(image_hw) <= 0:
        raise ValueError(f"image_hw must be above 0, got {image_hw}")
    return min(LARGE_INPUT_PX, round(SMALL_PICTURE_SCALE * max(image_hw)))


def _multiple_above(length_px: int) -> int:
    return -(-length_px // INPUT_MULTIPLE) * INPUT_MULTIPLE
