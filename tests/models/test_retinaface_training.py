"""Training RetinaFace: labels, canvases, and a run that is interrupted and continued."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retinaface_builders import made_up_weights
from retinaface_training_builders import (
    draw_set,
    example_of,
    faces_of,
    learner_for,
    picture_of,
)

from models.errors import DataSetError, TrainingError
from models.evaluation.coco_faces import read_faces
from models.retinaface.detector import RetinaFaceDetector
from models.training.retinaface import state_text, train_retinaface
from models.training.retinaface_augmentation import (
    LEAST_HEIGHT_PX,
    MIRRORED_LANDMARKS,
    change_light,
    draw_canvas,
    draw_tile,
)
from models.training.retinaface_examples import (
    box_around,
    face_example,
    head_example,
    landmark_example,
    no_faces,
)
from models.training.retinaface_recipe import RetinaFaceRecipe, read_recipe
from models.training.retinaface_sets import LoadedSet, TrainingSet, batches, held_out_pictures, load_set
from models.training.retinaface_teacher import teacher_faces
from models.training.run_state import RunState, load_state, save_state
from models.weights.keras_variables import tensors_of

RECIPES = Path(__file__).parents[2] / "models" / "training" / "recipes"


def test_the_teacher_supplies_landmarks_and_what_was_skipped() -> None:
    picture = picture_of([[10, 10, 30, 30], [60, 60, 80, 80]])
    seen = faces_of(([11, 11, 31, 31], 0.9), ([60, 60, 80, 80], 0.3), ([40, 10, 50, 20], 0.4))
    example = face_example(picture, seen, exhaustive=False)
    np.testing.assert_array_equal(example.landmark_weights, [1, 0])
    np.testing.assert_array_equal(example.landmarks_xy[0, 0], [21, 21])
    np.testing.assert_array_equal(example.ignored_xyxy, [[40, 10, 50, 20]])
    np.testing.assert_array_equal(example.box_weights, [1, 1])
    alone = face_example(picture, no_faces(), exhaustive=False)
    assert not alone.landmark_weights.any()
    assert len(alone.ignored_xyxy) == 0


def test_exhaustive_labels_still_leave_out_whom_the_teacher_surely_sees() -> None:
    seen = faces_of(([40, 10, 50, 20], 0.9), ([70, 10, 80, 20], 0.97))
    example = face_example(
        picture_of([[10, 10, 30, 30]]), seen, exhaustive=True, box_weight=0.25, teacher_weight=0.5
    )
    np.testing.assert_array_equal(example.ignored_xyxy, [[70, 10, 80, 20]])
    np.testing.assert_array_equal(example.box_weights, [0.25])


def test_heads_teach_faces_background_or_nothing() -> None:
    heads = picture_of([[0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 100, 20]], "bare_head")
    seen = faces_of(
        ([2, 5, 18, 20], 0.9), ([42, 5, 58, 20], 0.2), ([2, 60, 18, 80], 0.95), ([50, 60, 60, 70], 0.5)
    )
    arguments = {"head_categories": ["bare_head"], "trust_teacher": True}
    example = head_example(heads, seen, **arguments)
    np.testing.assert_array_equal(example.boxes_xyxy, [[2, 5, 18, 20]])
    # ignored: an unsure head, and a sure face where no head is labelled. Background: the head on which
    # nothing is seen, when the teacher is trusted, and the unsure face away from heads
    assert [box[0] for box in example.ignored_xyxy] == pytest.approx([37, 2])
    untrusted = head_example(heads, seen, **(arguments | {"trust_teacher": False}))
    assert [box[0] for box in untrusted.ignored_xyxy] == pytest.approx([37, 77, 2])
    assert len(head_example(picture_of([[0, 0, 9, 9]], "person"), seen, **arguments).subjects_xyxy) == 0


def test_tiles_show_their_faces_where_their_boxes_say(tmp_path: Path) -> None:
    canvas = np.full((300, 300, 3), 30, np.uint8)
    cv2.circle(canvas, (100, 150), 40, (255, 255, 255), -1)
    cv2.circle(canvas, (85, 140), 6, (0, 0, 255), -1)  # the left eye as seen, in BGR: red
    cv2.imwrite(str(tmp_path / "a.png"), canvas)
    box = np.array([[60, 110, 140, 190]], np.float32)
    points = np.array([[[85, 140], [115, 140], [100, 150], [90, 170], [110, 170]]], np.float32)
    example = example_of(tmp_path / "a.png", (300, 300), box, points)
    seen = mirrored = 0
    for seed in range(40):
        tile = draw_tile(example, np.random.default_rng(seed), 256, heights_px=(40, 120))
        if len(tile.boxes_xyxy) == 0 or tile.landmark_weights[0] == 0:
            continue
        seen += 1
        # the grey outside is darker than the disc; edges are soft by a pixel or two
        ys, xs = np.nonzero(tile.pixels[..., 0] > 200)
        found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose(found, tile.boxes_xyxy[0], atol=2.5)
        red = (tile.pixels[..., 0] > 180) & (tile.pixels[..., 1] < 80)
        eye = np.argwhere(red).mean(axis=0)[::-1] + 0.5
        gaps = np.linalg.norm(tile.landmarks_xy[0] - eye, axis=1)
        assert gaps.min() < 2.5
        # after mirroring, the eye that was left is labelled as the right one
        mirrored += int(gaps.argmin() == MIRRORED_LANDMARKS[0])
        assert gaps.argmin() in (0, 1)
        eyes = tile.landmarks_xy[0, :2]
        assert eyes[0, 0] < eyes[1, 0] + 5
    assert seen > 15
    assert 0 < mirrored < seen


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), smaller=st.sampled_from([1, 2]), close_up=st.booleans())
def test_boxes_and_landmarks_move_as_one(seed: int, smaller: int, close_up: bool) -> None:
    box = np.array([[60, 40, 140, 140]], np.float32)
    points = np.array([[[80, 70], [120, 72], [100, 90], [85, 115], [116, 118]]], np.float32)
    example = example_of(Path("a.png"), (200, 220), box, points)
    options = {"least_fill": 0.5, "most_scale": 3.5} if close_up else {}
    tile = draw_tile(
        example,
        np.random.default_rng(seed),
        128,
        heights_px=(20, 60),
        # from memory, at its own size or half of it
        read=lambda path: np.zeros((200 // smaller, 220 // smaller, 3), np.uint8),
        **options,
    )
    if not len(tile.boxes_xyxy) or tile.landmark_weights[0] == 0:
        return  # cut by the border
    # which of the points are which is what mirroring decides; then a turn, a scale and a shift are all there is
    given = points[0].astype(np.float64)
    moved = tile.landmarks_xy[0].astype(np.float64)
    ended = moved[1] - moved[0]
    given_or_mirrored = [given, (given * [-1, 1])[list(MIRRORED_LANDMARKS)]]
    fits = []
    for source in given_or_mirrored:
        begun = source[1] - source[0]
        turn = complex(*ended) / complex(*begun)
        expected = (source - source[0]) @ np.array([[turn.real, turn.imag], [-turn.imag, turn.real]]) + moved[
            0
        ]
        fits.append(np.abs(expected - moved).max())
    assert min(fits) < 1e-2
    source = given_or_mirrored[int(np.argmin(fits))]
    turn = complex(*ended) / complex(*(source[1] - source[0]))
    centre = np.array([100.0, 90.0]) * ([1, 1] if np.argmin(fits) == 0 else [-1, 1])
    around = (centre - source[0]) @ np.array([[turn.real, turn.imag], [-turn.imag, turn.real]]) + moved[0]
    if (tile.boxes_xyxy > 0).all() and (tile.boxes_xyxy < 128).all():
        np.testing.assert_allclose((tile.boxes_xyxy[0, :2] + tile.boxes_xyxy[0, 2:]) / 2, around, atol=0.05)
        # of the ellipse in 80 x 100: nothing swells beyond its longer axis
        sides = (tile.boxes_xyxy[0, 2:] - tile.boxes_xyxy[0, :2]) / abs(turn)
        assert (sides > 79.9).all()
        assert (sides < 100.1).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_close_ups_lie_in_tiles_of_their_own(seed: int) -> None:
    points = np.array([[34, 35], [47, 36], [40, 46], [34, 51], [45, 52]], np.float32)
    example = example_of(Path("a.png"), (80, 80), [box_around(points)], points)
    canvas = draw_canvas(
        lambda: example,
        np.random.default_rng(seed),
        128,
        close_ups=True,
        read=lambda path: np.full((80, 80, 3), 200, np.uint8),
    )
    assert canvas.pixels.shape == (128, 128, 3)
    middles = canvas.landmarks_xy[canvas.landmark_weights > 0].mean(axis=1)
    for tile_px, most in ((64, 4), (32, 16)):
        places = {tuple((middle // tile_px).astype(int)) for middle in middles}
        if len(places) == len(middles):
            assert len(middles) <= most
            break
    else:
        raise AssertionError("two close-ups share a tile")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_canvases_are_sound_and_repeatable(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "canvases"
    file = folder / "set.json" if (folder / "set.json").exists() else draw_set(folder)
    examples = [face_example(picture, faces_of(), exhaustive=True) for picture in read_faces(file)]
    one, other = (
        draw_canvas(lambda: examples[seed % len(examples)], np.random.default_rng(seed), 128) for _ in "ab"
    )
    assert one.pixels.shape == (128, 128, 3)
    assert one.pixels.dtype == np.uint8
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
    for boxes in (one.boxes_xyxy, one.ignored_xyxy):
        assert (boxes >= 0).all()
        assert (boxes <= 128).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (one.boxes_xyxy[:, 3] - one.boxes_xyxy[:, 1] >= LEAST_HEIGHT_PX - 1e-3).all()
    assert len(one.boxes_xyxy) == len(one.landmarks_xy) == len(one.landmark_weights) == len(one.box_weights)


def test_light_changes_but_stays_a_picture() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    changed = [change_light(grey, np.random.default_rng(seed)) for seed in range(60)]
    assert all(image.shape == grey.shape and image.dtype == np.uint8 for image in changed)
    means = np.array([image.mean() for image in changed])
    assert means.std() > 10
    assert 60 < means.mean() < 200


def small_recipe(folder: Path, **changes: Any) -> RetinaFaceRecipe:
    file = draw_set(folder / "data")
    recipe = RetinaFaceRecipe(
        init=made_up_weights(folder / "init.safetensors"),
        sets=(TrainingSet(file, 1.0, exhaustive_sources=("complete",), held_out=True),),
        source="a test",
        validation_sides_px=(64,),
        rounds=2,
        steps_per_round=2,
        batch_size=2,
        side_px=64,
        warm_up_steps=1,
    )
    return replace(recipe, **changes)


@pytest.mark.usefixtures("eagerly")
def test_a_run_trains_measures_and_keeps_the_best(tmp_path: Path) -> None:
    lines: list[str] = []
    recipe = small_recipe(tmp_path)
    best = train_retinaface(recipe, tmp_path / "runs" / "a", report=lines.append)
    log = [json.loads(line) for line in (tmp_path / "runs" / "a" / "log.jsonl").read_text().splitlines()]
    assert [row["round"] for row in log] == [0, 1, 2]
    # the first says what it started from
    assert len(lines) == 4
    assert "untrained: nothing" in lines[0]
    assert list((tmp_path / "runs" / "a" / "curves").iterdir())
    assert all(np.isfinite(row["losses"]["total"]) for row in log[1:])
    state = load_state(tmp_path / "runs" / "a" / "state.safetensors", recipe=state_text(recipe))
    assert state is not None
    assert state.step == 4
    assert RetinaFaceDetector(best.with_name("last.safetensors")).digest
    assert best.exists()


def test_held_out_pictures_are_not_learned_from(tmp_path: Path) -> None:
    training_set = TrainingSet(draw_set(tmp_path), 1.0, exhaustive_sources=("complete",), held_out=True)
    weights = made_up_weights(tmp_path / "w.safetensors")
    assert [picture.path.name for picture in held_out_pictures([training_set])] == ["1.png"]
    learned = load_set(training_set, teacher=weights, miner=None, cache=tmp_path).examples
    assert [example.path.name for example in learned] == ["0.png", "2.png", "3.png"]
    some = replace(training_set, sources=("complete",))
    learned = load_set(some, teacher=None, miner=None, cache=tmp_path).examples
    assert [example.path.name for example in learned] == ["3.png"]
    with pytest.raises(DataSetError, match="holds pictures out"):
        held_out_pictures([replace(training_set, held_out=False)])


def test_close_ups_take_their_points_from_the_labels_and_their_box_from_the_teacher() -> None:
    points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
    seen = faces_of(([10, 10, 45, 90], 0.95), ([30, 30, 70, 70], 0.9))
    example = landmark_example(picture_of([[0, 0, 99, 99]]), points, seen)
    np.testing.assert_array_equal(example.boxes_xyxy, [[30, 30, 70, 70]])
    np.testing.assert_array_equal(example.landmarks_xy, points[None])
    np.testing.assert_array_equal([*example.landmark_weights, *example.box_weights], [1, 1])
    np.testing.assert_array_equal(example.ignored_xyxy, [[10, 10, 45, 90]])


def test_close_ups_that_the_teacher_does_not_know_teach_points_and_no_box() -> None:
    points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
    example = landmark_example(picture_of([[0, 0, 99, 99]]), points, faces_of(([30, 30, 70, 70], 0.3)))
    np.testing.assert_array_equal([*example.landmark_weights, *example.box_weights], [1, 0])
    # 20 px from the eyes to the mouth: 42 px wide, 55 px high
    np.testing.assert_allclose(example.boxes_xyxy, [[28.8, 19.4, 71.2, 74.2]], atol=0.1)
    # in profile both eyes are in one place, and the face is no narrower for that
    assert (np.diff(box_around(np.array([[50, 50]] * 5, np.float32)).reshape(2, 2), axis=0) >= 2).all()


def stream_for(file: Path, first_step: int = 0, workers: int = 1) -> Any:
    examples = [face_example(picture, faces_of(), exhaustive=True) for picture in read_faces(file)]
    return batches(
        [LoadedSet(1.0, tuple(examples))],
        batch_size=2,
        side_px=64,
        seed=5,
        first_step=first_step,
        workers=workers,
    )


def test_batches_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    file = draw_set(tmp_path)
    one, other, late = stream_for(file), stream_for(file, workers=3), stream_for(file, first_step=3)
    first = [next(one) for _ in range(5)]
    for (pixels, targets), (same, same_targets) in zip(first, other, strict=False):
        np.testing.assert_array_equal(pixels, same)
        np.testing.assert_array_equal(targets["labels"], same_targets["labels"])
    np.testing.assert_array_equal(first[3][0], next(late)[0])
    assert (first[0][0] != first[1][0]).any()
    for stream in (one, other, late):
        stream.close()


@pytest.mark.usefixtures("eagerly")
def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    stream = stream_for(draw_set(tmp_path))
    seen = [next(stream) for _ in range(3)]
    stream.close()
    unbroken = learner_for()
    statistics = {name: value for name, value in tensors_of(unbroken.network).items() if "moving" in name}
    unbroken.learn(*seen[0])
    save_state(tmp_path / "state.safetensors", unbroken.state())
    losses = [unbroken.learn(*batch)["total"] for batch in seen[1:]]
    assert np.isfinite(losses).all()

    resumed = learner_for(seed=1)
    state = load_state(tmp_path / "state.safetensors", recipe="")
    assert state is not None
    resumed.resume(state)
    assert resumed.step == 1
    again = [resumed.learn(*batch)["total"] for batch in seen[1:]]
    np.testing.assert_allclose(again, losses, rtol=1e-3)
    for name, value in resumed.average.items():
        np.testing.assert_allclose(value, unbroken.average[name], atol=2e-4, err_msg=name)
    after = tensors_of(unbroken.network)
    for name, value in statistics.items():
        np.testing.assert_array_equal(after[name], value)


@pytest.mark.usefixtures("eagerly")
def test_a_diverging_run_stops(tmp_path: Path) -> None:
    stream = stream_for(draw_set(tmp_path))
    pixels, targets = next(stream)
    stream.close()
    with pytest.raises(TrainingError, match="not finite"):
        learner_for().learn(np.full_like(pixels, np.nan), targets)


def test_states_of_other_runs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    assert load_state(path, recipe="a") is None
    save_state(path, RunState({"network/x": np.zeros(3)}, step=3, best=0.5, recipe="a"))
    state = load_state(path, recipe="a")
    assert state is not None
    assert (state.step, state.best) == (3, 0.5)
    with pytest.raises(TrainingError, match="another recipe"):
        load_state(path, recipe="b")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(TrainingError, match="no state"):
        load_state(path, recipe="a")


def test_the_teacher_answers_once(tmp_path: Path) -> None:
    pictures = read_faces(draw_set(tmp_path / "data", 2))
    weights = made_up_weights(tmp_path / "w.safetensors")
    first = teacher_faces(pictures, weights, tmp_path / "cache")
    assert len(first) == 2
    pictures[0].path.unlink()  # the second time nobody looks
    again = teacher_faces(pictures, weights, tmp_path / "cache")
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)


def test_shipped_recipes_can_be_read() -> None:
    found = sorted(RECIPES.glob("retinaface*.yaml"))
    assert found
    for file in found:
        recipe = read_recipe(file, data=Path("data"), init=Path("init"))
        assert all(training_set.coco_file.parts[0] == "data" for training_set in recipe.sets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "list of sets"),
        ("sets: [", "no YAML"),
        ("{sets: [], source: s}", "at least one set"),
        ("{sets: [{share: 1}], source: s}", "coco_file"),
        ("{sets: [{coco_file: a, share: 1, colour: red}], source: s}", "colour"),
        ("{sets: [{coco_file: a, share: 1}], source: s, speed: 3}", "speed"),
        ("{sets: [{coco_file: a, share: 1}]}", "source"),
        ("{sets: [{coco_file: a, share: 1}], source: s, side_px: 100}", "multiple of 64"),
        ("{sets: [{coco_file: a, share: 1}], source: s, rounds: 0}", "rounds"),
        ("{sets: [{coco_file: a, share: 0}], source: s}", "share"),
        ("{sets: [{coco_file: a, share: 1, labels: hats}], source: s}", "hats"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {box: l3}}", "l3"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: 3}", "keys and values"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {classification: luck}}", "luck"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {focal_alpha: 1}}", "focal_alpha"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {box_beta: 0}}", "betas"),
        ("{sets: [{coco_file: a, share: 1}], source: s, matching: {background_iou: 0.5}}", "background_iou"),
        ("{sets: [{coco_file: a, share: 1}], source: s, matching: {least_anchors: 0}}", "least_anchors"),
        ("{sets: [{coco_file: a, share: 1}], source: s, backbone: vgg}", "vgg"),
    ],
)
def test_bad_recipes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(TrainingError, match=message):
        read_recipe(tmp_path / "r.yaml", data=tmp_path, init=tmp_path)


def test_without_initial_weights_a_recipe_must_say_what_to_build(tmp_path: Path) -> None:
    text = "{sets: [{coco_file: a, share: 1}], source: s%s}"
    (tmp_path / "r.yaml").write_text(text % "")
    with pytest.raises(TrainingError, match="needs a backbone"):
        read_recipe(tmp_path / "r.yaml", data=tmp_path)
    (tmp_path / "r.yaml").write_text(text % ", backbone: resnet50, matching: {positive_iou: 0.5}")
    recipe = read_recipe(tmp_path / "r.yaml", data=tmp_path)
    assert (recipe.backbone, recipe.matching.positive_iou, recipe.loss.box) == ("resnet50", 0.5, "smooth_l1")


def test_bad_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="cannot be read"):
        read_faces(tmp_path / "absent.json")
    for text in ("", "[]", "{}", '{"images": [], "annotations": [{}], "categories": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(DataSetError, match="no COCO file"):
            read_faces(tmp_path / "bad.json")
    file = draw_set(tmp_path / "data", 1)
    nobody = TrainingSet(file, 1.0, labels="heads", head_categories=("head",))
    with pytest.raises(DataSetError, match="nothing to learn"):
        load_set(nobody, teacher=made_up_weights(tmp_path / "w.safetensors"), miner=None, cache=tmp_path)
    with pytest.raises(TrainingError, match="need a teacher"):
        load_set(nobody, teacher=None, miner=None, cache=tmp_path)
    with pytest.raises(TrainingError, match="initial weights that find faces"):
        load_set(TrainingSet(file, 1.0, mining=1.0), teacher=None, miner=None, cache=tmp_path)
