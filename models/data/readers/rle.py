"""Pixels as COCO writes them: run lengths, column by column, and their way to polygons."""

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

#: More pixels than any picture has that is read elsewhere.
_MOST_PIXELS: Final = 200_000_000


def decode_runs(counts: Sequence[int] | str, image_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of run lengths: bool (H, W).

    ``counts``: numbers of pixels off, on, off ... down the columns, as a list or packed as pycocotools does.
    Raises ``ValueError`` when they do not fill ``image_hw``.
    """
    height, width = image_hw
    if height * width > _MOST_PIXELS:
        raise ValueError(f"claims {width} x {height} pixels")
    runs = _unpacked(counts) if isinstance(counts, str) else list(counts)
    if any(isinstance(run, bool) or not isinstance(run, int) or run < 0 for run in runs):
        raise ValueError("should count pixels")
    if sum(runs) != height * width:
        raise ValueError(f"counts {sum(runs)} pixels of {width} x {height}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _unpacked(text: str) -> list[int]:
    """Five bits a letter, the sixth says that more follow; from the fourth run on the difference to the one
    before the last (``rleFrString`` of pycocotools)."""
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("is no packed run length text")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("ends within a number")
    return runs


def polygons_of_pixels(pixels: NDArray[np.bool_]) -> tuple[NDArray[np.float32], ...]:
    """Outlines of the connected parts of ``pixels`` (H, W), each float32 (P, 2), along the pixels' edges.

    Filled, they give the same pixels; holes are filled too. OpenCV's contours run through the centres of the
    outermost pixels. In a picture of twice the size, each vertex of a contour is the quarter of a pixel that
    touches a corner of the outline, and is moved there.
    """
    rows = np.flatnonzero(pixels.any(axis=1))
    columns = np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return ()
    top, left = int(rows[0]), int(columns[0])
    cut = pixels[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    doubled = np.repeat(np.repeat(cut.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return tuple(_along_edges(contour.reshape(-1, 2), left, top) for contour in contours)


def _along_edges(contour: NDArray[Any], left: int, top: int) -> NDArray[np.float32]:
    corners = (contour + 1) // 2
    kept = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    return np.asarray(corners[kept] + np.array([left, top]), np.float32)
