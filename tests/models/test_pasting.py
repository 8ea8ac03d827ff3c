"""Pasting of box-relative pixels, and the pixels of polygons."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from models.data.polygon_pixels import polygon_pixels
from models.mask_rcnn.pasting import paste_seg_mask, seg_mask_in_window, window_of_box

IMAGE_HW = (23, 31)


def pasted_slowly(
    seg_mask: NDArray[np.float32], box: tuple[float, ...], image_hw: tuple[int, int]
) -> NDArray[np.float64]:
    """grid_sample(align_corners=False, zeros) of detectron2, one pixel after the other; NaN outside of the box."""
    side = len(seg_mask)
    x1, y1, x2, y2 = box
    values = np.full(image_hw, np.nan)
    for row in range(image_hw[0]):
        for column in range(image_hw[1]):
            if not (x1 <= column + 0.5 < x2 and y1 <= row + 0.5 < y2):
                continue
            grid_x = (column + 0.5 - x1) / (x2 - x1) * 2 - 1
            grid_y = (row + 0.5 - y1) / (y2 - y1) * 2 - 1
            x, y = ((grid_x + 1) * side - 1) / 2, ((grid_y + 1) * side - 1) / 2
            total = 0.0
            for cell_y in (math.floor(y), math.floor(y) + 1):
                for cell_x in (math.floor(x), math.floor(x) + 1):
                    if 0 <= cell_x < side and 0 <= cell_y < side:
                        total += seg_mask[cell_y, cell_x] * (1 - abs(x - cell_x)) * (1 - abs(y - cell_y))
            values[row, column] = total
    return values


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x1, y1 = (draw(st.floats(-20, 40, width=32)) for _ in range(2))
    width, height = (draw(st.floats(0.125, 60, width=32)) for _ in range(2))
    return x1, y1, x1 + width, y1 + height


@given(boxes(), st.integers(0, 2**31), st.sampled_from([2, 5, 28]))
def test_pasting_is_what_the_definition_says(box: tuple[float, ...], seed: int, side: int) -> None:
    seg_mask = np.random.default_rng(seed).random((side, side), np.float32)
    expected = pasted_slowly(seg_mask, box, IMAGE_HW)
    left, top, right, bottom = window = window_of_box(box, IMAGE_HW)
    inside = np.zeros(IMAGE_HW, np.bool_)
    inside[top:bottom, left:right] = True
    np.testing.assert_array_equal(inside, ~np.isnan(expected))
    np.testing.assert_allclose(
        seg_mask_in_window(seg_mask, box, window), expected[top:bottom, left:right], atol=1e-5
    )
    clear = np.abs(expected - 0.5) > 1e-5
    pasted = paste_seg_mask(seg_mask, box, IMAGE_HW)
    np.testing.assert_array_equal(pasted[clear], (expected > 0.5)[clear])
    assert not pasted[np.isnan(expected)].any()


def test_a_full_box_is_pasted_full_and_nothing_beyond() -> None:
    pasted = paste_seg_mask(np.ones((28, 28), np.float32), (3, 4, 13, 9), IMAGE_HW)
    expected = np.zeros(IMAGE_HW, np.bool_)
    expected[4:9, 3:13] = True
    np.testing.assert_array_equal(pasted, expected)


@pytest.mark.parametrize("box", [(-9, -9, -2, -2), (40, 2, 50, 9), (5, 5, 5, 9), (5.6, 5.6, 6.4, 6.4)])
def test_a_box_without_pixels_pastes_none(box: tuple[float, ...]) -> None:
    assert not paste_seg_mask(np.ones((28, 28), np.float32), box, IMAGE_HW).any()


@st.composite
def polygons(draw: st.DrawFn) -> NDArray[np.float32]:
    count = draw(st.integers(3, 9))
    values = st.floats(-10, 40, width=32)
    return np.array([(draw(values), draw(values)) for _ in range(count)], np.float32)


@given(polygons())
def test_pixels_of_a_polygon_are_those_whose_centre_it_holds(polygon: NDArray[np.float32]) -> None:
    found = polygon_pixels([polygon], (0, 0, IMAGE_HW[1], IMAGE_HW[0]))
    corners = polygon.astype(np.float64)
    for row, column in np.ndindex(*IMAGE_HW):
        x, y = column + 0.5, row + 0.5
        crossings = []
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if (start[1] <= y) != (end[1] <= y):
                crossings.append(start[0] + (y - start[1]) / (end[1] - start[1]) * (end[0] - start[0]))
        if all(abs(crossing - x) > 1e-6 for crossing in crossings):
            assert found[row, column] == (sum(crossing < x for crossing in crossings) % 2 == 1)


def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none_out() -> None:
    corners = np.array([(2, 3), (17.5, 1.5), (20, 19), (4, 20.5)], np.float32)
    whole = polygon_pixels([corners], (0, 0, 31, 23))
    first, second = (polygon_pixels([corners[rows]], (0, 0, 31, 23)) for rows in ([0, 1, 2], [0, 2, 3]))
    assert not (first & second).any()
    np.testing.assert_array_equal(first | second, whole)
    np.testing.assert_array_equal(
        polygon_pixels([corners[[0, 1, 2]], corners[[0, 2, 3]]], (0, 0, 31, 23)), whole
    )


def test_a_window_shows_a_part_and_a_size_rescales_it() -> None:
    square = np.array([(2, 2), (10, 2), (10, 10), (2, 10)], np.float32)
    whole = polygon_pixels([square], (0, 0, 31, 23))
    assert whole.sum() == 64
    np.testing.assert_array_equal(polygon_pixels([square], (5, 1, 20, 8)), whole[1:8, 5:20])
    np.testing.assert_array_equal(polygon_pixels([square], (2, 2, 10, 10), (28, 28)), np.ones((28, 28)))
    assert polygon_pixels([square], (2, 2, 18, 10), (28, 28)).sum() == 28 * 14
    with pytest.raises(ValueError, match="empty"):
        polygon_pixels([square], (2, 2, 2, 10))


def test_polygons_have_the_area_that_coco_gives_them() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.stack([50 + 30 * np.cos(angles), 45 + 20 * np.sin(angles)], axis=1).astype(np.float32)
    ours = polygon_pixels([circle], (0, 0, 100, 90))
    theirs = coco_mask.frPyObjects([circle.ravel().tolist()], 90, 100)
    encoded = coco_mask.encode(np.asfortranarray(ours, np.uint8))
    assert coco_mask.iou([encoded], theirs, [0])[0, 0] > 0.97
    exact = 0.5 * 40 * math.sin(2 * math.pi / 40) * 30 * 20
    assert ours.sum() == pytest.approx(exact, rel=0.01)
