"""The square around a face: where it lies, how large it is, what it shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import PictureError, WeightsError
from models.mask_state.crops import CropGeometry, crop_faces, resize_square, stack_crops
from models.pictures import ArrayPicture

GEOMETRY = CropGeometry()
PIXELS = st.floats(-300, 3000, allow_nan=False, width=32)
SIDES = st.floats(0, 900, allow_nan=False, width=32)


@given(PIXELS, PIXELS, SIDES, SIDES)
def test_the_square_is_centred_on_the_face_and_as_large_as_the_context_says(
    x: float, y: float, width: float, height: float
) -> None:
    box = np.array([x, y, x + width, y + height], np.float64)
    left, top, right, bottom = GEOMETRY.square_xyxy(box)
    side = right - left
    assert side == bottom - top >= 2
    face_px = max(box[2] - box[0], box[3] - box[1])
    assert abs(side - max(2, face_px * GEOMETRY.context_for(face_px))) <= 0.5 + 1e-9
    assert abs((left + right) / 2 - (box[0] + box[2]) / 2) <= 1
    lowered_centre = (box[1] + box[3]) / 2 + GEOMETRY.lowered * face_px
    assert abs((top + bottom) / 2 - lowered_centre) <= 1


@given(st.floats(0, 2000), st.floats(0, 2000))
def test_smaller_faces_get_no_less_context_and_the_crop_still_grows_with_the_face(
    one: float, two: float
) -> None:
    small, large = sorted((one, two))
    assert GEOMETRY.context_for(small) >= GEOMETRY.context_for(large)
    assert GEOMETRY.context <= GEOMETRY.context_for(one) <= GEOMETRY.small_context
    assert small * GEOMETRY.context_for(small) <= large * GEOMETRY.context_for(large)


def test_a_crop_shows_the_pixels_around_the_face_and_repeats_the_border_outside() -> None:
    rgb = np.zeros((60, 80, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = np.arange(80)[None, :], np.arange(60)[:, None]
    (crop,) = crop_faces(ArrayPicture(rgb), np.array([[70, 2, 78, 10]], np.float32), GEOMETRY)
    left, top, right, bottom = GEOMETRY.square_xyxy(np.array([70, 2, 78, 10], np.float32))
    assert (left, top) == (68, 1)
    assert (crop[0, :, 0] == np.clip(np.arange(left, right), 0, 79)).all()
    assert (crop[:, 0, 1] == np.clip(np.arange(top, bottom), 0, 59)).all()


def test_crops_of_many_sizes_are_stacked_at_the_size_of_the_network() -> None:
    rng = np.random.default_rng(1)
    crops = [rng.integers(0, 256, (side, side, 3), np.uint8) for side in (2, 17, 96, 300)]
    stacked = stack_crops(crops, GEOMETRY)
    assert stacked.shape == (4, 96, 96, 3)
    assert (stacked[2] == crops[2]).all()
    # shrinking averages: it keeps the mean, where picking single pixels of noise would not keep its spread
    # down
    assert abs(float(stacked[3].mean()) - float(crops[3].mean())) < 0.5
    assert float(stacked[3].std()) < 0.5 * float(crops[3].std())
    assert stack_crops([], GEOMETRY).shape == (0, 96, 96, 3)
    assert (resize_square(np.full((5, 5, 3), 7, np.uint8), 32) == 7).all()


def test_a_geometry_survives_a_weights_file_and_wrong_ones_are_refused() -> None:
    assert CropGeometry.from_mapping(GEOMETRY.to_mapping(), origin="x") == GEOMETRY
    for change in (
        {"size_px": 100},
        {"context": 0.5},
        {"large_face_px": 1.0},
        {"context": "wide"},
        {"lowered": 2},
    ):
        with pytest.raises(WeightsError, match="crop config"):
            CropGeometry.from_mapping(GEOMETRY.to_mapping() | change, origin="x")
    with pytest.raises(WeightsError, match="expected"):
        CropGeometry.from_mapping({"size_px": 96}, origin="x")


def test_an_empty_picture_part_is_never_asked_for() -> None:
    picture = ArrayPicture(np.zeros((8, 8, 3), np.uint8))
    (crop,) = crop_faces(picture, np.array([[4, 4, 4, 4]], np.float32), GEOMETRY)
    assert crop.shape == (2, 2, 3)
    with pytest.raises(PictureError):
        picture.crop_rgb((4, 4, 4, 4))
