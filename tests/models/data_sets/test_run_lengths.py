"""Run lengths and the outlines of pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from models.data.readers.rle import decode_runs, polygons_of_pixels

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def runs_of(pixels):
    runs, value = [0], False
    for pixel in pixels.T.reshape(-1):
        if pixel != value:
            runs.append(0)
            value = bool(pixel)
        runs[-1] += 1
    return runs


def packed(pixels):
    return coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode("ascii")


@given(pixels=MASKS)
def test_runs_come_back_as_pixels(pixels):
    runs = runs_of(pixels)
    assert (decode_runs(runs, pixels.shape) == pixels).all()
    assert (decode_runs(packed(pixels), pixels.shape) == pixels).all()


def test_long_runs():
    pixels = np.zeros((300, 200), np.bool_)
    pixels[20:290, 30:170] = True
    assert (decode_runs(packed(pixels), (300, 200)) == pixels).all()


@pytest.mark.parametrize("counts", [[], [5, -1, 5], [3, 1.5, 4.5], [10], "", "~", "o", [True, 8]])
def test_runs_that_do_not_fit(counts):
    with pytest.raises(ValueError, match=r"pixels|packed|within"):
        decode_runs(counts, (3, 3))


def inside(polygons, image_hw):
    """Pixels whose centres lie in an odd number of outlines' loops, by casting rays."""
    ys, xs = np.indices(image_hw) + 0.5
    result = np.zeros(image_hw, np.bool_)
    for polygon in polygons:
        crossings = np.zeros(image_hw, np.int64)
        for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if ay != by:
                at = ax + (ys - ay) * (bx - ax) / (by - ay)
                crossings += ((ay <= ys) != (by <= ys)) & (xs < at)
        result |= crossings % 2 == 1
    return result


def without_holes(pixels):
    padded = np.pad(pixels, 1).astype(np.uint8)
    # what is reached from outside over edges is no hole
    _, parts = cv2.connectedComponents(1 - padded, connectivity=4)
    return ~(parts == parts[0, 0])[1:-1, 1:-1]


@given(pixels=MASKS)
def test_outlines_hold_exactly_the_pixels(pixels):
    polygons = polygons_of_pixels(pixels)
    assert (inside(polygons, pixels.shape) == without_holes(pixels)).all()
    assert all(len(polygon) >= 3 and polygon.dtype == np.float32 for polygon in polygons)


def test_the_outline_of_a_rectangle():
    pixels = np.zeros((20, 30), np.bool_)
    pixels[5:10, 7:20] = True
    (outline,) = polygons_of_pixels(pixels)
    assert sorted(outline.tolist()) == [[7, 5], [7, 10], [20, 5], [20, 10]]
