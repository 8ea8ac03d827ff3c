"""What is worked out for all persons of a frame at once is what each alone would give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from models.structures import Category
from rules.geometry import edges_of
from rules.headgear import wear_fit, wear_fits
from rules.mask_fit import mask_fits
from rules.matching import pair_up
from rules.motion import BoxFilters
from rules.parts import Part, group_of
from rules.quality import poses_of

SEEDS = st.integers(0, 10_000)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0.05, 0.7))
def test_pairs_taken_apart_cost_what_all_together_do(seed, share):
    rng = np.random.default_rng(seed)
    costs = np.where(rng.random((9, 7)) < share, rng.uniform(-5, 20, (9, 7)), np.inf)
    rows, columns = np.nonzero(np.isfinite(costs))
    pairs = pair_up(rows, columns, costs[rows, columns])
    solved = np.where(np.isfinite(costs), costs, 1e6)
    expected = [solved[pair] for pair in zip(*linear_sum_assignment(solved), strict=True)]
    expected = [cost for cost in expected if cost < 1e6]
    assert len(set(pairs.values())) == len(pairs) == len(expected)
    assert sum(costs[pair] for pair in pairs.items()) == pytest.approx(sum(expected))


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_filters_move_together_as_they_do_alone(seed):
    rng = np.random.default_rng(seed)

    def boxes():
        first = rng.uniform(0, 900, (6, 2))
        return [tuple(box) for box in np.hstack([first, first + rng.uniform(5, 300, (6, 2))]).tolist()]

    def filters(rows):
        made = BoxFilters()
        made.add(units_high=[1.0 + row % 2 for row in rows], noise=[0.08] * len(rows))
        made.begin(list(range(len(rows))), edges_of([begun[row] for row in rows]))
        return made

    begun, seen = boxes(), boxes()
    alone, together = [filters([row]) for row in range(6)], filters(range(6))
    for stop in (False, True, False):
        together.predict(0.2, stop=stop)
        together.correct([1, 2, 3], edges_of(seen[1:4]))
        for row, one in enumerate(alone):
            one.predict(0.2, stop=stop)
            if 1 <= row < 4:
                one.correct([0], edges_of([seen[row]]))
    together.keep(np.array([5, 3, 1]))
    for row, one in enumerate(alone[5:0:-2]):
        assert together.state[:, :, row : row + 1] == pytest.approx(one.state)
        assert together.edges[:, row : row + 1] == pytest.approx(one.edges)
        assert together.units_px[row] == pytest.approx(one.units_px[0])
        assert together.spreads()[:, row : row + 1] == pytest.approx(one.spreads())


def somebody(rng, has_pixels):
    """A head, a hat on it more or less, a face with landmarks and a mask before it."""
    x, y, h = rng.uniform(100, 900), rng.uniform(100, 600), rng.uniform(20, 90)
    shift = rng.normal(0, 0.1 * h, 2)
    seg_mask = rng.random((28, 28)).astype(np.float32) if has_pixels else None
    if seg_mask is not None:
        seg_mask[:10] = 1.0
    hat_box = (x - h / 2 + shift[0], y - h / 6 + shift[1], x + h / 2, y + h / 3)
    hat = Part(Category.HARD_HAT, hat_box, 0.9, None, None, seg_mask, hat_box if has_pixels else None)
    offsets = np.array([[-0.2, 0.3], [0.2, 0.3], [0, 0.5], [-0.15, 0.75], [0.15, 0.75]])
    points = ((x, y) + h * (offsets + rng.normal(0, 0.03, (5, 2)))).astype(np.float32)
    face = Part(Category.FACE_WITH_MASK, (x - 0.4 * h, y, x + 0.4 * h, y + h), 0.9, points)
    mask_box = (x - 0.4 * h, y + 0.45 * h, x + 0.4 * h, y + h)
    mask = Part(Category.FACE_MASK, mask_box, 0.7, None, None, seg_mask, mask_box if has_pixels else None)
    return (x - 0.4 * h, y, x + 0.4 * h, y + h), hat, face, mask


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_hats_and_masks_sit_together_as_they_do_alone(seed):
    rng = np.random.default_rng(seed)
    heads, hats, faces, masks = zip(*(somebody(rng, row % 3 > 0) for row in range(8)), strict=True)
    fits = wear_fits(hats, edges_of(heads))
    assert fits == pytest.approx([wear_fit(hat, head) for hat, head in zip(hats, heads, strict=True)])
    assert fits.max() > 0
    together = mask_fits(faces, masks)
    alone = [mask_fits([face], [mask])[0] for face, mask in zip(faces, masks, strict=True)]
    assert np.array(together) == pytest.approx(np.array(alone))


def test_faces_without_landmarks_have_every_pose():
    _, _, face, _ = somebody(np.random.default_rng(0), has_pixels=False)
    turned = np.array(face.landmarks_xy)
    turned[2, 0] += 40
    faces = [face._replace(landmarks_xy=points) for points in (None, face.landmarks_xy, turned)]
    assert poses_of(group_of(faces)).tolist() == [1.0, 1.0, pytest.approx(0.0)]
