"""Drawn face masks sit where the landmarks say, turn with the head, and tell their pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.data.synthetic_gear.face_mask_templates import (
    CLOTH,
    FACE_MASKS,
    RESPIRATOR,
    SURGICAL,
    FaceMaskKind,
    FaceMaskTemplate,
)
from models.data.synthetic_gear.face_masks import (
    DrawnFaceMask,
    FaceMaskLook,
    FaceMaskWear,
    draw_face_mask,
    paint_face_mask,
)
from models.data.synthetic_gear.head_frame import MEAN_LANDMARKS_MM, HeadFrame

SKIN = (205, 164, 140)


def head_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def landmarks(
    centre_xy: tuple[float, float] = (128.0, 90.0),
    px_per_mm: float = 0.7,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
) -> NDArray[np.float64]:
    """The mean face seen from the front, turned, by the camera model of ``HeadFrame``."""
    turned = np.asarray(MEAN_LANDMARKS_MM) @ head_rotation(yaw, pitch, roll).T
    return turned[:, :2] * px_per_mm + centre_xy


def picture(height: int = 256, width: int = 256) -> NDArray[np.uint8]:
    return np.full((height, width, 3), SKIN, np.uint8)


def put_on(
    rgb: NDArray[np.uint8],
    points: NDArray[np.float64],
    template: FaceMaskTemplate,
    *,
    lowered_mm: float = 0.0,
    occluder: NDArray[np.bool_] | None = None,
) -> DrawnFaceMask:
    look = FaceMaskLook(template.colours_rgb[0], lowered_mm=lowered_mm)
    return paint_face_mask(rgb, points, template, look, occluder=occluder)


def inside(seg_mask: NDArray[np.bool_], point_xy: NDArray[np.float64]) -> bool:
    x, y = np.rint(point_xy).astype(int)
    return bool(seg_mask[y, x])


@pytest.mark.parametrize("template", FACE_MASKS.values(), ids=FACE_MASKS)
def test_worn_right_it_covers_nose_and_mouth_and_leaves_the_eyes(template: FaceMaskTemplate) -> None:
    points = landmarks()
    drawn = put_on(picture(), points, template)
    assert [inside(drawn.seg_mask, point) for point in points] == [False, False, True, True, True]
    # in one piece, and as large as such masks are: 60 to 170 cm^2 from the front, more where it goes around the head
    count, *_ = cv2.connectedComponents(drawn.seg_mask.astype(np.uint8))
    assert count == 2
    largest = 250 if not template.loops_mm else 170
    assert 60 < drawn.seg_mask.sum() / 0.7**2 / 100 < largest


@pytest.mark.parametrize(
    ("lowered_mm", "covered"),
    [(0, [True, True, True]), (35, [False, True, True]), (80, [False, False, False])],
)
def test_pulled_down_it_uncovers_the_nose_and_then_the_mouth(lowered_mm: float, covered: list[bool]) -> None:
    points = landmarks()
    drawn = put_on(picture(), points, SURGICAL, lowered_mm=lowered_mm)
    assert [inside(drawn.seg_mask, point) for point in points[2:]] == covered
    assert drawn.seg_mask.any()


@settings(max_examples=40, deadline=None)
@given(
    yaw=st.floats(-35, 35),
    pitch=st.floats(-15, 15),
    roll=st.floats(-40, 40),
    px_per_mm=st.floats(0.12, 1.2),
    template=st.sampled_from(list(FACE_MASKS.values())),
)
def test_it_follows_the_head(
    yaw: float, pitch: float, roll: float, px_per_mm: float, template: FaceMaskTemplate
) -> None:
    points = landmarks(px_per_mm=px_per_mm, yaw=yaw, pitch=pitch, roll=roll)
    drawn = put_on(picture(), points, template)
    assert inside(drawn.seg_mask, points[3:].mean(axis=0)), "the mouth is not covered"
    assert not inside(drawn.seg_mask, points[0])
    assert not inside(drawn.seg_mask, points[1])
    rows, columns = np.nonzero(drawn.seg_mask)
    centre = np.array([columns.mean(), rows.mean()])
    assert np.linalg.norm(centre - points[2:].mean(axis=0)) < 40 * px_per_mm


def test_a_turned_head_shows_more_of_the_near_side() -> None:
    # turned to the viewer's right the nose moves right, and less of the mask is right of it
    points = landmarks(yaw=30)
    assert points[2, 0] > points[:2, 0].mean()
    columns = np.nonzero(put_on(picture(), points, SURGICAL).seg_mask)[1]
    assert points[2, 0] - columns.min() > 1.5 * (columns.max() - points[2, 0])


def test_mirrored_input_gives_the_mirrored_outline() -> None:
    points = landmarks(yaw=20, roll=10)
    mirrored = points[[1, 0, 2, 4, 3]] * (-1, 1) + (255, 0)
    one = put_on(picture(), points, RESPIRATOR).seg_mask
    other = put_on(picture(), mirrored, RESPIRATOR).seg_mask[:, ::-1]
    assert (one & other).sum() / (one | other).sum() > 0.97


def test_only_the_drawing_and_its_surroundings_change() -> None:
    before = picture()
    kept = before.copy()
    drawn = put_on(before, landmarks(), SURGICAL)
    assert np.array_equal(before, kept)
    changed = (drawn.picture_rgb != before).any(axis=-1)
    assert changed[drawn.seg_mask].all()
    reach = cv2.dilate(drawn.seg_mask.astype(np.uint8), np.ones((61, 61), np.uint8)) > 0
    assert not changed[~reach].any()


def test_its_brightness_follows_the_skin() -> None:
    bright = put_on(picture(), landmarks(), SURGICAL)
    dim = put_on((picture() * 0.4).astype(np.uint8), landmarks(), SURGICAL)
    ratio = dim.picture_rgb[dim.seg_mask].mean() / bright.picture_rgb[bright.seg_mask].mean()
    assert 0.3 < ratio < 0.5
    # in its own colour: blue is the strongest channel of the blue mask
    red, _, blue = bright.picture_rgb[bright.seg_mask].mean(axis=0)
    assert blue > red + 20


def test_what_is_in_front_stays_visible_and_is_not_the_masks() -> None:
    hand = np.zeros((256, 256), np.bool_)
    hand[:, :128] = True
    drawn = put_on(picture(), landmarks(), CLOTH, occluder=hand)
    free = put_on(picture(), landmarks(), CLOTH)
    assert not drawn.seg_mask[:, :128].any()
    assert np.array_equal(drawn.seg_mask[:, 128:], free.seg_mask[:, 128:])


def test_the_same_seed_gives_the_same_picture_and_another_does_not() -> None:
    def drawn(seed: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(seed)
        return draw_face_mask(picture(), landmarks(), CLOTH, FaceMaskWear.WORN, rng).picture_rgb

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))


@pytest.mark.parametrize("centre_xy", [(-300.0, 90.0), (128.0, 900.0), (2.0, 2.0), (250.0, 200.0)])
def test_faces_at_and_beyond_the_border_are_clipped(centre_xy: tuple[float, float]) -> None:
    drawn = put_on(picture(), landmarks(centre_xy), SURGICAL)
    assert drawn.picture_rgb.shape == (256, 256, 3)
    outside = min(centre_xy) < -100 or max(centre_xy) > 400
    assert drawn.seg_mask.any() == (not outside)


def test_wrong_input_is_refused() -> None:
    points = landmarks()
    with pytest.raises(ValueError, match="five finite points"):
        put_on(picture(), points[:4], SURGICAL)
    with pytest.raises(ValueError, match="five finite points"):
        put_on(picture(), np.full((5, 2), np.nan), SURGICAL)
    with pytest.raises(ValueError, match="closer than"):
        put_on(picture(), landmarks(px_per_mm=0.05), SURGICAL)
    with pytest.raises(ValueError, match="uint8"):
        put_on(picture().astype(np.float32), points, SURGICAL)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="occluder"):
        put_on(picture(), points, SURGICAL, occluder=np.zeros((2, 2), np.bool_))
    with pytest.raises(ValueError, match="x = 0"):
        FaceMaskTemplate(
            "bad", FaceMaskKind.CLOTH, (((1, 0, 0), (2, 0, 0)), ((0, 1, 0), (2, 1, 0))), (), ((0, 0, 0),)
        )


@settings(max_examples=60, deadline=None)
@given(
    yaw=st.floats(-45, 45), pitch=st.floats(-25, 25), roll=st.floats(-180, 180), px_per_mm=st.floats(0.1, 3)
)
def test_the_frame_finds_the_landmarks_again(yaw: float, pitch: float, roll: float, px_per_mm: float) -> None:
    points = landmarks(px_per_mm=px_per_mm, yaw=yaw, pitch=pitch, roll=roll)
    frame = HeadFrame.from_landmarks(points)
    # the pull on the z axis is all that keeps the fit from being exact
    error = np.linalg.norm(frame.project(MEAN_LANDMARKS_MM) - points, axis=1)
    assert error.max() < 6 * px_per_mm
    assert frame.towards_viewer((0, 0, 1)) > 0.6
