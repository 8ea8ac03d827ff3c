"""A look counts by the pixels in which the network saw that very thing, also where parts were looked at closer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.structures import Category, Detections, Gear
from rules.association import associate

FACES = [[100.0 + 200 * index, 200.0, 118.0 + 200 * index, 224.0] for index in range(4)]


def heads(kind: Category, input_scale: float, row_scales: list[float] | None = None) -> Detections:
    probs = np.tile(np.float32([0.02, 0.96, 0.02]), (len(FACES), 1))
    kinds = np.full(len(FACES), int(kind), np.int32)
    return Detections(
        (1080, 1920),
        np.array(FACES, np.float32),
        np.full(len(FACES), 0.95, np.float32),
        kinds,
        input_scale,
        face_mask_probs=probs,
        row_scales=None if row_scales is None else np.array(row_scales, np.float32),
    )


def qualities(detections: Detections, gear: Gear) -> list[float]:
    """Of the persons from left to right."""
    return [person.gear[gear].quality for person in associate(detections)]


SEEN_BY = [(Gear.FACE_MASK, Category.FACE_WITHOUT_MASK), (Gear.HARD_HAT, Category.BARE_HEAD)]


@pytest.mark.parametrize(("gear", "kind"), SEEN_BY)
def test_the_same_head_supports_more_where_it_was_seen_larger(gear, kind):
    seen = qualities(heads(kind, 0.33, [0.33, 0.6, 0.8, 1.3]), gear)
    assert seen[0] == 0, "eight pixels"
    assert seen == sorted(seen)
    assert 0 < seen[1] < seen[2] < seen[3]
    assert seen[3] == pytest.approx(1)


@given(st.floats(0.2, 2))
def test_rows_of_one_scale_are_as_the_picture_of_that_scale(scale):
    for gear, kind in SEEN_BY:
        plain = heads(kind, scale)
        each = qualities(replace(plain, row_scales=plain.input_scales), gear)
        assert each == pytest.approx(qualities(plain, gear), abs=1e-5)
