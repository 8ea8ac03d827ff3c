"""Canvases: what is said of them follows what is on them."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.errors import DataSetError
from models.training.mask_rcnn.canvas import SEG_MASK_SIDE, Canvas
from models.training.mask_rcnn.canvases import Subject, draw_canvas, draw_tile, joined
from models.training.mask_rcnn.contact_sheet import draw
from models.training.mask_rcnn.labels import Example, LabelRule, LabelTable, SourceRules
from models.training.mask_rcnn.light import change_light
from models.training.mask_rcnn.placement import LEAST_SIDE_PX, areas, box_pixels, placed
from models.training.mask_rcnn.sets import CanvasSet, LoadedSet, batches, load_sets
from models.training.picture_cache import PictureCache

CATEGORIES = ("hard_hat", "bare_head", "person", "face_mask", "hat")
NO_PERSON = np.zeros(len(CATEGORIES), np.bool_)
SIDE = 192


def _one(name: str) -> NDArray[np.bool_]:
    return np.array([[category == name for category in CATEGORIES]])


def _ellipse(centre: tuple[float, float], half: tuple[float, float]) -> NDArray[np.float32]:
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    return np.column_stack(
        [centre[0] + half[0] * np.cos(angles), centre[1] + half[1] * np.sin(angles)]
    ).astype(np.float32)


def _subject(
    *ellipses: tuple[tuple[float, float], tuple[float, float]], shrunk: int = 1, **changes: Any
) -> Subject:
    """Bright ellipses on black, 400 x 300 pixels; the picture itself perhaps smaller."""
    pixels = np.zeros((300, 400, 3), np.uint8)
    polygons = [_ellipse(*ellipse) for ellipse in ellipses]
    for polygon in polygons:
        points = np.rint((polygon - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(pixels, [points], (255, 255, 255), cv2.LINE_AA, 4)
    boxes = [[x - a, y - b, x + a, y + b] for (x, y), (a, b) in ellipses]
    example = Example(
        path=Path("none"),
        image_hw=(300, 400),
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        admissible=np.repeat(_one("bare_head"), len(boxes), axis=0),
        polygons=changes.get("polygons", tuple((polygon,) for polygon in polygons)),
        ignored_xyxy=changes.get("ignored_xyxy", np.zeros((0, 4), np.float32)),
        labelled=np.ones(len(CATEGORIES), np.bool_),
    )
    smaller = cv2.resize(pixels, (400 // shrunk, 300 // shrunk), interpolation=cv2.INTER_AREA)
    return Subject(example, np.asarray(smaller, np.uint8))


def _tile(subject: Subject, seed: int) -> Canvas:
    return draw_tile(subject, np.random.default_rng(seed), SIDE, sizes_px=(20.0, 120.0), is_person=NO_PERSON)[
        0
    ]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    centre=st.tuples(st.floats(80, 320), st.floats(80, 220)),
    half=st.tuples(st.floats(25, 60), st.floats(25, 60)),
    with_polygons=st.booleans(),
    shrunk=st.sampled_from((1, 2)),
)
def test_boxes_and_pixels_follow_the_picture(
    seed: int, centre: tuple[float, float], half: tuple[float, float], with_polygons: bool, shrunk: int
) -> None:
    changes = {} if with_polygons else {"polygons": ((),)}
    canvas = _tile(_subject((centre, half), shrunk=shrunk, **changes), seed)
    # the grey around the picture is none of the ellipse
    bright = canvas.pixels.min(axis=2) > 160
    rows, columns = np.nonzero(bright)
    assume(len(rows) > 60)
    assume(len(canvas.boxes_xyxy) == 1)
    x1, y1, x2, y2 = canvas.boxes_xyxy[0]
    seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    inside = (seen[:2] > 1).all() and (seen[2:] < SIDE - 1).all()
    tolerance = 2.5 if inside else 4.0
    if inside:
        np.testing.assert_allclose([x1, y1, x2, y2], seen, atol=tolerance)
    assert canvas.has_seg_mask[0] == with_polygons
    if with_polygons:
        grid = (np.arange(SEG_MASK_SIDE) + 0.5) / SEG_MASK_SIDE
        at_x = np.clip((x1 + grid * (x2 - x1)).astype(int), 0, SIDE - 1)
        at_y = np.clip((y1 + grid * (y2 - y1)).astype(int), 0, SIDE - 1)
        truth = bright[np.ix_(at_y, at_x)]
        said = canvas.seg_masks[0] > 0
        assert (truth & said).sum() > 0.85 * (truth | said).sum()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), ignored=st.booleans())
def test_nothing_labelled_is_lost(seed: int, ignored: bool) -> None:
    """Whatever of a thing or an ignored region lies on the tile is a thing or an ignored region there."""
    places = [((60.0, 60.0), (30.0, 40.0)), ((200.0, 150.0), (12.0, 12.0)), ((340.0, 220.0), (50.0, 60.0))]
    region = np.array([[10, 200, 60, 280]], np.float32) if ignored else np.zeros((0, 4), np.float32)
    canvas = _tile(_subject(*places, ignored_xyxy=region), seed)
    known = np.zeros((SIDE, SIDE), bool)
    for x1, y1, x2, y2 in np.concatenate([canvas.boxes_xyxy, canvas.ignored_xyxy]):
        known[int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))] = True
    bright = canvas.pixels.min(axis=2) > 200
    border = cv2.dilate(known.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert not (bright & ~border).any()
    sides = canvas.boxes_xyxy[:, 2:] - canvas.boxes_xyxy[:, :2]
    assert (sides >= LEAST_SIDE_PX - 1e-3).all()
    assert (canvas.boxes_xyxy >= 0).all()
    assert (canvas.boxes_xyxy <= SIDE).all()
    assert (areas(canvas.ignored_xyxy) > 0).all()


def test_what_the_border_cuts_too_much_or_is_too_small_is_ignored() -> None:
    subject = _subject(((10, 150), (40, 40)), ((200, 150), (2, 2)), ((300, 150), (40, 40)))
    shift = np.array([[1.0, 0, -20], [0, 1, -50]])
    canvas = placed(
        subject.example, np.zeros((SIDE * 2, SIDE * 2, 3), np.uint8), shift, np.full(len(CATEGORIES), 0.45)
    )
    np.testing.assert_allclose(canvas.boxes_xyxy, [[240, 60, 320, 140]], atol=0.2)
    np.testing.assert_allclose(canvas.ignored_xyxy, [[0, 60, 30, 140], [178, 98, 182, 102]], atol=0.2)


def test_a_box_larger_than_its_polygons_keeps_its_size() -> None:
    hat = np.array([[50, 50], [90, 50], [90, 75], [50, 75]], np.float32)
    example = Example(
        Path("none"),
        (300, 400),
        np.array([[50, 50, 90, 100]], np.float32),
        _one("hard_hat"),
        ((hat,),),
        np.zeros((0, 4), np.float32),
        np.ones(5, np.bool_),
    )
    canvas = placed(example, np.zeros((SIDE, SIDE, 3), np.uint8), np.eye(2, 3), np.full(5, 0.45))
    np.testing.assert_allclose(canvas.boxes_xyxy, [[50, 50, 90, 100]])
    np.testing.assert_array_equal(canvas.seg_masks[0].mean(axis=1) > 0.5, np.arange(SEG_MASK_SIDE) < 28)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 54), st.integers(2, 54))
def test_box_pixels_of_a_rectangle_are_exact(width: int, height: int) -> None:
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    drawn = box_pixels([corners], np.array([0.0, 0.0, 56.0, 56.0]))
    wanted = np.zeros((SEG_MASK_SIDE, SEG_MASK_SIDE), bool)
    wanted[:height, :width] = True
    np.testing.assert_array_equal(drawn, wanted)


def test_tiles_are_joined_in_reading_order() -> None:
    tiles = [_tile(_subject(((200, 150), (60, 60))), seed) for seed in range(4)]
    canvas = joined(tiles)
    assert canvas.pixels.shape == (2 * SIDE, 2 * SIDE, 3)
    np.testing.assert_array_equal(canvas.pixels[:SIDE, SIDE:], tiles[1].pixels)
    np.testing.assert_array_equal(canvas.pixels[SIDE:, :SIDE], tiles[2].pixels)
    counts = [len(tile.boxes_xyxy) for tile in tiles]
    assert len(canvas.boxes_xyxy) == sum(counts) == len(canvas.seg_masks) == len(canvas.admissible)
    if counts[3]:
        np.testing.assert_array_equal(canvas.boxes_xyxy[-counts[3] :], tiles[3].boxes_xyxy + SIDE)


def test_the_light_moves_nothing_and_changes_something() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 180
    changed = 0
    for seed in range(60):
        lit = change_light(pixels, np.random.default_rng(seed))
        assert lit.shape == pixels.shape
        assert lit.dtype == np.uint8
        changed += int((lit != pixels).any())
        halves = lit[8:-8, 8:24].mean(), lit[8:-8, 40:56].mean()
        assert halves[0] < halves[1]
    assert changed > 50


@pytest.fixture
def loaded(tmp_path: Path) -> list[LoadedSet]:
    examples = []
    rng = np.random.default_rng(0)
    for index in range(6):
        path = tmp_path / f"{index}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (90 + 10 * index, 120, 3), np.uint8))
        examples.append(
            Example(
                path,
                (90 + 10 * index, 120),
                np.array([[20, 20, 60, 70]], np.float32),
                _one("bare_head" if index % 2 else "hat"),
                ((),),
                np.zeros((0, 4), np.float32),
                _one("bare_head" if index % 2 else "hat")[0],
            )
        )
    return [LoadedSet(0.7, tuple(examples[:3])), LoadedSet(0.3, tuple(examples[3:]))]


def _canvases(
    loaded: list[LoadedSet], *, first_step: int, workers: int, count: int, seed: int = 5
) -> list[Canvas]:
    stream = batches(
        loaded,
        categories=CATEGORIES,
        batch_size=4,
        side_px=128,
        seed=seed,
        first_step=first_step,
        workers=workers,
        cache=PictureCache(limit_bytes=100_000),
    )
    found = [canvas for batch in islice(stream, count) for canvas in batch]
    stream.close()  # type: ignore[attr-defined]
    return found


def test_batches_depend_on_seed_and_step_alone(loaded: list[LoadedSet]) -> None:
    unbroken = _canvases(loaded, first_step=0, workers=2, count=4)
    resumed = _canvases(loaded, first_step=2, workers=1, count=2)
    for one, other in zip(unbroken[8:], resumed, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
    another = _canvases(loaded, first_step=0, workers=2, count=1, seed=6)
    assert any((one.pixels != other.pixels).any() for one, other in zip(unbroken[:4], another, strict=True))


def test_tiles_of_one_canvas_label_the_same(loaded: list[LoadedSet]) -> None:
    for canvas in _canvases(loaded, first_step=0, workers=2, count=10):
        assert canvas.labelled.sum() == 1
        assert not (canvas.admissible & ~canvas.labelled).any()


def test_the_sheet_shows_every_canvas(loaded: list[LoadedSet]) -> None:
    canvases = _canvases(loaded, first_step=0, workers=1, count=2)[:5]
    assert draw(canvases, CATEGORIES, columns=3).shape == (2 * 128, 3 * 128, 3)


def test_the_cache_keeps_what_fits_and_limits_the_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((200, 400, 3), np.uint8))
    cache = PictureCache(longest_side_px=100)
    assert cache.read(path).shape == (50, 100, 3)
    assert cache.read(path) is cache.read(path)
    full = PictureCache(longest_side_px=100, limit_bytes=10)
    assert full.read(path) is not full.read(path)


def _labelled_picture(number: int, *labels: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    image = {"id": number, "file_name": f"{number}.png", "width": 100, "height": 100, "source": "site"}
    boxes = [[5 + 30 * place, 10, 20, 20] for place in range(len(labels))]
    annotations = [
        {"image_id": number, "category_id": label, "bbox": box}
        for label, box in zip(labels, boxes, strict=True)
    ]
    return image, annotations


@pytest.mark.parametrize(
    ("repeat_below", "times"),
    [
        (0.0, {0: 1, 1: 1, 2: 1}),
        # a hat is on one picture in twenty: the root of 0.45 / 0.05
        (0.45, {0: 3, 1: 1, 2: 1}),
        # a hard hat on every fourth, too: the root of 1 / 0.25, and of 1 / 0.05
        (1.0, {0: 4, 1: 2, 2: 1}),
    ],
)
def test_pictures_of_rare_categories_are_drawn_more_often(
    tmp_path: Path, repeat_below: float, times: dict[int, int]
) -> None:
    # a bare head on each; on the first a hat, on five a hard hat, on ten what may be a hat or a hard hat
    shown = [_labelled_picture(0, 1, 2)]
    shown += [_labelled_picture(1 + number, 1, 3) for number in range(5)]
    shown += [_labelled_picture(6 + number, 1, 4) for number in range(10)]
    shown += [_labelled_picture(16 + number, 1) for number in range(4)]
    names = ("head", "cap", "helmet", "cover")
    content = {
        "images": [image for image, _ in shown],
        "annotations": [one for _, annotations in shown for one in annotations],
        "categories": [{"id": index + 1, "name": name} for index, name in enumerate(names)],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    may_be = (("bare_head",), ("hat",), ("hard_hat",), ("hat", "hard_hat"))
    labels = {name: LabelRule(is_=categories) for name, categories in zip(names, may_be, strict=True)}
    table = LabelTable({"site": SourceRules(labels=labels)})
    (loaded,) = load_sets([CanvasSet("a.json", 1.0, repeat_below=repeat_below)], tmp_path, CATEGORIES, table)
    drawn = Counter(int(example.path.stem) for example in loaded.examples)
    # with a hat, with a hard hat, with what counts for neither
    assert {0: drawn[0], 1: drawn[1], 2: drawn[6]} == times
    assert len(loaded.examples) == times[0] + 5 * times[1] + 14 * times[2]


@pytest.mark.parametrize("repeat_below", [-0.1, 1.5])
def test_repeating_below_no_part_of_one_is_an_error(repeat_below: float) -> None:
    with pytest.raises(ValueError, match="a part of 1"):
        CanvasSet("a.json", 1.0, repeat_below=repeat_below)


def test_a_set_without_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [], "categories": []}')
    table = LabelTable({"site": SourceRules(labels={"head": LabelRule(is_=("bare_head",))})})
    with pytest.raises(DataSetError, match="nothing to learn"):
        load_sets([CanvasSet("a.json", 1.0)], tmp_path, CATEGORIES, table)
    with pytest.raises(DataSetError, match=r"b\.json"):
        load_sets([CanvasSet("b.json", 1.0)], tmp_path, CATEGORIES, table)


def test_canvases_of_the_training_sets(shared_data: Path) -> None:
    """Every kind of thing comes up, and its pixels where there are polygons."""
    from models.training.mask_rcnn.labels import read_label_table  # noqa: PLC0415

    table = read_label_table(
        Path(__file__).parents[2] / "models" / "training" / "recipes" / "mask_rcnn_labels.yaml"
    )
    names = ("hard_hats", "persons", "mask_hat_polygons")
    sets = load_sets([CanvasSet(f"{name}/train.json", 1.0) for name in names], shared_data, CATEGORIES, table)
    rng = np.random.default_rng(0)
    cache = PictureCache()

    def draw_subject(like: Example | None) -> Subject:
        members = sets[int(rng.integers(len(sets)))].examples
        if like is not None:
            members = tuple(one for one in members if (one.labelled == like.labelled).all()) or (like,)
        example = members[int(rng.integers(len(members)))]
        return Subject(example, cache.read(example.path))

    canvases = [draw_canvas(draw_subject, rng, 256, categories=CATEGORIES) for _ in range(40)]
    found = np.concatenate([canvas.admissible for canvas in canvases])
    assert found.any(axis=0).all()
    assert any(canvas.has_seg_mask.any() for canvas in canvases)
    for canvas in canvases:
        shares = canvas.seg_masks[canvas.has_seg_mask].mean(axis=(1, 2))
        assert (shares > 0.02).mean() > 0.5 if len(shares) else True
