"""The face pipeline's figures, counted by hand and against published ways to count."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_sets import FACES, IMAGE_HW, INCORRECT, NAMES, WITH, WITHOUT, Answer, ToldPipeline, write_face_set
from mask_state_builders import made_up_mask_state_weights
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from retinaface_builders import made_up_weights

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.errors import DataSetError
from models.evaluation import pipeline
from models.evaluation.face_labels import face_labels, match_faces
from models.evaluation.pipeline import Pipeline, look, read_face_pictures
from models.evaluation.pipeline_counts import (
    Identified,
    identified_by_mask,
    identified_by_state,
    pipeline_rates,
    pipeline_roc,
)
from models.evaluation.pipeline_faces import PipelineFaces, SeenPicture, pipeline_faces, seen_picture
from models.evaluation.pipeline_figures import pipeline_figures
from models.evaluation.pipeline_precision import WeightedPrecision, face_precision, state_precision
from models.structures import Detections

MASKED, BARE, WRONG = (0.9, 0.08, 0.02), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6)

#: By picture. Of three masked faces one is right, one is called bare, one is missed; of three bare ones two are
#: right (one of them called wrongly worn, which alarms too) and one is found too loosely; the wrongly worn one is
#: right.
ANSWERS: dict[int, list[Answer]] = {
    0: [([10, 10, 20, 18], 0.9, MASKED), ([51, 51, 40, 40], 0.8, BARE), ([170, 70, 20, 20], 0.7, BARE)],
    1: [([30, 5, 80, 88], 0.95, WRONG), ([130, 20, 40, 40], 0.6, WRONG), ([128, 18, 40, 40], 0.55, MASKED)],
    2: [([60, 20, 30, 40], 0.9, BARE), ([10, 22, 24, 24], 0.8, BARE), ([100, 60, 20, 20], 0.1, MASKED)],
}


def seen_of(folder: Path, answers: dict[int, list[Answer]], **options: Any) -> list[SeenPicture]:
    pictures = read_face_pictures([write_face_set(folder, crowd=options.pop("crowd", False))])
    told = Pipeline("told", ToldPipeline(answers))
    return look(told, pictures, input_size_px=options.pop("input_size_px", 416), **options)


def faces_of(folder: Path, answers: dict[int, list[Answer]], **options: Any) -> PipelineFaces:
    return pipeline_faces(seen_of(folder, answers, **options), score_threshold=0.5)


def test_counts_by_hand(tmp_path: Path) -> None:
    faces = faces_of(tmp_path, ANSWERS)
    assert identified_by_mask(faces) == (Identified(1, 1, 1), Identified(2, 0, 1, loose=1))
    assert identified_by_state(faces) == (
        Identified(1, 1, 1),
        Identified(1, 1, 1, loose=1),
        Identified(1, 0, 0),
    )
    np.testing.assert_array_equal(faces.confusion(), [[1, 1, 0, 1], [0, 1, 1, 1], [0, 0, 1, 0]])
    rates = pipeline_rates(faces)
    # missed faces count among the labelled ones, as in 118 of 136 and 5 of 115
    assert rates.tnr == pytest.approx(2 / 3)
    assert rates.fnr == pytest.approx(1 / 3)
    assert (rates.tnr_found, rates.fnr_found) == pytest.approx((1, 1 / 2))
    assert rates.accuracy == pytest.approx(3 / 7)
    assert rates.found == pytest.approx(5 / 7)
    assert rates.incorrect_alarms == 1
    # the one away, the one found a second time, the loose one; not the one of low score
    assert (int(faces.false.sum()), int(faces.away.sum())) == (3, 1)


def test_the_published_table_gives_the_published_rates() -> None:
    """118 right, 9 wrong, 9 missed of 136 unmasked; 105, 5, 5 of 115 masked: 87 % and 4 %."""
    states = np.repeat([1, 0], [136, 115])
    calls = np.repeat([1, 0, -1, 0, 1, -1], [118, 9, 9, 105, 5, 5])
    probs = np.array([[0.9, 0.1, 0], [0.1, 0.9, 0], [0, 0, 0]])[calls]
    none = np.zeros(0)
    faces = PipelineFaces(
        1,
        np.zeros(251, np.int64),
        states,
        np.full(251, 30.0),
        np.full(251, 30.0),
        calls >= 0,
        probs,
        np.zeros(251),
        none.astype(np.int64),
        none.astype(np.int64),
        none.astype(bool),
        none.astype(bool),
    )
    rates = pipeline_rates(faces)
    assert (round(rates.tnr or 0, 2), round(rates.fnr or 0, 2)) == (0.87, 0.04)
    assert identified_by_mask(faces) == (Identified(105, 5, 5), Identified(118, 9, 9))


def test_small_faces_and_ignored_regions_are_neither_hit_nor_miss(tmp_path: Path) -> None:
    answers = {
        # on the face of 10 px; a small one away from everything; in the crowd; a large one away from everything
        0: [
            ([120, 10, 10, 10], 0.9, BARE),
            ([0, 80, 10, 12], 0.9, BARE),
            ([150, 60, 30, 30], 0.9, BARE),
            ([100, 60, 25, 25], 0.9, BARE),
        ]
    }
    faces = faces_of(tmp_path, answers, least_height_px=20, crowd=True)
    assert len(faces.states) == 6
    assert not faces.found.any()
    assert (len(faces.false), int(faces.false.sum())) == (4, 1)
    everything = faces_of(tmp_path, answers, crowd=True)
    assert (len(everything.states), int(everything.found.sum()), int(everything.false.sum())) == (7, 1, 2)


def test_heights_are_those_of_the_picture_and_of_the_input(tmp_path: Path) -> None:
    faces = faces_of(tmp_path, ANSWERS, input_size_px=416)
    np.testing.assert_allclose(faces.heights_px, [20, 40, 10, 90, 40, 40, 24])
    np.testing.assert_allclose(faces.input_heights_px, 2.08 * faces.heights_px)
    figures = pipeline_figures(
        "told",
        seen_of(tmp_path, ANSWERS),
        digests={},
        input_size_px=416,
        score_threshold=0.5,
        samples=0,
        seed=1,
    )
    assert {group.title: group.labelled for group in figures.heights} == {
        "0 to 12 px": 1,
        "20 to 24 px": 1,
        "24 to 32 px": 1,
        "32 to 64 px": 3,
        "64 px and more": 1,
    }
    assert sum(group.labelled for group in figures.input_heights) == 7
    assert figures.intervals == {}


def test_missed_faces_count_as_masked_in_the_curve(tmp_path: Path) -> None:
    faces = faces_of(tmp_path, ANSWERS)
    curve = pipeline_roc(faces, found_only=False)
    assert curve is not None
    # 1 - P(mask): masked 0.1, 0.9, missed; bare 0.9, 0.8, missed. The missed ones come last, together
    np.testing.assert_allclose(curve.false_positive_rate, [0, 1 / 3, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(curve.true_positive_rate, [0, 1 / 3, 2 / 3, 2 / 3, 1])
    assert curve.at(0.5) == pytest.approx((1 / 3, 2 / 3))
    alone = pipeline_roc(faces, found_only=True)
    assert alone is not None
    # pairs of a bare and a masked one: 0.9 with 0.1 and (tied) 0.9, 0.8 with 0.1 and not 0.9
    assert alone.area == pytest.approx((1 + 0.5 + 1 + 0) / 4)
    assert curve.area == pytest.approx((1 + 0.5 + 1 + 1 + 0 + 1 + 0 + 0 + 0.5) / 9)
    assert pipeline_roc(faces.chosen(faces.states == 0), found_only=False) is None


def published_precision(seen: list[SeenPicture], state: int) -> np.ndarray:
    """Average precision by IoU threshold as pycocotools gives it, or all -1."""
    truth, found = [], []
    for index, one in enumerate(seen, start=1):
        for box, other in zip(one.labels.boxes_xyxy, one.labels.states, strict=True):
            x, y, right, bottom = box.tolist()
            row = {"bbox": [x, y, right - x, bottom - y], "area": (right - x) * (bottom - y), "iscrowd": 0}
            truth.append(row | {"id": len(truth) + 1, "image_id": index, "category_id": int(other)})
        scores = one.detections.scores * one.detections.face_mask_probs[:, state]
        if one.detections.sharpness is not None:
            scores = scores * one.detections.sharpness
        for box, score in zip(one.detections.boxes_xyxy.astype(np.float64), scores, strict=True):
            x, y, right, bottom = np.clip(box, 0, [*IMAGE_HW[::-1]] * 2).tolist()
            found.append(
                {
                    "bbox": [x, y, right - x, bottom - y],
                    "image_id": index,
                    "category_id": state,
                    "score": float(score),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": index + 1} for index in range(len(seen))],
            "categories": [{"id": index, "name": name} for index, name in enumerate(NAMES)],
            "annotations": truth,
        }
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(found), "bbox")
        run.params.catIds = [state]
        run.evaluate()
        run.accumulate()
    return run.eval["precision"][:, :, 0, 0, 2].mean(axis=1)


def random_seen(seed: int, pictures: int, *, blurred: bool = False) -> list[SeenPicture]:
    draw = np.random.default_rng(seed)
    seen = []
    for index in range(pictures):
        corners = draw.uniform(0, 60, (6, 2))
        boxes = np.concatenate([corners, corners + draw.uniform(10, 40, (6, 2))], axis=1)
        objects = tuple(
            AnnotatedObject(NAMES[int(draw.integers(3))], tuple(float(value) for value in box))
            for box in boxes
        )
        near = boxes.repeat(2, axis=0) + draw.normal(0, 3, (12, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        probs = draw.dirichlet([0.5] * 3, 12).astype(np.float32)
        detections = Detections(
            IMAGE_HW,
            near.astype(np.float32),
            draw.random(12, np.float32),
            probs.argmax(1).astype(np.int32),
            face_mask_probs=probs,
            sharpness=draw.random(12, np.float32) if blurred else None,
        )
        seen.append(seen_picture(AnnotatedPicture(Path(f"{index}.png"), IMAGE_HW, objects), detections))
    return seen


@pytest.mark.parametrize("blurred", [False, True])
def test_average_precision_agrees_with_pycocotools(*, blurred: bool) -> None:
    seen = random_seen(5, 8, blurred=blurred)
    for state in range(3):
        np.testing.assert_allclose(
            state_precision(seen, state).by_threshold, published_precision(seen, state), atol=1e-6
        )
    assert face_precision(seen).labels == 48


def test_a_sample_of_the_bootstrap_is_the_pictures_counted_so_often() -> None:
    seen = random_seen(6, 6)
    weights = np.array([2.0, 0, 1, 3, 0, 0])
    drawn = [one for one, count in zip(seen, weights, strict=True) for _ in range(int(count))]
    for state in range(3):
        samples = state_precision(seen, state).samples
        assert isinstance(samples, WeightedPrecision)
        np.testing.assert_allclose(
            samples.by_threshold(weights), state_precision(drawn, state).by_threshold, atol=1e-12
        )
        np.testing.assert_allclose(
            samples.by_threshold(np.ones(6)), state_precision(seen, state).by_threshold, atol=1e-12
        )
    faces, twice = (pipeline_faces(many, score_threshold=0.5) for many in (seen, drawn))
    assert pipeline_rates(faces, weights) == pytest.approx(pipeline_rates(twice))
    np.testing.assert_allclose(faces.confusion(weights), twice.confusion())


def test_intervals_are_the_same_for_the_same_seed_and_hold_the_figure() -> None:
    seen = random_seen(7, 12)

    def figures(seed: int) -> Any:
        return pipeline_figures(
            "x", seen, digests={}, input_size_px=None, score_threshold=0.3, samples=40, seed=seed
        )

    first, again, other = figures(1), figures(1), figures(2)
    assert first.intervals == again.intervals
    assert first.intervals != other.intervals
    for name, interval in first.intervals.items():
        value = first.headline[name]
        assert interval.low <= value <= interval.high, name


def test_a_label_is_found_once_and_the_nearest_is_told() -> None:
    picture = AnnotatedPicture(
        Path("a.png"),
        IMAGE_HW,
        (AnnotatedObject(WITH, (0, 0, 20, 20)), AnnotatedObject("hat", (50, 50, 90, 90))),
    )
    labels = face_labels(picture)
    assert labels.states.tolist() == [0]
    boxes = np.array([[0, 0, 20, 20], [0, 0, 20, 18], [0, 10, 20, 30]], np.float64)
    matches = match_faces(boxes, np.array([0.6, 0.9, 0.8], np.float32), labels)
    assert matches.label_of.tolist() == [-1, 0, -1]
    assert matches.found_by.tolist() == [1]
    np.testing.assert_allclose(matches.nearest_iou, [1.0])
    np.testing.assert_allclose(matches.best_iou, [1, 0.9, 1 / 3])


def test_sets_without_states_are_refused(tmp_path: Path) -> None:
    file = write_face_set(tmp_path)
    file.write_text(file.read_text().replace("face_", "head_"))
    with pytest.raises(DataSetError, match="nothing is labelled"):
        read_face_pictures([file])


def test_the_command_prints_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_face_set(tmp_path)
    arguments = [
        str(file),
        *("--detector", str(made_up_weights(tmp_path / "w.safetensors"))),
        *("--classifier", str(made_up_mask_state_weights(tmp_path / "c.safetensors"))),
        *("--input-size", "96", "64", "--least-height", "12", "--min-score", "0.4", "--bootstrap", "5"),
        *("--out", str(tmp_path / "page"), "--json", str(tmp_path / "figures.json"), "--device", "cpu"),
    ]
    assert pipeline.main(arguments) == 0
    out = capsys.readouterr().out
    assert "TNR" in out
    assert "faces of 12 px and more" in out
    content = json.loads((tmp_path / "figures.json").read_text())
    assert [row["input_size_px"] for row in content["pipelines"]] == [96, 64]
    assert (
        sum(
            one["missed"] + one["right"] + one["wrong"]
            for one in content["pipelines"][0]["identified"].values()
        )
        == sum(map(len, FACES)) - 1
    )
    assert set(content["pipelines"][0]["digests"]) == {"retinaface", "mask_state"}
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 7
    assert 'src="' in page
    assert all(part.startswith("data:") for part in page.split('src="')[1:])
    assert {WITHOUT, INCORRECT} <= set(
        page.replace("<td", " <td").replace(">", " ").replace("<", " ").split()
    )
    assert pipeline.main([str(tmp_path / "absent.json")]) == 1
    assert "absent.json" in capsys.readouterr().err
