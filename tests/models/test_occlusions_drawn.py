"""Things in front of faces: where they are, and that their pixels are told."""

import numpy as np
import pytest
from drawn_heads import picture
from hypothesis import given
from hypothesis import strategies as st

from models.data.synthetic_gear.occlusions import OcclusionShape, draw_occlusion


@pytest.mark.parametrize("shape", OcclusionShape)
def test_the_label_is_what_changed(shape: OcclusionShape) -> None:
    before = picture(120, 100)
    for seed in range(3):
        drawn = draw_occlusion(before, (30, 30, 70, 90), shape, np.random.default_rng(seed))
        changed = np.abs(drawn.picture_rgb.astype(int) - before).max(axis=-1) > 4
        assert drawn.shape == shape
        assert changed[drawn.seg_mask].mean() > 0.9
        assert (changed & ~drawn.seg_mask).sum() < 0.35 * drawn.seg_mask.sum() + 20
        assert 0.02 < drawn.seg_mask.sum() / (40 * 60) < 0.9
        rows, columns = np.nonzero(drawn.seg_mask)
        assert abs(columns.mean() - 50) < 40
        assert abs(rows.mean() - 60) < 60


@given(
    x=st.floats(-60, 120),
    y=st.floats(-60, 120),
    size=st.floats(4, 200),
    shape=st.sampled_from(OcclusionShape),
    seed=st.integers(0, 99),
)
def test_boxes_anywhere_are_clipped_and_chance_is_the_seeds(
    x: float, y: float, size: float, shape: OcclusionShape, seed: int
) -> None:
    box = (x, y, x + size, y + 1.2 * size)
    one, two = (draw_occlusion(picture(80, 60), box, shape, np.random.default_rng(seed)) for _ in range(2))
    assert one.picture_rgb.shape == (80, 60, 3)
    assert np.array_equal(one.picture_rgb, two.picture_rgb)
    assert np.array_equal(one.seg_mask, two.seg_mask)


def test_wrong_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    for box in ((0, 0, 2, 9), (0, 0, np.inf, 9), (0, 0, 9)):
        with pytest.raises(ValueError, match="box_xyxy"):
            draw_occlusion(picture(), box, OcclusionShape.HAND, rng)
    with pytest.raises(ValueError, match="uint8"):
        draw_occlusion(picture().astype(np.float32), (0, 0, 9, 9), OcclusionShape.HAND, rng)  # type: ignore[arg-type]
