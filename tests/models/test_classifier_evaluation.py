"""The classifier's report against scikit-learn; boxes and folders as data sets; the command."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from face_sets import FACES, write_face_set
from mask_state_builders import made_up_mask_state_tensors, made_up_mask_state_weights
from retinaface_builders import made_up_weights

from models.data.readers import read_pictures
from models.errors import DataSetError
from models.evaluation import classifier
from models.evaluation.classification import classification_report
from models.evaluation.classifier_faces import JudgedSet, faces_to_judge, judge_faces
from models.evaluation.classifier_figures import classifier_figures, classifier_tables
from models.evaluation.tables import as_text
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import CropGeometry
from models.mask_state.network import ARCHITECTURE, KINDS, MaskStateConfig
from models.weights import save_weights


def judged_at_random(seed: int, states: int, kinds: bool) -> JudgedSet:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, states, 60)
    probs = draw.dirichlet([0.4] * 3, 60)
    probs[np.arange(60), labels] += 0.5
    return JudgedSet(
        pictures=20,
        picture_of=draw.integers(0, 20, 60),
        labels=labels,
        kinds=np.where(labels == 0, draw.integers(0, 3, 60), -1),
        heights_px=draw.uniform(8, 90, 60),
        probs=probs / probs.sum(axis=1, keepdims=True),
        kind_probs=draw.dirichlet([0.4] * 3, 60) if kinds else None,
        located=np.ones(60, np.bool_),
    )


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed: int) -> None:
    judged = judged_at_random(seed, 3, kinds=True)
    figures = classifier_figures("x", judged, samples=10, seed=1)
    answers = judged.probs.argmax(axis=1)
    theirs = sklearn.metrics.classification_report(judged.labels, answers, output_dict=True)
    report = figures.report
    for state in range(3):
        row = theirs[str(state)]
        ours = (report.precision[state], report.recall[state], report.f1[state], report.support[state])
        assert ours == pytest.approx(tuple(row.values()))
    assert report.accuracy == pytest.approx(theirs["accuracy"])
    assert report.macro_f1 == pytest.approx(theirs["macro avg"]["f1-score"])
    assert report.weighted_f1 == pytest.approx(theirs["weighted avg"]["f1-score"])
    np.testing.assert_array_equal(report.confusion, sklearn.metrics.confusion_matrix(judged.labels, answers))
    area = sklearn.metrics.roc_auc_score(judged.labels, judged.probs, multi_class="ovr", average="macro")
    assert figures.roc_auc == pytest.approx(area)
    assert figures.kinds is not None
    known = judged.kinds >= 0
    assert figures.kinds.accuracy == pytest.approx(
        sklearn.metrics.accuracy_score(judged.kinds[known], judged.kind_probs[known].argmax(axis=1))
    )
    interval = figures.intervals["macro F1"]
    assert interval.low <= report.macro_f1 <= interval.high


def test_a_set_of_two_states_is_asked_which_of_these_is_likelier() -> None:
    judged = judged_at_random(4, 2, kinds=False)
    figures = classifier_figures("x", judged, samples=0, seed=1)
    assert figures.classes == ("face_with_mask", "face_without_mask")
    expected = judged.probs[:, :2].argmax(axis=1)
    np.testing.assert_array_equal(
        figures.report.confusion, sklearn.metrics.confusion_matrix(judged.labels, expected)
    )
    assert figures.roc is not None
    assert figures.roc.area == pytest.approx(
        sklearn.metrics.roc_auc_score(judged.labels, 1 - judged.probs[:, 0])
    )
    assert figures.kinds is None
    assert "macro avg" in as_text(classifier_tables([figures]))


def test_classes_that_do_not_occur_are_left_out_of_the_mean() -> None:
    report = classification_report(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert report.support.tolist() == [2, 1, 0]
    assert report.macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert classification_report(np.zeros(0, int), np.zeros(0, int), 2).weighted_f1 == 0


def test_faces_of_boxes_and_of_whole_pictures(tmp_path: Path) -> None:
    pictures = read_pictures(write_face_set(tmp_path))
    faces = faces_to_judge(pictures, {"face_mask_incorrect": None}, origin="set")
    assert [(face.picture, face.label) for face in faces] == [(0, 0), (0, 1), (0, 0), (1, 1), (2, 0), (2, 1)]
    with pytest.raises(DataSetError, match="no faces with a state"):
        faces_to_judge([], {}, origin="set")
    judge = MaskStateClassifier(made_up_mask_state_weights(tmp_path / "c.safetensors"), device="cpu")
    judged = judge_faces(judge, pictures, faces)
    np.testing.assert_allclose(judged.heights_px, [20, 40, 10, 90, 40, 24])
    # the same square of the picture, whoever says so
    whole = [type(faces[0])(2, 0, -1, None)]
    found = judge_faces(
        judge, pictures, whole, find=lambda picture: np.array([[0, 0, 9, 9], [60, 20, 90, 60]], np.float32)
    )
    np.testing.assert_allclose(found.probs[0], judged.probs[4], atol=1e-6)
    assert found.located.all()
    missed = judge_faces(judge, pictures, whole, find=lambda picture: np.zeros((0, 4), np.float32))
    assert not missed.located.any()


def test_the_kind_of_mask_is_measured_where_the_weights_tell_it(tmp_path: Path) -> None:
    network, crops = MaskStateConfig(size_px=64, kinds=True), CropGeometry(size_px=64)
    config = {"network": network.to_mapping(), "crops": crops.to_mapping(), "temperature": 1.0}
    file = tmp_path / "kinds.safetensors"
    tensors = made_up_mask_state_tensors(network)
    save_weights(file, tensors, architecture=ARCHITECTURE, config=config, source="made up")
    for name, number in (("surgical", 0), ("n95", 1), ("cloth", 2), ("no_mask", 3)):
        write_face_set(tmp_path)
        (tmp_path / "crops" / name).mkdir(parents=True)
        shutil.copy(tmp_path / f"{number % 3}.png", tmp_path / "crops" / name)
    pictures = read_pictures(tmp_path / "crops")
    faces = faces_to_judge(pictures, {}, origin="crops")
    assert sorted((face.label, face.kind) for face in faces) == [(0, 0), (0, 1), (0, 2), (1, -1)]
    judged = judge_faces(MaskStateClassifier(file, device="cpu"), pictures, faces)
    assert judged.kind_probs is not None
    figures = classifier_figures("crops", judged, samples=0, seed=1)
    assert figures.kinds is not None
    assert figures.kinds.support.tolist() == [1, 1, 1]
    assert "respirator" in as_text(classifier_tables([figures]))


def test_the_command_reads_boxes_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_face_set(tmp_path)
    for name, number in (("with_mask", 0), ("surgical", 1), ("no_mask", 2)):
        (tmp_path / "crops" / name).mkdir(parents=True)
        shutil.copy(tmp_path / f"{number}.png", tmp_path / "crops" / name)
    arguments = [
        *(str(file), str(tmp_path / "crops"), "--bootstrap", "5", "--detector-size", "64", "--device", "cpu"),
        *("--weights", str(made_up_mask_state_weights(tmp_path / "c.safetensors"))),
        *("--detector", str(made_up_weights(tmp_path / "w.safetensors"))),
        *("--out", str(tmp_path / "page"), "--json", str(tmp_path / "figures.json")),
    ]
    assert classifier.main(arguments) == 0
    assert "weighted avg" in capsys.readouterr().out
    boxes, crops, total = json.loads((tmp_path / "figures.json").read_text())["sets"]
    assert (boxes["faces"], crops["faces"], total["faces"]) == (sum(map(len, FACES)), 3, 10)
    assert len(crops["classes"]) == 2
    assert total["name"] == "total"
    assert len(KINDS) == 3
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    (tmp_path / "crops" / "hats").mkdir()
    shutil.copy(tmp_path / "0.png", tmp_path / "crops" / "hats")
    assert classifier.main(arguments) == 1
    assert "hats" in capsys.readouterr().err
    assert classifier.main([*arguments, "--class", "hats=", "--whole-pictures"]) == 0
