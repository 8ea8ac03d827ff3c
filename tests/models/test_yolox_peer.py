"""YOLOX as a peer: the decoding against the published formula, and a published file on real pictures."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.errors import WeightsError
from models.evaluation.peers import yolox
from models.evaluation.peers.yolox import KINDS, YoloxDetector
from models.pictures import ArrayPicture, read_picture
from models.structures import Category


class FixedSession:
    """Answers what it is told to, as an ONNX file of 64 x 64 and two classes would."""

    def __init__(self, answer: np.ndarray) -> None:
        self.answer = answer
        self.fed: list[np.ndarray] = []

    def get_inputs(self) -> list[object]:
        return [type("Input", (), {"name": "images", "shape": [1, 3, 64, 64]})()]

    def get_outputs(self) -> list[object]:
        return [type("Output", (), {"shape": list(self.answer.shape)})()]

    def run(self, names: object, fed: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.fed.append(fed["images"])
        return [self.answer]


def detector_of(answer: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> YoloxDetector:
    file = tmp_path / "peer.onnx"
    file.write_bytes(b"peer")
    monkeypatch.setattr(yolox, "_session", lambda file: FixedSession(answer))
    return YoloxDetector(file, KINDS["helmet"], score_threshold=0.3)


def test_cells_are_decoded_by_stride_row_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = np.zeros((1, 64 + 16 + 4, 7), np.float32)
    # stride 16: after the 64 cells of stride 8; row 2, column 3
    answer[0, 64 + 2 * 4 + 3] = [0.5, 0.25, np.log(2), np.log(1), 0.8, 0.1, 0.9]
    # the same thing, seen by a neighbour with less confidence, and a thing of the other class
    answer[0, 64 + 2 * 4 + 2] = [1.5, 0.25, np.log(2), np.log(1), 0.7, 0.1, 0.9]
    answer[0, 0] = [0.5, 0.5, 0, 0, 1.0, 0.5, 0.1]
    picture = ArrayPicture(np.zeros((64, 128, 3), np.uint8))
    found = detector_of(answer, tmp_path, monkeypatch).detect([picture], (320, 320))[0]
    assert found.class_ids.tolist() == [Category.BARE_HEAD, Category.HARD_HAT]
    np.testing.assert_allclose(found.scores, [0.72, 0.5], rtol=1e-6)
    # centre (3.5, 2.25) * 16, size 32 x 16; the picture was halved
    np.testing.assert_allclose(found.boxes_xyxy, [[80, 56, 144, 88], [0, 0, 16, 16]], atol=1e-4)


def test_another_layout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="expected"):
        detector_of(np.zeros((1, 84, 6), np.float32), tmp_path, monkeypatch)
    with pytest.raises(WeightsError, match="cannot be read"):
        YoloxDetector(tmp_path / "missing.onnx", KINDS["helmet"])
    (tmp_path / "text.onnx").write_text("no network")
    monkeypatch.undo()
    with pytest.raises(WeightsError, match="is no ONNX file"):
        YoloxDetector(tmp_path / "text.onnx", KINDS["helmet"])


def test_published_files_find_what_is_labelled(shared_data: Path, shared_weights: Path) -> None:
    content = json.loads((shared_data / "hard_hats" / "val.json").read_text())
    images = [image for image in content["images"] if image["source"] == "sfchd"][:12]
    people = {
        image["id"]: [
            annotation["bbox"]
            for annotation in content["annotations"]
            if annotation["image_id"] == image["id"] and annotation["category_id"] == 3
        ]
        for image in images
    }
    peer = YoloxDetector(
        shared_weights / "peers" / "yolox_nano_320x320.onnx", KINDS["person"], score_threshold=0.4
    )
    right = 0
    for image in images:
        picture = read_picture(shared_data / "hard_hats" / image["file_name"])
        found = peer.detect([picture], (320, 320))[0]
        for x, y, width, height in people[image["id"]]:
            centre = (found.boxes_xyxy[:, :2] + found.boxes_xyxy[:, 2:]) / 2
            near = np.abs(centre - (x + width / 2, y + height / 2)) < (width / 4, height / 4)
            tall = np.abs(np.log((found.boxes_xyxy[:, 3] - found.boxes_xyxy[:, 1]) / height)) < 0.3
            right += bool((near.all(axis=1) & tall).any())
    assert right >= 0.6 * sum(len(boxes) for boxes in people.values())
