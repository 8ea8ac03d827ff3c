"""Drawn hats sit on the head from whatever side it is seen, leave the eyes free, and tell their pixels."""

import numpy as np
import pytest
from drawn_heads import inside, landmarks, picture
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.data.synthetic_gear.grids import ellipsoid
from models.data.synthetic_gear.hat_looks import HatLook, sampled_hat, sampled_hat_look
from models.data.synthetic_gear.hat_template import HatTemplate
from models.data.synthetic_gear.hat_templates import HARD_HAT, HATS, HOOD
from models.data.synthetic_gear.hats import draw_hat, paint_hat
from models.data.synthetic_gear.head_frame import (
    HEAD_CENTRE_MM,
    HEAD_HALF_AXES_MM,
    MEAN_LANDMARKS_MM,
    HeadFrame,
)
from models.data.synthetic_gear.surfaces import Scene, Surface

TOP_MM = (0.0, -105.0, -70.0)
#: Behind the edge of a hood, which leaves the front of the top free where the face looks up.
CROWN_MM = (0.0, -119.0, -82.0)


def test_there_are_hard_hats_and_other_hats() -> None:
    categories = [template.category for template in HATS.values()]
    assert categories.count("hard_hat") >= 4
    assert categories.count("hat") >= 5
    rng = np.random.default_rng(0)
    assert {sampled_hat("hard_hat", rng).name for _ in range(60)} == {
        template.name for template in HATS.values() if template.category == "hard_hat"
    }


@pytest.mark.parametrize("template", HATS.values(), ids=HATS)
@pytest.mark.parametrize("yaw", [0, 40, -60])
def test_it_covers_the_top_of_the_head_and_no_eye(template: HatTemplate, yaw: float) -> None:
    head = HeadFrame.in_head_box((40, 60, 100, 150), yaw_deg=yaw, pitch_deg=-8)
    drawn = draw_hat(picture(200, 140), head, template, np.random.default_rng(yaw + 60))
    assert drawn.category == template.category
    assert inside(drawn.seg_mask, head.project(TOP_MM))
    # of a head that is turned far, the farther eye is at its edge
    eyes = MEAN_LANDMARKS_MM[:2] if abs(yaw) < 45 else MEAN_LANDMARKS_MM[yaw < 0 : 1 + (yaw < 0)]
    assert not any(inside(drawn.seg_mask, head.project(eye)) for eye in eyes)


@pytest.mark.parametrize("template", HATS.values(), ids=HATS)
def test_from_behind_it_covers_the_top_and_not_the_neck(template: HatTemplate) -> None:
    head = HeadFrame.in_head_box((40, 60, 100, 150), yaw_deg=180, pitch_deg=-10)
    seg_mask = draw_hat(
        picture(200, 140), head, template, np.random.default_rng(1), face_is_seen=False
    ).seg_mask
    assert inside(seg_mask, head.project(TOP_MM))
    assert seg_mask[150:].sum() == 0 or template is HOOD
    columns = np.nonzero(seg_mask.any(axis=0))[0]
    assert abs(columns.mean() - 70) < 4


@settings(max_examples=25, deadline=None)
@example(yaw=0.0, pitch=0.0, roll=0.0, head_px=152.0, template=HOOD)
@example(yaw=0.0, pitch=5.0, roll=-30.0, head_px=16.0, template=HOOD)
@given(
    yaw=st.floats(-50, 50),
    pitch=st.floats(-15, 5),
    roll=st.floats(-30, 30),
    head_px=st.floats(16, 300),
    template=st.sampled_from(list(HATS.values())),
)
def test_it_follows_the_head_at_every_size(
    yaw: float, pitch: float, roll: float, head_px: float, template: HatTemplate
) -> None:
    side = int(2.4 * head_px)
    box = np.array([0.32, 0.32, 0.62, 0.72]) * side
    head = HeadFrame.in_head_box(box, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
    look = HatLook(template.colours_rgb[0], turned_deg=template.turned_deg)
    seg_mask = paint_hat(picture(side, side), head, template, look).seg_mask
    assert inside(seg_mask, head.project(CROWN_MM))
    assert not inside(seg_mask, head.project((0, 60, 10)))
    # no more than a sombrero
    assert 0.1 * np.prod(box[2:] - box[:2]) < seg_mask.sum() < 2.5 * np.prod(box[2:] - box[:2])


def test_the_label_is_what_changed() -> None:
    before = picture(200, 140)
    head = HeadFrame.in_head_box((40, 60, 100, 150))
    drawn = paint_hat(before, head, HARD_HAT, HatLook((30, 90, 200)))
    assert (before == picture(200, 140)).all()
    changed = np.abs(drawn.picture_rgb.astype(int) - before).max(axis=-1) > 2
    assert changed[drawn.seg_mask].mean() > 0.99
    # beside it, its shadow on the forehead
    assert (changed & ~drawn.seg_mask).sum() < 0.4 * drawn.seg_mask.sum()


def test_a_strap_and_ear_defenders_are_drawn_when_worn() -> None:
    head = HeadFrame.in_head_box((40, 60, 100, 150))
    plain = paint_hat(picture(200, 140), head, HARD_HAT, HatLook((240, 200, 40)))
    strap = paint_hat(picture(200, 140), head, HARD_HAT, HatLook((240, 200, 40), strap=True))
    muffs = paint_hat(picture(200, 140), head, HARD_HAT, HatLook((240, 200, 40), muffs=True))
    assert (plain.seg_mask ^ strap.seg_mask).sum() < 0.01 * plain.seg_mask.sum()
    assert (plain.picture_rgb != strap.picture_rgb).any()
    assert muffs.seg_mask.sum() > plain.seg_mask.sum() + 100


def test_the_light_of_the_picture_is_the_hats() -> None:
    head = HeadFrame.in_head_box((40, 60, 100, 150))
    look = HatLook((240, 240, 238))
    bright = paint_hat(picture(200, 140), head, HARD_HAT, look)
    dim = paint_hat((picture(200, 140) * 0.4).astype(np.uint8), head, HARD_HAT, look)
    ratio = dim.picture_rgb[dim.seg_mask].mean() / bright.picture_rgb[bright.seg_mask].mean()
    assert 0.3 < ratio < 0.5
    # a face that is lit from the right has a hat that is, too; else the light comes from the left
    lit = picture(200, 140).astype(float)
    lit *= np.linspace(0.55, 1.2, 140)[None, :, None]
    grey = HatLook((120, 120, 120))
    drawn = paint_hat(np.clip(lit, 0, 255).astype(np.uint8), head, HARD_HAT, grey)
    luma = np.where(drawn.seg_mask, drawn.picture_rgb.mean(axis=-1), np.nan)
    assert np.nanmean(luma[:, 72:]) > 1.08 * np.nanmean(luma[:, :68])


def test_the_same_seed_gives_the_same_hat_and_another_does_not() -> None:
    head = HeadFrame.in_head_box((40, 60, 100, 150))
    pictures = [
        draw_hat(picture(200, 140), head, HARD_HAT, np.random.default_rng(seed)).picture_rgb
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize(
    ("box", "seen"),
    [
        ((-30, 10, 30, 100), True),
        ((120, 160, 180, 250), True),
        ((30, -40, 90, 50), True),
        ((-300, 0, -200, 150), False),
        ((40, 900, 90, 980), False),
    ],
)
def test_heads_at_and_beyond_the_border_are_clipped(
    box: tuple[float, float, float, float], seen: bool
) -> None:
    drawn = draw_hat(picture(200, 140), HeadFrame.in_head_box(box), HARD_HAT, np.random.default_rng(0))
    assert drawn.picture_rgb.shape == (200, 140, 3)
    assert drawn.seg_mask.any() == seen


@settings(max_examples=30, deadline=None)
@given(yaw=st.floats(-40, 40), pitch=st.floats(-15, 5), roll=st.floats(-60, 60), px_per_mm=st.floats(0.1, 2))
def test_a_rotation_is_found_again(yaw: float, pitch: float, roll: float, px_per_mm: float) -> None:
    points = landmarks(px_per_mm=px_per_mm, yaw=yaw, pitch=pitch, roll=roll)
    frame = HeadFrame.rigid(points)
    lengths = np.linalg.norm(frame.axes / frame.px_per_mm, axis=1)
    assert np.linalg.norm(frame.project(MEAN_LANDMARKS_MM) - points, axis=1).max() < 5 * px_per_mm
    assert lengths[0] <= 1.01 / np.cos(np.deg2rad(20))
    # where the top of the head is, 60 to 130 mm away from all that is known
    other = HeadFrame.in_head_box((0, 0, 160, 240), yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
    expected = (other.project(TOP_MM) - other.origin_xy) / other.px_per_mm
    found = (frame.project(TOP_MM) - frame.origin_xy) / frame.px_per_mm
    assert np.linalg.norm(found - expected) < 32


@given(yaw=st.floats(-180, 180), pitch=st.floats(-40, 20), roll=st.floats(-40, 40))
def test_a_head_fills_its_box(yaw: float, pitch: float, roll: float) -> None:
    head = HeadFrame.in_head_box((10, 20, 110, 160), yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
    points = head.project(ellipsoid(HEAD_CENTRE_MM, HEAD_HALF_AXES_MM)).reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, (60, 90), atol=1.5)
    assert np.prod(high - low) == pytest.approx(100 * 140, rel=0.04)


def test_the_nearer_surface_and_the_head_hide_what_is_behind() -> None:
    head = HeadFrame.in_head_box((40, 60, 100, 150))

    def wall(z_mm: float, half_mm: float) -> np.ndarray:
        x, y = np.meshgrid(np.linspace(-half_mm, half_mm, 5), np.linspace(-half_mm, half_mm, 5))
        return np.stack([x, y, np.full_like(x, z_mm)], axis=-1)

    def colour(level: float):
        return lambda u, _v: np.full((len(u), 3), level, np.float32)

    for order in ((0, 1), (1, 0)):
        scene = Scene(head, (0, 0, 140, 200))
        scene.hide_behind_head()
        walls = [Surface(wall(60, 20), colour(200)), Surface(wall(40, 40), colour(50), labelled=False)]
        for index in order:
            scene.paint(walls[index])
        layer = scene.layer()
        x, y = np.rint(head.project((0, 0, 60))).astype(int)
        assert layer.rgb[y, x, 0] > 150
        assert layer.labelled[y, x] == 1
        scene.paint(Surface(wall(-200, 40), colour(255)))
        assert np.array_equal(scene.layer().rgb, layer.rgb)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        draw_hat(
            np.zeros((5, 5), np.uint8),
            HeadFrame.in_head_box((0, 0, 5, 5)),
            HARD_HAT,
            np.random.default_rng(0),
        )
    for box in ((0, 0, 0, 5), (0, 0, np.nan, 5), (0, 0, 5)):
        with pytest.raises(ValueError, match="box_xyxy"):
            HeadFrame.in_head_box(box)


def test_looks_vary_and_stay_in_bounds() -> None:
    looks = [sampled_hat_look(HARD_HAT, np.random.default_rng(seed)) for seed in range(40)]
    assert len({look.colour_rgb for look in looks}) > 20
    assert {look.strap for look in looks} == {True, False}
    assert all(-8 <= look.tilted_deg <= 2 for look in looks)
