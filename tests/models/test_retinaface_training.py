"""Training RetinaFace: labels, canvases, targets, the loss, and a run that is interrupted and continued."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retinaface_builders import made_up_tensors, made_up_weights

from models.errors import DataSetError, TrainingError
from models.evaluation.coco_faces import LabelledPicture, read_faces
from models.networks.boxes import decode_boxes, decode_landmarks
from models.retinaface.anchors import anchors_for
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.detector import RetinaFaceDetector
from models.retinaface.faces import Faces
from models.retinaface.network import build_retinaface
from models.training.retinaface import train_retinaface
from models.training.retinaface_augmentation import (
    LEAST_HEIGHT_PX,
    MIRRORED_LANDMARKS,
    Canvas,
    change_light,
    draw_canvas,
    draw_tile,
    turned_boxes,
)
from models.training.retinaface_checkpoint import RunState, load_state, save_state
from models.training.retinaface_examples import FaceExample, face_example, head_example, landmark_example
from models.training.retinaface_learner import Learner
from models.training.retinaface_loss import retinaface_loss
from models.training.retinaface_recipe import RetinaFaceRecipe, read_recipe
from models.training.retinaface_sets import TrainingSet, batches, held_out_pictures, load_examples
from models.training.retinaface_targets import targets_for
from models.training.retinaface_teacher import teacher_faces
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors, tensors_of

RECIPES = Path(__file__).parents[2] / "models" / "training" / "recipes"
NOTHING = np.zeros((0, 4), np.float32)


def draw_set(folder: Path, count: int = 4) -> Path:
    """A COCO file of pictures with discs for faces."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    images, annotations = [], []
    for number in range(count):
        canvas = rng.integers(40, 90, (160, 200, 3)).astype(np.uint8)
        for _ in range(2):
            x, y, radius = int(rng.integers(40, 160)), int(rng.integers(40, 120)), int(rng.integers(12, 30))
            cv2.circle(canvas, (x, y), radius, (120, 160, 230), -1)
            box = [x - radius, y - radius, 2 * radius, 2 * radius]
            annotations.append({"image_id": number, "category_id": 1 + number % 2, "bbox": box})
        cv2.imwrite(str(folder / f"{number}.png"), canvas)
        source = "complete" if number % 2 else "gappy"
        # group 18 is one of the ten per cent that are held out, 0 is not
        group = 18 if number < 2 else 0
        row = {"id": number, "file_name": f"{number}.png", "source": source, "group": group}
        images.append(row | {"width": 200, "height": 160})
    categories = [{"id": 1, "name": "face_with_mask"}, {"id": 2, "name": "face_without_mask"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "set.json").write_text(json.dumps(content))
    return folder / "set.json"


def picture_of(boxes: list[list[float]], category: str = "face_with_mask") -> LabelledPicture:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return LabelledPicture(Path("a.png"), "x", "a", (100, 100), array, (category,) * len(array))


def faces_of(*rows: tuple[list[float], float]) -> Faces:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return Faces(boxes, np.array([row[1] for row in rows]), np.repeat(centres[:, None], 5, axis=1))


def canvas_of(boxes: Any, ignored: Any = NOTHING, side: int = 128) -> Canvas:
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    points = np.repeat(((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None], 5, axis=1)
    return Canvas(
        np.zeros((side, side, 3), np.uint8),
        boxes,
        points,
        np.ones(len(boxes), np.bool_),
        np.array(ignored, np.float32).reshape(-1, 4),
    )


def test_the_teacher_supplies_landmarks_and_what_was_skipped() -> None:
    picture = picture_of([[10, 10, 30, 30], [60, 60, 80, 80]])
    seen = faces_of(([11, 11, 31, 31], 0.9), ([60, 60, 80, 80], 0.3), ([40, 10, 50, 20], 0.4))
    example = face_example(picture, seen, exhaustive=False)
    np.testing.assert_array_equal(example.has_landmarks, [True, False])
    np.testing.assert_array_equal(example.landmarks_xy[0, 0], [21, 21])
    np.testing.assert_array_equal(example.ignored_xyxy, [[40, 10, 50, 20]])
    assert len(face_example(picture, seen, exhaustive=True).ignored_xyxy) == 0
    assert not face_example(picture, faces_of(), exhaustive=False).has_landmarks.any()


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


@settings(max_examples=50)
@given(
    angle=st.floats(-180, 180),
    scale=st.floats(0.1, 3),
    shift=st.tuples(st.floats(-99, 99), st.floats(-99, 99)),
)
def test_turned_boxes_hold_the_turned_ellipse(angle: float, scale: float, shift: tuple[float, float]) -> None:
    box = np.array([[10.0, 20.0, 50.0, 90.0]])
    radians = np.deg2rad(angle)
    turn = scale * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    matrix = np.concatenate([turn, np.array(shift)[:, None]], axis=1)
    around = np.linspace(0, 2 * np.pi, 2000)
    ellipse = np.stack([30 + 20 * np.cos(around), 55 + 35 * np.sin(around)], axis=1) @ turn.T + shift
    expected = np.concatenate([ellipse.min(axis=0), ellipse.max(axis=0)])
    np.testing.assert_allclose(turned_boxes(box, matrix)[0], expected, atol=1e-3 * scale * 35)


def test_tiles_show_their_faces_where_their_boxes_say(tmp_path: Path) -> None:
    canvas = np.full((300, 300, 3), 30, np.uint8)
    cv2.circle(canvas, (100, 150), 40, (255, 255, 255), -1)
    cv2.circle(canvas, (85, 140), 6, (0, 0, 255), -1)  # the left eye as seen, in BGR: red
    cv2.imwrite(str(tmp_path / "a.png"), canvas)
    box = np.array([[60, 110, 140, 190]], np.float32)
    points = np.array([[[85, 140], [115, 140], [100, 150], [90, 170], [110, 170]]], np.float32)
    example = FaceExample(tmp_path / "a.png", box, points, np.ones(1, np.bool_), NOTHING, box)
    seen = mirrored = 0
    for seed in range(40):
        tile = draw_tile(example, np.random.default_rng(seed), 256, heights_px=(40, 120))
        if len(tile.boxes_xyxy) == 0 or not tile.has_landmarks[0]:
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
    assert len(one.boxes_xyxy) == len(one.landmarks_xy) == len(one.has_landmarks)


def test_light_changes_but_stays_a_picture() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    changed = [change_light(grey, np.random.default_rng(seed)) for seed in range(60)]
    assert all(image.shape == grey.shape and image.dtype == np.uint8 for image in changed)
    means = np.array([image.mean() for image in changed])
    assert means.std() > 10
    assert 60 < means.mean() < 200


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(12, 120), st.floats(0.7, 1.4)),
        min_size=1,
        max_size=4,
    )
)
def test_every_face_has_an_anchor_and_anchors_lead_back(
    rows: list[tuple[float, float, float, float]],
) -> None:
    boxes = np.array([[x, y, x + side, y + side * aspect] for x, y, side, aspect in rows], np.float32)
    boxes = np.clip(boxes, 0, 256)
    boxes = boxes[((boxes[:, 2:] - boxes[:, :2]) >= 12).all(axis=1)]
    anchors = anchors_for((256, 256))
    targets = targets_for(canvas_of(boxes, side=256), anchors)
    positive = targets.labels == 1
    back = np.asarray(
        decode_boxes(keras.ops.array(targets.box_deltas[positive]), keras.ops.array(anchors[positive]))
    )
    distances = np.abs(back[:, None] - boxes[None]).max(axis=2)
    assert (distances.min(axis=1, initial=np.inf) < 0.1).all() or len(boxes) == 0
    nearest = set(distances.argmin(axis=1).tolist()) if len(boxes) else set()
    distinct = {tuple(box) for box in boxes.tolist()}
    if len(distinct) == 1:
        assert nearest
    points = np.asarray(
        decode_landmarks(
            keras.ops.array(targets.landmark_deltas[positive]), keras.ops.array(anchors[positive])
        )
    )
    np.testing.assert_allclose(points[:, 0], (back[:, :2] + back[:, 2:]) / 2, atol=0.1)
    np.testing.assert_array_equal(targets.landmark_weights, positive)


def test_two_faces_far_apart_both_have_anchors_and_ignored_ones_have_none() -> None:
    anchors = anchors_for((128, 128))
    targets = targets_for(canvas_of([[8, 8, 24, 26], [80, 80, 120, 124]], [[60, 4, 90, 40]]), anchors)
    centres = anchors[targets.labels == 1, :2]
    assert (centres < 40).all(axis=1).any()
    assert (centres > 70).all(axis=1).any()
    ignored = anchors[targets.labels == -1]
    assert len(ignored) > 0
    assert ((ignored[:, 0] > 50) & (ignored[:, 1] < 60)).all()
    assert (targets.labels == 0).sum() > len(anchors) / 2
    empty = targets_for(canvas_of([]), anchors)
    assert (empty.labels == 0).all()
    assert (empty.landmark_weights == 0).all()


def loss_of(
    logits: Any, labels: Any, boxes: float = 0.0, landmarks: float = 0.0, weights: Any = None
) -> dict:
    logits, labels = np.array([logits], np.float32), np.array([labels], np.float32)
    count = labels.shape[1]
    outputs = {
        "face_logits": logits,
        "box_deltas": np.full((1, count, 4), boxes, np.float32),
        "landmark_deltas": np.full((1, count, 10), landmarks, np.float32),
    }
    targets = {
        "labels": labels,
        "box_deltas": np.zeros((1, count, 4), np.float32),
        "landmark_deltas": np.zeros((1, count, 10), np.float32),
        "landmark_weights": np.zeros((1, count), np.float32)
        if weights is None
        else np.array([weights], np.float32),
    }
    return {name: float(value) for name, value in retinaface_loss(outputs, targets).items()}


def test_the_loss_by_hand() -> None:
    # one face of probability 1/2, one background of probability 1/2, one ignored that is wrong with certainty
    losses = loss_of([[0, 0], [0, 0], [-50, 50]], [1, 0, -1], boxes=0.5, landmarks=3.0, weights=[1.0, 0, 0])
    assert losses["class"] == pytest.approx(2 * np.log(2), rel=1e-5)
    assert losses["box"] == pytest.approx(4 * 0.125)
    assert losses["landmark"] == pytest.approx(10 * 2.5)
    assert losses["total"] == pytest.approx(losses["class"] + 2 * losses["box"] + losses["landmark"])


def test_only_the_hardest_background_counts() -> None:
    easy, hard = [0.0, -4.0], [0.0, 2.0]
    labels = [1] * 8 + [0] * 500
    losses = loss_of([[0, 30]] * 8 + [hard] * 56 + [easy] * 444, labels)
    assert losses["class"] == pytest.approx(7 * np.log1p(np.exp(2)), rel=1e-4)
    # images without faces still teach, and nothing is divided by zero
    losses = loss_of([hard] * 100, [0] * 100)
    assert losses["class"] == pytest.approx(32 * np.log1p(np.exp(2)), rel=1e-4)
    assert loss_of([hard] * 100, [-1] * 100)["total"] == 0


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


def test_a_run_trains_measures_and_keeps_the_best(tmp_path: Path) -> None:
    lines: list[str] = []
    recipe = small_recipe(tmp_path)
    best = train_retinaface(recipe, tmp_path / "runs" / "a", report=lines.append)
    log = [json.loads(line) for line in (tmp_path / "runs" / "a" / "log.jsonl").read_text().splitlines()]
    assert [row["round"] for row in log] == [0, 1, 2]
    assert len(lines) == 3
    assert all(np.isfinite(row["losses"]["total"]) for row in log[1:])
    state = load_state(tmp_path / "runs" / "a" / "state.safetensors", recipe=_text_of(recipe))
    assert state is not None
    assert state.step == 4
    assert RetinaFaceDetector(best.with_name("last.safetensors")).digest
    assert (state.best > 0) == best.exists()


def _text_of(recipe: RetinaFaceRecipe) -> str:
    from dataclasses import asdict  # noqa: PLC0415

    from models.training.retinaface_checkpoint import recipe_text  # noqa: PLC0415

    return recipe_text(asdict(recipe) | {"init": load_weights(recipe.init).digest})


def test_held_out_pictures_are_not_learned_from(tmp_path: Path) -> None:
    training_set = TrainingSet(draw_set(tmp_path), 1.0, exhaustive_sources=("complete",), held_out=True)
    weights = made_up_weights(tmp_path / "w.safetensors")
    assert [picture.path.name for picture in held_out_pictures([training_set])] == ["1.png"]
    learned = load_examples(training_set, teacher=weights, cache=tmp_path)
    assert [example.path.name for example in learned] == ["0.png", "2.png", "3.png"]
    with pytest.raises(DataSetError, match="holds pictures out"):
        held_out_pictures([replace(training_set, held_out=False)])


def test_close_ups_take_their_points_from_the_labels_and_their_box_from_the_teacher() -> None:
    points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
    seen = faces_of(([10, 10, 45, 90], 0.95), ([30, 30, 70, 70], 0.9))
    example = landmark_example(picture_of([[0, 0, 99, 99]]), points, seen)
    np.testing.assert_array_equal(example.boxes_xyxy, [[30, 30, 70, 70]])
    np.testing.assert_array_equal(example.landmarks_xy, points[None])
    assert example.has_landmarks.all()
    np.testing.assert_array_equal(example.ignored_xyxy, [[10, 10, 45, 90]])
    unsure = landmark_example(picture_of([[0, 0, 99, 99]]), points, faces_of(([30, 30, 70, 70], 0.3)))
    assert len(unsure.subjects_xyxy) == 0


def learner_for(seed: int = 0, **changes: Any) -> Learner:
    network = build_retinaface(RetinaFaceConfig())
    assign_tensors(network, made_up_tensors(RetinaFaceConfig(), seed), origin="made up")
    arguments: dict[str, Any] = {
        "steps": 20,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "warm_up_steps": 2,
        "average_decay": 0.9,
    } | changes
    return Learner(network, **arguments)


def stream_for(file: Path, first_step: int = 0, workers: int = 1) -> Any:
    examples = [face_example(picture, faces_of(), exhaustive=True) for picture in read_faces(file)]
    return batches(
        [examples], [1.0], batch_size=2, side_px=64, seed=5, first_step=first_step, workers=workers
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


def test_it_learns_and_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    stream = stream_for(draw_set(tmp_path))
    seen = [next(stream) for _ in range(6)]
    stream.close()
    unbroken = learner_for()
    statistics = {name: value for name, value in tensors_of(unbroken.network).items() if "moving" in name}
    losses = [unbroken.learn(*batch)["total"] for batch in seen[:3]]
    save_state(tmp_path / "state.safetensors", unbroken.state())
    losses += [unbroken.learn(*batch)["total"] for batch in seen[3:]]
    assert np.isfinite(losses).all()

    resumed = learner_for(seed=1)
    state = load_state(tmp_path / "state.safetensors", recipe="")
    assert state is not None
    resumed.resume(state)
    assert resumed.step == 3
    again = [resumed.learn(*batch)["total"] for batch in seen[3:]]
    np.testing.assert_allclose(again, losses[3:], rtol=1e-3)
    for name, value in resumed.average.items():
        np.testing.assert_allclose(value, unbroken.average[name], atol=2e-3, err_msg=name)

    for _ in range(12):
        last = unbroken.learn(*seen[0])["total"]
    assert last < 0.7 * losses[0]
    for name, value in statistics.items():
        np.testing.assert_array_equal(tensors_of(unbroken.network)[name], value)


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
    ],
)
def test_bad_recipes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(TrainingError, match=message):
        read_recipe(tmp_path / "r.yaml", data=tmp_path, init=tmp_path)


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
        load_examples(nobody, teacher=made_up_weights(tmp_path / "w.safetensors"), cache=tmp_path)
