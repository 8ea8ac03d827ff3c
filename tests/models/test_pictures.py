"""Still pictures as ``Picture``."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import PictureError
from models.pictures import ArrayPicture, read_picture
from models.structures import Picture

corner = st.integers(-30, 30)


def gradient(height: int = 12, width: int = 17) -> np.ndarray:
    ys, xs = np.mgrid[:height, :width]
    return np.stack([ys, xs, ys * 7 + xs], axis=-1).astype(np.uint8)


def test_it_is_a_read_only_picture() -> None:
    picture: Picture = ArrayPicture(gradient())
    assert picture.image_hw == (12, 17)
    for pixels in (picture.rgb(), picture.rgb((5, 6))):
        with pytest.raises(ValueError, match="read-only"):
            pixels[0, 0] = 0


@pytest.mark.parametrize("size_hw", [(6, 8), (24, 34), (6, 34), (1, 1)])
def test_scaling_keeps_the_mean(size_hw: tuple[int, int]) -> None:
    scaled = ArrayPicture(gradient()).rgb(size_hw)
    assert scaled.shape == (*size_hw, 3)
    np.testing.assert_allclose(scaled.mean((0, 1)), gradient().mean((0, 1)), atol=3)


@given(x1=corner, y1=corner, width=st.integers(1, 40), height=st.integers(1, 40))
def test_crops_equal_those_of_a_padded_picture(x1: int, y1: int, width: int, height: int) -> None:
    padded = np.pad(gradient(), ((80, 80), (80, 80), (0, 0)), mode="edge")
    crop = ArrayPicture(gradient()).crop_rgb((x1, y1, x1 + width, y1 + height))
    np.testing.assert_array_equal(crop, padded[80 + y1 : 80 + y1 + height, 80 + x1 : 80 + x1 + width])


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(PictureError):
        ArrayPicture(array)


def test_empty_crops_and_sizes_are_refused() -> None:
    picture = ArrayPicture(gradient())
    with pytest.raises(PictureError):
        picture.crop_rgb((3, 3, 3, 9))
    with pytest.raises(PictureError):
        picture.rgb((0, 4))


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a picture ü.png"
    cv2.imencode(".png", gradient()[:, :, ::-1])[1].tofile(path)
    np.testing.assert_array_equal(read_picture(path).rgb(), gradient())
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    for name in ("text.jpg", "empty.jpg", "absent.jpg"):
        with pytest.raises(PictureError, match=name):
            read_picture(tmp_path / name)
