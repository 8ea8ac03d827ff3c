"""Detectors beside each other: figures by hand, published peers on real pictures, the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from face_sets import FACES, NAMES, write_face_set
from retinaface_builders import made_up_weights

from models.data.readers import read_coco
from models.errors import ModelError, WeightsError
from models.evaluation import face_detector
from models.evaluation.face_detector import look_for_faces
from models.evaluation.face_detector_contenders import FaceContender, peer_contenders
from models.evaluation.face_detector_figures import detector_tables, face_detector_figures
from models.evaluation.heights import height_groups
from models.evaluation.peers import aizoo
from models.evaluation.peers.aizoo import AizooDetector
from models.evaluation.peers.yunet import YunetFinder
from models.evaluation.tables import as_text
from models.pictures import read_picture
from models.retinaface.faces import Faces
from models.structures import FACE_MASK_CLASSES, Picture


class FirstFace:
    """Sees the first labelled face of each picture, surely, and one thing that is none."""

    def look(self, picture: Picture, longest_side_px: int | None) -> tuple[Faces, float]:
        x, y, width, height = FACES[int(picture.rgb()[0, 0, 0]) // 50 - 1][0][1]
        boxes = [[x, y, x + width, y + height], [180, 80, 195, 95]]
        return Faces(np.array(boxes), np.array([0.9, 0.6]), np.zeros((2, 5, 2))), 2.0


def test_figures_by_hand(tmp_path: Path) -> None:
    pictures = read_coco(write_face_set(tmp_path))
    seen = look_for_faces(FaceContender("first", "sha256:0", FirstFace(), None), pictures, input_size_px=416)
    figures = face_detector_figures(
        "first", seen, digest="sha256:0", input_size_px=416, score_threshold=0.5, samples=20, seed=1
    )
    assert (figures.pictures, figures.labelled) == (3, 7)
    assert figures.recall == figures.recall_any == pytest.approx(3 / 7)
    assert (figures.false_faces, figures.away_faces) == (1, 1)
    # three right ones before three wrong ones: precision 1 up to recall 3/7, at 43 of 101 recalls
    np.testing.assert_allclose(figures.precision.by_threshold, 43 / 101)
    assert figures.recall_by["face_with_mask"] == pytest.approx(2 / 3)
    assert figures.recall_by["face_mask_incorrect"] == 0
    assert figures.recall_by["32 to 64 px in the picture"] == pytest.approx(1 / 3)
    assert figures.recall_by["32 to 64 px at the input"] == pytest.approx(1 / 2)
    interval = figures.intervals["recall"]
    assert interval.low <= 3 / 7 <= interval.high
    sure = face_detector_figures(
        "first", seen, digest="", input_size_px=416, score_threshold=0.95, samples=0, seed=1
    )
    assert (sure.recall, sure.recall_any) == (0, pytest.approx(3 / 7))
    text = as_text(detector_tables([figures, sure]))
    assert "0.429" in text
    small = look_for_faces(
        FaceContender("first", "", FirstFace(), None), pictures, input_size_px=416, least_height_px=25
    )
    figures = face_detector_figures(
        "first", small, digest="", input_size_px=416, score_threshold=0.5, samples=0, seed=1
    )
    # the first of picture 0 is ignored, the false ones are as small
    assert (figures.labelled, figures.recall, figures.false_faces) == (4, 0.5, 0)


def test_groups_of_heights() -> None:
    heights = np.array([0, 11.9, 12, 63, 64, 900])
    assert height_groups(heights) == [
        "0 to 12 px",
        "0 to 12 px",
        "12 to 16 px",
        "32 to 64 px",
        "64 px and more",
        "64 px and more",
    ]


def test_anchors_of_the_peer_are_decoded_as_published() -> None:
    anchors = aizoo.anchors()
    assert anchors.shape == (5972, 4)
    # the second cell of the first row: two sides, then two ratios of the smaller side
    np.testing.assert_allclose(anchors[4:8, :2], [[1.5 / 33, 0.5 / 33]] * 4)
    np.testing.assert_allclose(anchors[4:6, 2:], [[0.04, 0.04], [0.056, 0.056]])
    np.testing.assert_allclose(anchors[6, 2:], [0.04 * 0.62**0.5, 0.04 / 0.62**0.5])
    deltas = np.array([[1.0, -1.0, 0.5, 0.0]])
    boxes = aizoo.decoded(deltas, np.array([[0.5, 0.5, 0.2, 0.4]]))
    width = 0.2 * np.exp(0.1)
    np.testing.assert_allclose(boxes, [[0.52 - width / 2, 0.26, 0.52 + width / 2, 0.66]])


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        AizooDetector(tmp_path / "absent.tflite")
    with pytest.raises(WeightsError, match="cannot be read"):
        YunetFinder(tmp_path / "absent.onnx")
    (tmp_path / "a.tflite").write_bytes(b"none")
    with pytest.raises(WeightsError, match="no TFLite file"):
        AizooDetector(tmp_path / "a.tflite")
    with pytest.raises(ModelError, match="holds neither"):
        peer_contenders(tmp_path)


def test_published_peers_see_faces(shared_weights: Path, shared_data: Path) -> None:
    pictures = [
        picture
        for picture in read_coco(shared_data / "faces" / "val.json")
        if 1 <= len(picture.objects) <= 3
        and all(thing.box_xyxy[3] - thing.box_xyxy[1] > 60 for thing in picture.objects)
    ][:6]
    assert len(pictures) == 6
    contenders = {one.name: one for one in peer_contenders(shared_weights / "peers")}
    assert set(contenders) == {"aizoo", "yunet"}
    recalls = {}
    for name, contender in contenders.items():
        seen = look_for_faces(contender, pictures, input_size_px=contender.input_size_px or 320)
        figures = face_detector_figures(
            name, seen, digest="", input_size_px=320, score_threshold=0.5, samples=0, seed=1
        )
        recalls[name] = figures.recall or 0
    assert recalls["aizoo"] >= 0.8
    assert recalls["yunet"] >= 0.6


def test_the_peer_tells_masks(shared_weights: Path, shared_data: Path) -> None:
    peer = AizooDetector(shared_weights / "peers" / aizoo.FILE_NAME)
    right = total = 0
    for picture in read_coco(shared_data / "faces" / "val.json")[:30]:
        found = peer.detect([read_picture(picture.path)], (260, 260))[0]
        for thing in picture.objects:
            centre = np.array(thing.box_xyxy).reshape(2, 2).mean(axis=0)
            on = (found.boxes_xyxy[:, :2] < centre).all(1) & (found.boxes_xyxy[:, 2:] > centre).all(1)
            large = thing.box_xyxy[3] - thing.box_xyxy[1] >= 40
            if large and on.any() and thing.category != "face_mask_incorrect":
                total += 1
                answer = int(found.face_mask_probs[on.argmax()].argmax())
                right += FACE_MASK_CLASSES[answer].label == thing.category
    assert total >= 12
    assert right / total >= 0.85


def test_the_command_measures_several_at_several_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_face_set(tmp_path)
    first, second = (
        made_up_weights(tmp_path / f"{name}.safetensors", seed) for name, seed in (("a", 0), ("b", 1))
    )
    points = [value for x, y in [[30, 40], [50, 40], [40, 50], [32, 60], [48, 60]] for value in (x, y, 2)]
    content = {
        "images": [{"id": 1, "file_name": "0.png"}],
        "annotations": [{"image_id": 1, "keypoints": points}],
    }
    (tmp_path / "points.json").write_text(json.dumps(content))
    arguments = [
        *(str(first), str(file), "--input-size", "96", "64", "--beside", f"wide={second}"),
        *("--landmarks", str(tmp_path / "points.json"), "--landmarks-size", "64", "--bootstrap", "3"),
        *("--out", str(tmp_path / "page"), "--json", str(tmp_path / "figures.json"), "--device", "cpu"),
    ]
    assert face_detector.main(arguments) == 0
    assert "wide" in capsys.readouterr().out
    rows = json.loads((tmp_path / "figures.json").read_text())["detectors"]
    assert [(row["name"], row["input_size_px"]) for row in rows] == [
        ("a", 96),
        ("a", 64),
        ("wide", 96),
        ("wide", 64),
    ]
    assert all(row["labelled"] == 7 and row["landmarks"]["images"] == 1 for row in rows)
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert face_detector.main([*arguments[:2], "--beside", f"a={second}"]) == 1
    assert "once" in capsys.readouterr().err
    content = json.loads(file.read_text())
    for category, name in zip(content["categories"], NAMES, strict=True):
        category["name"] = f"no_{name}"
    file.write_text(json.dumps(content))
    assert face_detector.main([str(first), str(file)]) == 1
    assert "no faces are labelled" in capsys.readouterr().err
