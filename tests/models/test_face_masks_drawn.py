"""Drawn face masks sit where the landmarks say, turn with the head, and tell their pixels."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_heads import inside, landmarks, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.data.synthetic_gear.face_mask_looks import can_be_worn, sampled_template
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


def test_there_are_templates_of_every_kind() -> None:
    kinds = [template.kind for template in FACE_MASKS.values()]
    assert len(kinds) >= 13
    assert min(kinds.count(kind) for kind in FaceMaskKind) >= 3
    assert all(name == template.name for name, template in FACE_MASKS.items())


#: Whether the tip of the nose and the mouth are covered.
COVERED = {
    FaceMaskWear.WORN: (True, True),
    FaceMaskWear.UNDER_NOSE: (False, True),
    FaceMaskWear.AT_CHIN: (False, False),
    FaceMaskWear.ONE_EAR: (False, False),
}


@pytest.mark.parametrize("wear", FaceMaskWear)
@pytest.mark.parametrize("template", FACE_MASKS.values(), ids=FACE_MASKS)
def test_each_wear_covers_what_it_should(template: FaceMaskTemplate, wear: FaceMaskWear) -> None:
    points = landmarks((70, 50), 0.4)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        if not can_be_worn(template, wear):
            with pytest.raises(ValueError, match="no bands"):
                draw_face_mask(picture(140, 140), points, template, wear, rng)
            continue
        drawn = draw_face_mask(picture(140, 140), points, template, wear, rng)
        assert (drawn.wear, drawn.kind) == (wear, template.kind)
        assert drawn.seg_mask.sum() > 15 * 0.4**2 * 100, "hardly anything is drawn"
        seen = (inside(drawn.seg_mask, points[2]), inside(drawn.seg_mask, points[3:].mean(axis=0)))
        assert seen == COVERED[wear]
        assert not any(inside(drawn.seg_mask, eye) for eye in points[:2])


@settings(max_examples=25, deadline=None)
@given(
    yaw=st.floats(-30, 30),
    pitch=st.floats(-15, 15),
    roll=st.floats(-40, 40),
    face_px=st.floats(16, 300),
    template=st.sampled_from(list(FACE_MASKS.values())),
)
def test_it_follows_the_head(
    yaw: float, pitch: float, roll: float, face_px: float, template: FaceMaskTemplate
) -> None:
    px_per_mm, side = face_px / 190, int(1.6 * face_px)
    points = landmarks((side / 2, side * 0.4), px_per_mm, yaw=yaw, pitch=pitch, roll=roll)
    drawn = put_on(picture(side, side), points, template)
    assert inside(drawn.seg_mask, points[3:].mean(axis=0)), "the mouth is not covered"
    if face_px > 30:  # else the eyes are within a pixel of it
        assert not inside(drawn.seg_mask, points[0])
        assert not inside(drawn.seg_mask, points[1])
    rows, columns = np.nonzero(drawn.seg_mask)
    centre = np.array([columns.mean(), rows.mean()])
    assert np.linalg.norm(centre - points[2:].mean(axis=0)) < 42 * px_per_mm + 1


def test_a_turned_head_shows_more_of_the_near_side() -> None:
    # turned to the viewer's right the nose moves right, and less of the mask is right of it
    points = landmarks(yaw=30)
    assert points[2, 0] > points[:2, 0].mean()
    columns = np.nonzero(put_on(picture(), points, SURGICAL).seg_mask)[1]
    assert points[2, 0] - columns.min() > 1.5 * (columns.max() - points[2, 0])


def test_mirrored_input_gives_the_mirrored_outline() -> None:
    points = landmarks(yaw=20, roll=10)
    mirrored = points[[1, 0, 2, 4, 3]] * (-1, 1) + (256, 0)
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


@pytest.mark.parametrize("template", FACE_MASKS.values(), ids=FACE_MASKS)
def test_the_label_is_what_changed(template: FaceMaskTemplate) -> None:
    before = picture(140, 140)
    drawn = put_on(before, landmarks((70, 50), 0.4), replace(template, loops_mm=()))
    changed = np.abs(drawn.picture_rgb.astype(int) - before).max(axis=-1) > 2
    assert changed[drawn.seg_mask].mean() > 0.98
    # beside it there is its soft edge, and its shadow below
    edge = cv2.dilate(drawn.seg_mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert changed[~edge].sum() < 0.25 * drawn.seg_mask.sum()
    assert not changed[:40].any()


def test_bands_are_drawn_on_skin_alone_and_are_not_labelled() -> None:
    points = landmarks((70, 50), 0.4)
    loose = replace(SURGICAL, loops_mm=())
    bands = [put_on(picture(140, 140), points, template) for template in (SURGICAL, loose)]
    assert np.array_equal(bands[0].seg_mask, bands[1].seg_mask)
    on_skin = (bands[0].picture_rgb != bands[1].picture_rgb).any(axis=-1)
    assert on_skin.sum() > 10
    # dark hair beside the face hides them
    hair = picture(140, 140)
    hair[:, :47] = hair[:, 93:] = (30, 24, 20)
    hidden = put_on(hair, points, SURGICAL).picture_rgb
    bare = put_on(hair, points, loose).picture_rgb
    seen = np.abs(hidden.astype(int) - bare).max(axis=-1)
    assert seen[:, :44].max() < 30


def test_in_a_picture_without_colour_it_has_none() -> None:
    grey = np.full((140, 140, 3), 150, np.uint8)
    drawn = put_on(grey, landmarks((70, 50), 0.4), SURGICAL)
    assert (drawn.picture_rgb != grey).any()
    assert np.ptp(drawn.picture_rgb.astype(int), axis=-1).max() <= 1


def test_chance_takes_every_kind_and_what_can_be_worn_so() -> None:
    rng = np.random.default_rng(0)
    for wear in FaceMaskWear:
        templates = [sampled_template(wear, rng) for _ in range(80)]
        assert {template.kind for template in templates} == set(FaceMaskKind)
        assert all(can_be_worn(template, wear) for template in templates)


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


@settings(max_examples=40, deadline=None)
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
