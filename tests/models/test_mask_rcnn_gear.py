"""Gear that is put on people of training canvases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.training.mask_rcnn.canvas import SEG_MASK_SIDE, Canvas
from models.training.mask_rcnn.gear import Cutout, Gear, cut_out_hats
from models.training.mask_rcnn.labels import Example

CATEGORIES = ("hard_hat", "bare_head", "person", "face_mask", "hat")
SIDE = 200

#: A trapezium of 60 x 40 pixels in a picture of 80 x 60.
HAT = np.array([[20, 10], [60, 10], [70, 50], [10, 50]], np.float32)


def _cutout(category: str) -> Cutout:
    return Cutout(np.full((60, 80, 3), (250, 220, 0), np.uint8), (HAT,), category)


def _tile(*boxes: tuple[float, float, float, float], category: str = "bare_head") -> Canvas:
    admissible = np.tile([name == category for name in CATEGORIES], (len(boxes), 1))
    return Canvas(
        pixels=np.full((SIDE, SIDE, 3), 90, np.uint8),
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        admissible=admissible,
        seg_masks=np.zeros((len(boxes), SEG_MASK_SIDE, SEG_MASK_SIDE), np.uint8),
        has_seg_mask=np.zeros(len(boxes), np.bool_),
        ignored_xyxy=np.zeros((0, 4), np.float32),
        labelled=np.array([True, True, False, True, False]),
    )


def _worn(gear: Gear, tile: Canvas, landmarks_xy: NDArray[np.float64] | None = None) -> Canvas:
    """The first of some seeds that puts something on."""
    faces = np.zeros((0, 5, 2)) if landmarks_xy is None else landmarks_xy
    for seed in range(60):
        worn = gear.worn(tile, faces, np.random.default_rng(seed))
        if worn is not tile:
            return worn
    raise AssertionError("nothing was put on")


def _pixels_of(canvas: Canvas, row: int) -> NDArray[np.bool_]:
    """The thing's pixel label at the canvas' resolution."""
    x1, y1, x2, y2 = canvas.boxes_xyxy[row].astype(float)
    at = (np.arange(SIDE) + 0.5)[:, None]
    columns = np.floor((at - x1) / (x2 - x1) * SEG_MASK_SIDE).astype(int)[:, 0]
    rows = np.floor((at - y1) / (y2 - y1) * SEG_MASK_SIDE).astype(int)[:, 0]
    inside = ((rows >= 0) & (rows < SEG_MASK_SIDE))[:, None] & ((columns >= 0) & (columns < SEG_MASK_SIDE))
    looked_up = canvas.seg_masks[row][np.ix_(np.clip(rows, 0, 55), np.clip(columns, 0, 55))] > 0
    return np.asarray(inside & looked_up)


def _agreement(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


def test_a_hard_hat_makes_another_head_of_a_bare_one() -> None:
    head = (80.0, 90.0, 130.0, 150.0)
    worn = _worn(Gear(CATEGORIES, (_cutout("hard_hat"),), hat_chance=1.0), _tile(head))
    np.testing.assert_array_equal(worn.admissible, [[1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(worn.has_seg_mask, [True])
    box = worn.boxes_xyxy[0]
    assert (box[:2] <= head[:2]).all()
    assert (box[2:] >= head[2:]).all()
    assert box[1] < head[1]
    covered = worn.pixels[..., 2] < 45  # the hat has no blue: more than half of it
    assert covered.sum() > 500
    assert _agreement(covered, _pixels_of(worn, 0)) > 0.9
    np.testing.assert_array_equal(worn.labelled, _tile(head).labelled)


def test_an_ordinary_hat_is_a_garment_on_a_head_without_a_hard_hat() -> None:
    head = (80.0, 90.0, 130.0, 150.0)
    worn = _worn(Gear(CATEGORIES, (_cutout("hat"),), hat_chance=1.0), _tile(head))
    np.testing.assert_array_equal(worn.admissible, [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1]])
    np.testing.assert_array_equal(worn.boxes_xyxy[0], head)
    rows, columns = np.nonzero((worn.pixels != 90).any(axis=2))
    np.testing.assert_allclose(
        worn.boxes_xyxy[1], [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=3
    )


@pytest.mark.parametrize("category", ["hard_hat", "person"])
def test_who_is_not_bare_headed_gets_no_hat(category: str) -> None:
    tile = _tile((80, 90, 130, 150), category=category)
    gear = Gear(CATEGORIES, (_cutout("hat"),), hat_chance=1.0)
    assert all(
        gear.worn(tile, np.zeros((0, 5, 2)), np.random.default_rng(seed)) is tile for seed in range(20)
    )


@pytest.mark.parametrize(("hat_chance", "least", "most"), [(0.0, 0, 0), (0.25, 0.17, 0.33), (1.0, 1, 1)])
def test_hats_are_put_on_in_the_asked_part_of_the_tiles(hat_chance: float, least: float, most: float) -> None:
    # of so many heads one at least is chosen, nearly always
    corners = [(10 + 36 * column, 50 + 40 * row) for row in range(3) for column in range(5)]
    tile = _tile(*((x, y, x + 20, y + 25) for x, y in corners))
    gear = Gear(CATEGORIES, (_cutout("hard_hat"),), hat_chance=hat_chance, face_mask_chance=0)
    worn = [gear.worn(tile, np.zeros((0, 5, 2)), np.random.default_rng(seed)) for seed in range(200)]
    share = np.mean([one is not tile for one in worn])
    assert least <= share <= most


def test_what_a_hat_hides_is_no_longer_learned() -> None:
    head, behind = (80.0, 90.0, 130.0, 150.0), (95.0, 84.0, 115.0, 104.0)
    tile = _tile(head, behind)
    admissible = tile.admissible.copy()
    admissible[1] = [name == "face_mask" for name in CATEGORIES]
    gear = Gear(CATEGORIES, (_cutout("hat"),), hat_chance=1.0)
    worn = _worn(gear, replace(tile, admissible=admissible))
    assert not worn.admissible[:, 3].any()
    np.testing.assert_array_equal(worn.ignored_xyxy, [behind])


def test_a_drawn_face_mask_has_exact_pixels() -> None:
    landmarks = np.array([[85, 90], [115, 90], [100, 108], [88, 122], [112, 122]], np.float64)
    worn = _worn(Gear(CATEGORIES, face_mask_chance=1.0), _tile((70, 60, 130, 140)), landmarks[None])
    np.testing.assert_array_equal(worn.admissible, [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]])
    changed = (np.abs(worn.pixels.astype(int) - 90) > 4).any(axis=2)
    assert _agreement(changed, _pixels_of(worn, 1)) > 0.7


def test_tiny_faces_and_faces_beyond_the_tile_get_no_face_mask() -> None:
    points = np.array([[85, 90], [115, 90], [100, 108], [88, 122], [112, 122]], np.float64)
    gear = Gear(CATEGORIES, face_mask_chance=1.0)
    tile = _tile()
    for landmarks in (points / 10, points + 100):
        assert gear.worn(tile, landmarks[None], np.random.default_rng(0)) is tile


def test_hats_are_cut_out_where_they_are_whole_and_surely_hats() -> None:
    def example(polygon: NDArray[np.float32], *names: str) -> Example:
        return Example(
            Path("a"),
            (120, 160),
            np.array([[0, 0, 10, 10]], np.float32),
            np.array([[name in names for name in CATEGORIES]]),
            ((polygon,),),
            np.zeros((0, 4), np.float32),
            np.zeros(5, np.bool_),
        )

    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    examples = [
        example(HAT, "hat"),
        example(HAT - np.array([20, 0], np.float32), "hat"),  # cut by the picture
        example(np.asarray(HAT / 2 + 20, np.float32), "hat"),  # small
        example(HAT, "hat", "hard_hat"),
        example(HAT, "face_mask"),
        example(HAT, "hard_hat"),
    ]
    cutouts = cut_out_hats(examples, CATEGORIES, lambda _: picture)
    assert [cutout.category for cutout in cutouts] == ["hat", "hard_hat"]
    polygon = cutouts[0].polygons[0]
    left, top = (HAT - polygon)[0].astype(int)
    np.testing.assert_allclose(HAT - polygon, np.tile([left, top], (4, 1)))
    height, width = cutouts[0].rgb.shape[:2]
    np.testing.assert_array_equal(cutouts[0].rgb, picture[top : top + height, left : left + width])
    halved = cut_out_hats([example(HAT * 2, "hat")], CATEGORIES, lambda _: picture[::2, ::2])
    np.testing.assert_allclose(np.ptp(halved[0].polygons[0], axis=0), [60, 40])
