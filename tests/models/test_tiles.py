"""Views of a picture: what they show, the way back, and each thing once."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.errors import PictureError
from models.letterbox import letterbox_geometry
from models.pictures import ArrayPicture
from models.structures import FACE_CATEGORIES, Category, Detections
from models.tiles import (
    Cell,
    View,
    detect_views,
    grid_views,
    head_views,
    heads_per_view,
    merge_views,
    whole_view,
)
from models.tiles.heads import gains
from models.tiles.merging import LARGE_PX
from models.tiles.picture import ViewPicture

HW = (1080, 1920)

sizes = st.tuples(st.integers(64, 2200), st.integers(64, 4000))
grids = st.tuples(st.integers(1, 5), st.integers(1, 5))
overlaps = st.floats(0, 0.5)


def rows(boxes, *, kind=Category.BARE_HEAD, scores=None, image_hw=HW, scale=0.5, **optional) -> Detections:
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(
        image_hw,
        boxes,
        np.full(len(boxes), 0.9, np.float32) if scores is None else np.array(scores, np.float32),
        np.full(len(boxes), int(kind), np.int32),
        scale,
        **optional,
    )


def as_seen(view: View, boxes, **changes) -> Detections:
    """What ``view`` shows of boxes of the picture: those that it shows in part too, cut off at its cell's edges."""
    shown = []
    for box in np.array(boxes, np.float64).reshape(-1, 4):
        for cell in view.cells:
            x1, y1, x2, y2 = cell.region_xyxy
            inside = np.array([max(box[0], x1), max(box[1], y1), min(box[2], x2), min(box[3], y2)])
            if (inside[2:] - inside[:2] > 0).all():
                offset, place = np.array([x1, y1, x1, y1]), np.array([*cell.place_xyxy[:2]] * 2)
                shown.append((inside - offset) * cell.scale + place)
    return rows(shown, image_hw=view.view_hw, **changes)


# --- grids ---------------------------------------------------------------------------------------------


@given(image_hw=sizes, grid=grids, overlap=overlaps)
def test_tiles_cover_the_picture_are_of_one_size_and_overlap_as_asked(image_hw, grid, overlap):
    columns, tile_rows = grid
    whole, *tiles = grid_views(image_hw, columns=columns, rows=tile_rows, overlap=overlap)
    assert whole.is_whole
    assert len(tiles) == (0 if grid == (1, 1) else columns * tile_rows)
    assert len({tile.view_hw for tile in tiles}) <= 1
    assert not any(tile.is_whole and grid != (1, 1) and max(image_hw) > 2 * max(grid) for tile in tiles)
    covered = np.zeros(image_hw, bool)
    for tile in tiles or [whole]:
        ((cell,),) = [tile.cells]
        x1, y1, x2, y2 = cell.region_xyxy
        assert 0 <= x1 < x2 <= image_hw[1]
        assert 0 <= y1 < y2 <= image_hw[0]
        assert x1 % 2 == 0 or image_hw[1] % 2
        covered[y1:y2, x1:x2] = True
    assert covered.all()
    for index, tile in enumerate(tiles):
        if (index + 1) % columns:
            left, right = tile.cells[0].region_xyxy, tiles[index + 1].cells[0].region_xyxy
            assert left[2] - right[0] >= overlap * tile.view_hw[1] - 4


@settings(max_examples=60)
@given(image_hw=sizes, grid=grids, overlap=st.floats(0.1, 0.5), data=st.data())
def test_what_is_smaller_than_the_overlap_is_whole_in_a_tile(image_hw, grid, overlap, data):
    assume(grid != (1, 1))
    _, *tiles = grid_views(image_hw, columns=grid[0], rows=grid[1], overlap=overlap)
    most_w, most_h = (overlap * side - 5 for side in tiles[0].view_hw[::-1])
    assume(min(most_w, most_h) > 1)
    width, height = data.draw(st.floats(1, most_w)), data.draw(st.floats(1, most_h))
    x = data.draw(st.floats(0, image_hw[1] - width))
    y = data.draw(st.floats(0, image_hw[0] - height))
    assert any(
        cell.region_xyxy[0] <= x
        and cell.region_xyxy[1] <= y
        and x + width <= cell.region_xyxy[2]
        and y + height <= cell.region_xyxy[3]
        for tile in tiles
        for cell in tile.cells
    )


def test_a_grid_that_cannot_be_is_refused():
    for wrong in ({"columns": 0}, {"rows": 0}, {"overlap": 1.0}, {"overlap": -0.1}):
        with pytest.raises(ValueError, match="overlap"):
            grid_views(HW, **({"columns": 2, "rows": 2, "overlap": 0.2} | wrong))


# --- heads ---------------------------------------------------------------------------------------------

heads = st.tuples(st.floats(-20, 1920), st.floats(-20, 1080), st.floats(3, 200)).map(
    lambda head: (head[0], head[1], head[0] + 0.75 * head[2], head[1] + head[2])
)


@given(
    found=st.lists(heads, max_size=40),
    head_px=st.integers(16, 64),
    input_hw=st.sampled_from([(384, 640), HW]),
)
def test_every_head_has_a_cell_of_its_own_in_which_it_is_as_large_as_asked(found, head_px, input_hw):
    per_view = heads_per_view(input_hw, head_px)
    views = head_views(found, image_hw=HW, input_hw=input_hw, head_px=head_px)
    cells = [cell for view in views for cell in view.cells]
    assert len(cells) == len(found)
    assert len(views) == -(-len(found) // per_view)
    for view in views:
        assert view.view_hw == input_hw
        drawn = np.zeros(input_hw, int)
        for cell in view.cells:
            x1, y1, x2, y2 = cell.place_xyxy
            drawn[y1:y2, x1:x2] += 1
            assert (x2 - x1) * (y2 - y1) == drawn[y1:y2, x1:x2].size, "inside the input"
        assert drawn.max() <= 1, "cells do not overlap"
    for head, cell in zip(found, cells, strict=True):
        x1, y1, x2, y2 = cell.region_xyxy
        assert 0 <= x1 < x2 <= HW[1]
        assert 0 <= y1 < y2 <= HW[0]
        height_px = (head[3] - head[1]) * cell.scale
        assert height_px <= head_px + 1
        assert height_px >= 0.95 * min(head_px, 2 * (head[3] - head[1])) - 1 or y2 - y1 == HW[0]
        if head[0] >= 0 and head[1] >= 0 and head[2] <= HW[1] and head[3] <= HW[0]:
            assert x1 <= head[0] + 1 and head[2] <= x2 + 1  # noqa: PT018
            assert y1 <= head[1] + 1 and head[3] <= y2 + 1  # noqa: PT018


def test_heads_that_are_large_already_gain_nothing():
    looked_at = {"image_hw": HW, "input_hw": (384, 640), "head_px": 32}
    assert gains((100, 100, 115, 120), **looked_at)
    assert not gains((100, 100, 180, 200), **looked_at), "33 pixels at the input already"
    assert not gains((100, 100, 100, 100), **looked_at)
    assert not gains((100, 100, 115, 120), image_hw=HW, input_hw=(64, 64), head_px=32), "no cell fits"
    with pytest.raises(ValueError, match="do not fit"):
        head_views([(100, 100, 115, 120)], image_hw=HW, input_hw=(64, 64), head_px=32)


# --- the way back --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(found=st.lists(heads, min_size=1, max_size=30), head_px=st.integers(16, 64))
def test_heads_come_back_from_their_cells_with_the_scale_at_which_they_were_seen(found, head_px):
    found = [head for head in found if min(head) >= 0 and head[2] <= HW[1] and head[3] <= HW[0]]
    assume(found)
    for view in head_views(found, image_hw=HW, input_hw=HW, head_px=head_px):
        for head, cell in zip(found, view.cells, strict=True):
            alone = View(HW, HW, (cell,))
            landmarks = np.array([[[head[0], head[1]], [head[2], head[3]]] + [[head[0], head[3]]] * 3])
            in_view = (landmarks - cell.region_xyxy[:2]) * cell.scale + cell.place_xyxy[:2]
            seen = as_seen(alone, [head], scale=1.0, landmarks_xy=in_view)
            back = view.to_picture(seen)
            assert len(back.detections) == 1
            np.testing.assert_allclose(back.detections.boxes_xyxy[0], head, atol=1.1)
            np.testing.assert_allclose(back.detections.landmarks_xy, landmarks, atol=1e-2)
            assert back.detections.input_scales[0] == pytest.approx(cell.scale, rel=1e-5)
            assert view.cells[back.cell_of[0]] == cell


def test_rows_without_landmarks_stay_without_and_what_lies_beside_all_cells_is_left_out():
    view = View(HW, (100, 200), (Cell((500, 300, 550, 350), (0, 0, 100, 100)),))
    seen = rows(
        [[10, 10, 30, 30], [120, 10, 140, 30]],
        image_hw=(100, 200),
        scale=1.0,
        landmarks_xy=np.zeros((2, 5, 2)),
    )
    back = view.to_picture(seen).detections
    np.testing.assert_array_equal(back.boxes_xyxy, [[505, 305, 515, 315]])
    assert not back.landmarks_xy.any()
    assert back.image_hw == HW
    np.testing.assert_array_equal(back.input_scales, [2.0])


def test_boxes_at_edges_that_were_cut_off_are_told_from_those_at_the_edge_of_the_picture():
    _, first, second, *_ = grid_views(HW, columns=2, rows=2, overlap=0.2)
    at_picture_edge, at_cut = [0, 400, 50, 450], [first.view_hw[1] - 50, 400, first.view_hw[1], 450]
    seen = rows([at_picture_edge, at_cut, [300, 300, 340, 340]], image_hw=first.view_hw)
    assert first.to_picture(seen).is_cut.tolist() == [False, True, False]
    assert second.to_picture(rows([[2, 400, 50, 450]], image_hw=second.view_hw)).is_cut.tolist() == [True]


def test_cells_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="empty"):
        Cell((0, 0, 0, 5), (0, 0, 5, 5))
    with pytest.raises(ValueError, match="alike"):
        Cell((0, 0, 10, 10), (0, 0, 20, 40))


# --- each thing once -----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    grid=st.sampled_from([(2, 2), (3, 2), (4, 4)]),
    kind=st.sampled_from(Category),
    side=st.floats(12, 90),
    data=st.data(),
)
def test_what_several_tiles_and_the_whole_picture_see_comes_out_once(grid, kind, side, data):
    """Things apart from each other, each seen by the whole picture and by every tile that shows some of it."""
    views = grid_views(HW, columns=grid[0], rows=grid[1], overlap=0.2)
    places = data.draw(
        st.lists(st.tuples(st.integers(0, 17), st.integers(0, 9)), min_size=1, max_size=12, unique=True)
    )
    truth = np.array([[100 * x + 5, 100 * y + 5, 100 * x + 5 + side, 100 * y + 5 + side] for x, y in places])
    scales = [letterbox_geometry(view.view_hw, (384, 640)).scale for view in views]
    seen = [as_seen(view, truth, kind=kind, scale=scale) for view, scale in zip(views, scales, strict=True)]
    merged = merge_views(views, seen)
    assert len(merged) == len(truth)
    np.testing.assert_allclose(sorted(merged.boxes_xyxy.tolist()), sorted(truth.tolist()), atol=1e-2)
    assert merged.input_scale == pytest.approx(scales[0])
    if side * scales[0] < 33 and side < 0.2 * min(views[1].view_hw) - 20:
        assert (merged.input_scales > scales[0]).all(), (
            "small things are taken from the view that saw them larger"
        )


boxes_in_view = st.lists(
    st.tuples(st.floats(0, 400), st.floats(0, 200), st.floats(4, 80), st.floats(4, 140)).map(
        lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    ),
    max_size=8,
)


def overlap_of(one, other) -> float:
    """Intersection over the smaller area."""
    wh = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(np.clip(wh, 0, None).prod() / min(areas))


def kind_of(class_id: int) -> int:
    if class_id in FACE_CATEGORIES:
        return 0
    return int(Category.HARD_HAT) if class_id == Category.HAT else class_id


@settings(max_examples=40)
@given(
    found=st.lists(boxes_in_view, min_size=5, max_size=5),
    seed=st.integers(0, 1000),
)
def test_no_box_is_lost_and_none_is_made_up(found, seed):
    """Every row stays, or one of its kind lies on it; every row that comes out went in."""
    views = grid_views((600, 1000), columns=2, rows=2, overlap=0.2)
    rng = np.random.default_rng(seed)
    seen = []
    for view, boxes in zip(views, found, strict=True):
        classes = rng.integers(0, len(Category), len(boxes))
        shown = rows(boxes, image_hw=view.view_hw, scores=rng.random(len(boxes)))
        seen.append(Detections(view.view_hw, shown.boxes_xyxy, shown.scores, classes.astype(np.int32), 0.5))
    merged = merge_views(views, seen)
    went_in = [
        (row, int(class_id))
        for view, detections in zip(views, seen, strict=True)
        for row, class_id in zip(
            view.to_picture(detections).detections.boxes_xyxy, detections.class_ids, strict=True
        )
    ]
    came_out = list(zip(merged.boxes_xyxy, merged.class_ids.tolist(), strict=True))
    for box, class_id in went_in:
        if (box[3] - box[1]) * 0.5 >= LARGE_PX:
            continue  # left to the whole picture
        assert any(
            kind_of(class_id) == kind_of(other_id) and overlap_of(box, other) >= 0.5
            for other, other_id in came_out
        )
    for box, class_id in came_out:
        assert any(class_id == other_id and (box == other).all() for other, other_id in went_in)
    assert (np.diff(merged.scores) <= 0).all()
    again = merge_views(views, seen)
    np.testing.assert_array_equal(again.boxes_xyxy, merged.boxes_xyxy)


def test_a_thing_that_one_tile_sees_whole_hides_what_its_neighbour_saw_of_it():
    whole, left, right, *_ = grid_views(HW, columns=2, rows=1, overlap=0.2)
    head = [980, 300, 1030, 360]
    end = left.cells[0].region_xyxy[2]
    straddling = [end - 30, 300, end + 30, 360]
    merged = merge_views(
        (whole, left, right),
        (
            rows([], scale=0.3),
            as_seen(left, [head, straddling], scores=[0.9, 0.99]),
            as_seen(right, [head, straddling], scores=[0.8, 0.6]),
        ),
    )
    np.testing.assert_allclose(sorted(merged.boxes_xyxy.tolist()), [head, straddling])
    np.testing.assert_allclose(merged.scores, [0.99, 0.9], err_msg="each with the best of its scores")


def test_what_no_view_sees_whole_stays_unless_the_view_does_not_keep_it():
    whole, left, *_ = grid_views(HW, columns=2, rows=1, overlap=0.2)
    end = left.cells[0].region_xyxy[2]
    cut = rows([[end - 40, 100, end, 200]], image_hw=left.view_hw, kind=Category.PERSON)
    assert len(merge_views((whole, left), (rows([]), cut))) == 1
    strict = View(HW, left.view_hw, left.cells, keeps_cut=False)
    assert len(merge_views((whole, strict), (rows([]), cut))) == 0


def test_what_the_whole_picture_shows_large_is_taken_from_it_alone():
    whole, left, *_ = grid_views(HW, columns=2, rows=1, overlap=0.2)
    height = LARGE_PX / 0.5
    part_of_somebody = rows(
        [[100, 100, 200, 100 + height], [300, 100, 400, 98 + height]],
        image_hw=left.view_hw,
        kind=Category.PERSON,
    )
    merged = merge_views((whole, left), (rows([]), part_of_somebody))
    np.testing.assert_allclose(merged.boxes_xyxy, [[300, 100, 400, 98 + height]])
    assert len(merge_views((left,), (part_of_somebody,))) == 2, (
        "without a whole picture there is nothing else"
    )


def test_people_before_people_stay_and_faces_in_faces_do_not():
    whole, left, *_ = grid_views(HW, columns=2, rows=1, overlap=0.2)
    near, far = [100, 100, 150, 210], [110, 120, 130, 170]
    for kind, count in ((Category.PERSON, 2), (Category.FACE_WITH_MASK, 1)):
        seen = (rows([near], kind=kind), rows([far], kind=kind, image_hw=left.view_hw))
        assert len(merge_views((whole, left), seen)) == count


def test_the_larger_look_says_which_state_a_face_is_in_and_what_one_view_saw_twice_stays():
    whole, left, *_ = grid_views(HW, columns=2, rows=1, overlap=0.2)
    face = [[100, 100, 120, 124]]
    probs = np.array([[0.1, 0.8, 0.1]])
    seen = (
        rows(face, kind=Category.FACE_WITH_MASK, scale=0.3, scores=[0.95], face_mask_probs=1 - probs / 2),
        rows(
            face * 2,
            kind=Category.FACE_WITHOUT_MASK,
            image_hw=left.view_hw,
            scale=0.6,
            scores=[0.7, 0.6],
            face_mask_probs=np.repeat(probs, 2, 0),
        ),
    )
    merged = merge_views((whole, left), seen)
    assert merged.class_ids.tolist() == [Category.FACE_WITHOUT_MASK] * 2
    assert merged.scores[0] == pytest.approx(0.95)
    np.testing.assert_allclose(merged.face_mask_probs, np.repeat(probs, 2, 0), atol=1e-6)
    np.testing.assert_allclose(merged.input_scales, 0.6)


def test_views_without_anything_give_nothing():
    views = grid_views(HW, columns=2, rows=2, overlap=0.2)
    merged = merge_views(views, [Detections.empty(view.view_hw, 0.4) for view in views])
    assert (len(merged), merged.image_hw, merged.row_scales) == (0, HW, None)
    assert merged.input_scale == pytest.approx(0.4)


# --- pixels --------------------------------------------------------------------------------------------


def gradient(image_hw) -> ArrayPicture:
    """Red is the column, green the row, so that every pixel says where it is from."""
    ys, xs = np.mgrid[: image_hw[0], : image_hw[1]]
    return ArrayPicture(np.stack([xs % 256, ys % 256, np.zeros_like(xs)], -1).astype(np.uint8))


def test_a_tile_shows_its_part_and_crops_reach_beyond_it():
    picture = gradient((200, 240))
    _, _, tile, *_ = grid_views((200, 240), columns=2, rows=2, overlap=0.2)
    shown = ViewPicture(picture, tile)
    x1, y1, x2, y2 = tile.cells[0].region_xyxy
    np.testing.assert_array_equal(shown.rgb(), picture.rgb()[y1:y2, x1:x2])
    np.testing.assert_array_equal(shown.part_rgb((5, 6, 25, 26), (20, 20)), shown.rgb()[6:26, 5:25])
    np.testing.assert_array_equal(
        shown.crop_rgb((-10, 5, 10, 25)), picture.rgb()[y1 + 5 : y1 + 25, x1 - 10 : x1 + 10]
    )
    assert shown.rgb((30, 40)).shape == (30, 40, 3)
    with pytest.raises(PictureError, match="no part"):
        shown.part_rgb((0, 0, 1000, 10), (5, 5))


def test_heads_are_drawn_at_their_places_and_cropped_from_the_pictures_own_pixels():
    picture = gradient((240, 250))
    found = [(40.0, 50.0, 55.0, 70.0), (150.0, 100.0, 165.0, 120.0)]
    (view,) = head_views(found, image_hw=(240, 250), input_hw=(128, 256), head_px=32)
    shown = ViewPicture(picture, view)
    pixels = shown.rgb()
    assert pixels.shape == (128, 256, 3)
    for head, cell in zip(found, view.cells, strict=True):
        middle = np.array([(head[0] + head[2]) / 2, (head[1] + head[3]) / 2])
        x, y = ((middle - cell.region_xyxy[:2]) * cell.scale + cell.place_xyxy[:2]).astype(int)
        np.testing.assert_allclose(pixels[y, x, :2], middle, atol=1.5)
        crop = shown.crop_rgb((x - 10, y - 8, x + 10, y + 8))
        assert crop.shape == (16, 20, 3)
        np.testing.assert_allclose(crop[8, 10, :2], middle, atol=1.5)
    assert (
        ViewPicture(picture, View((240, 250), (64, 300), (Cell((0, 0, 32, 32), (0, 0, 64, 64)),))).rgb()[
            :, 70:
        ]
        > 90
    ).all()


class Recorder:
    """A detector that finds its picture's red maximum, and notes how many pictures it was given at once."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    @property
    def digests(self):
        return {}

    def warm_up(self, input_hw, batch_sizes):
        pass

    def detect(self, pictures, input_hw):
        self.counts.append(len(pictures))
        found = []
        for picture in pictures:
            pixels = picture.rgb()
            y, x = np.unravel_index(pixels[..., 2].argmax(), pixels.shape[:2])
            box = [[x, y, x + 1, y + 1]] if pixels[y, x, 2] else []
            scale = letterbox_geometry(picture.image_hw, input_hw).scale
            found.append(rows(box, image_hw=picture.image_hw, scale=scale))
        return found


@given(st.integers(0, 199), st.integers(0, 299), st.integers(1, 7))
@settings(max_examples=40)
def test_a_lone_pixel_is_found_once_where_it_is_whatever_the_batches(y, x, at_most):
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[y, x, 2] = 255
    views = grid_views((200, 300), columns=3, rows=2, overlap=0.2)
    detector = Recorder()
    both = detect_views(
        detector,
        [ArrayPicture(pixels), ArrayPicture(np.zeros((200, 300, 3), np.uint8))],
        [views, (whole_view((200, 300)),)],
        (64, 96),
        at_most=at_most,
    )
    assert sum(detector.counts) == 8
    assert max(detector.counts) <= at_most
    np.testing.assert_array_equal(both[0].boxes_xyxy, [[x, y, x + 1, y + 1]])
    assert len(both[1]) == 0
