"""Letterboxing: what is drawn where, and the way back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import PictureError
from models.letterbox import FILL_RGB, input_hw_for, letterbox_batch, letterbox_geometry
from models.pictures import ArrayPicture

sides = st.integers(1, 5000)
input_sides = st.integers(1, 60).map(lambda n: 32 * n)


@given(image_hw=st.tuples(sides, sides), input_hw=st.tuples(input_sides, input_sides))
def test_geometry_touches_one_side_and_leaves_neither(
    image_hw: tuple[int, int], input_hw: tuple[int, int]
) -> None:
    placed = letterbox_geometry(image_hw, input_hw)
    exact = [side * placed.scale for side in image_hw]
    assert all(side <= limit + 1e-6 for side, limit in zip(exact, input_hw, strict=True))
    assert any(side == pytest.approx(limit) for side, limit in zip(exact, input_hw, strict=True))
    assert all(
        abs(drawn - side) <= 0.5 + 1e-9 or drawn == 1
        for drawn, side in zip(placed.content_hw, exact, strict=True)
    )


@settings(max_examples=50, deadline=None)
@given(
    image_hw=st.tuples(st.integers(2, 300), st.integers(2, 300)),
    input_hw=st.tuples(st.sampled_from([32, 64, 160]), st.sampled_from([32, 96, 128])),
    relative=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
)
def test_points_come_back(
    image_hw: tuple[int, int], input_hw: tuple[int, int], relative: list[tuple[float, float]]
) -> None:
    batch = letterbox_batch([ArrayPicture(np.zeros((*image_hw, 3), np.uint8))], input_hw)
    original = np.array(relative, np.float32) * np.array([image_hw[1], image_hw[0]], np.float32)
    drawn = original * batch.scales[0] + batch.pads_xy[0]
    assert (drawn <= np.array([input_hw[1], input_hw[0]]) + 1e-3).all()
    np.testing.assert_allclose(batch.points_to_image(drawn, 0), original, atol=1e-3, rtol=1e-5)
    corners = np.concatenate([drawn, drawn], axis=1)
    np.testing.assert_allclose(
        batch.boxes_to_image(corners, 0), np.concatenate([original, original], axis=1), atol=1e-3, rtol=1e-5
    )


def test_a_drawn_square_is_found_where_the_inverse_says() -> None:
    canvas = np.zeros((700, 1000, 3), np.uint8)
    cv2.rectangle(canvas, (600, 300), (699, 399), (255, 255, 255), cv2.FILLED)
    batch = letterbox_batch([ArrayPicture(canvas)], (384, 640))
    ys, xs = np.nonzero(batch.pixels[0, :, :, 0] > 200)
    found = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    np.testing.assert_allclose(
        batch.boxes_to_image(found, 0)[0], [600, 300, 700, 400], atol=1 / batch.scales[0]
    )


def test_pictures_of_different_sizes_share_a_batch_and_padding_is_filled() -> None:
    white = [ArrayPicture(np.full((h, w, 3), 255, np.uint8)) for h, w in ((720, 1280), (100, 100))]
    batch = letterbox_batch(white, (384, 640))
    assert batch.input_hw == (384, 640)
    assert (batch.pixels[0, :360] == 255).all()
    assert (batch.pixels[0, 360:] == FILL_RGB).all()
    assert (batch.pixels[1, :, :384] == 255).all()
    assert (batch.pixels[1, :, 384:] == FILL_RGB).all()


@pytest.mark.parametrize(
    ("image_hw", "longest", "expected"),
    [
        ((1080, 1920), 1280, (736, 1280)),
        ((720, 1280), 1280, (736, 1280)),
        ((360, 640), 640, (384, 640)),
        ((1080, 1920), 640, (384, 640)),
        ((768, 1366), 1280, (736, 1280)),
        ((1920, 1080), 1280, (1280, 736)),
        ((480, 640), 640, (480, 640)),
        ((480, 640), 650, (512, 672)),
        ((1, 5000), 640, (32, 640)),
    ],
)
def test_input_size(image_hw: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert input_hw_for(image_hw, longest) == expected


@given(image_hw=st.tuples(sides, sides), longest=st.integers(32, 4096))
def test_input_size_is_a_multiple_of_32_that_holds_the_asked_size(
    image_hw: tuple[int, int], longest: int
) -> None:
    input_hw = input_hw_for(image_hw, longest)
    assert all(side % 32 == 0 and side >= 32 for side in input_hw)
    assert longest <= max(input_hw) < longest + 32


def test_nothing_is_refused() -> None:
    with pytest.raises(PictureError):
        letterbox_batch([], (64, 64))
    with pytest.raises(PictureError):
        letterbox_geometry((0, 10), (64, 64))
    with pytest.raises(PictureError):
        input_hw_for((10, 10), 0)
