"""Figures: what a perfect, a blind and a sloppy detector get."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from retinaface_builders import made_up_weights

from models.data.face_landmarks import read_landmarks
from models.errors import DataSetError, PictureError
from models.evaluation import clip_faces, false_faces
from models.evaluation.coco_faces import read_faces
from models.evaluation.landmarks import evaluate_landmarks
from models.evaluation.matching import average_precision, match
from models.retinaface.faces import Faces
from models.structures import ImageBatch

LABELS = [[[10.0, 10, 20, 20], [50, 50, 40, 40]], [[30, 5, 80, 90]], []]


@pytest.fixture
def coco_file(tmp_path: Path) -> Path:
    images, annotations = [], []
    for number, boxes in enumerate(LABELS):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((100, 200, 3), 90, np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "width": 200, "height": 100})
        annotations += [{"image_id": number, "category_id": 1, "bbox": box} for box in boxes]
    annotations.append({"image_id": 0, "category_id": 1, "bbox": [5, 5, 0, 9]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}
    (tmp_path / "set.json").write_text(json.dumps(content))
    return tmp_path / "set.json"


class Oracle:
    """Answers from the labels, picture by picture, after ``change``."""

    def __init__(self, coco_file: Path, change: object) -> None:
        self._answers = [change(picture.boxes_xyxy) for picture in read_faces(coco_file)]
        self.input_sizes: list[tuple[int, int]] = []

    def detect(self, batch: ImageBatch) -> list[Faces]:
        self.input_sizes.append(batch.input_hw)
        boxes, scores = self._answers[len(self.input_sizes) - 1]
        return [Faces(boxes, scores, np.zeros((len(boxes), 5, 2)))]


def test_average_precision_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    right = np.array([True, False, True, False])
    assert average_precision(scores, right, 4) == pytest.approx((1 + 2 / 3) / 4)
    assert average_precision(scores[::-1], right[::-1], 4) == pytest.approx((1 + 2 / 3) / 4)
    # precision is made monotonic: a late right answer lifts what came before
    assert average_precision(scores, np.array([False, True, True, True]), 3) == pytest.approx(0.75)
    assert average_precision(scores, right, 0) == 0
    assert average_precision(scores[:0], right[:0], 3) == 0


def test_each_label_is_found_once_and_by_the_best_score() -> None:
    labels = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    boxes = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 4], [21, 0, 30, 10]], np.float32)
    matches = match(boxes, np.array([0.5, 0.9, 0.8, 0.7], np.float32), labels, iou_threshold=0.5)
    np.testing.assert_array_equal(matches.label_of, [0, -1, 1, -1])
    np.testing.assert_allclose(matches.scores, [0.9, 0.8, 0.7, 0.5])
    np.testing.assert_allclose(matches.best_iou, [1, 0.4, 0.9, 0.9], rtol=1e-6)
    empty = match(boxes, np.ones(4, np.float32), np.zeros((0, 4), np.float32), iou_threshold=0.5)
    assert (empty.label_of == -1).all()


def test_landmark_errors_are_relative_to_the_eyes(tmp_path: Path) -> None:
    points = [[30, 40], [50, 40], [40, 50], [32, 60], [48, 60]]
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((80, 80, 3), np.uint8))
    keypoints = [value for x, y in points for value in (x, y, 2)]
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "keypoints": keypoints}],
    }
    (tmp_path / "set.json").write_text(json.dumps(content))
    rows = read_landmarks(tmp_path / "set.json")

    class OffByTwo:
        def detect(self, batch: ImageBatch) -> list[Faces]:
            found = np.array([points, points], np.float32) + np.array([2, 0], np.float32)
            found[1] += 30  # somebody beside, more surely seen
            boxes = np.array([[20, 20, 60, 70], [60, 20, 80, 70]])
            return [Faces(boxes, np.array([0.8, 0.9]), found)]

    figures = evaluate_landmarks(OffByTwo(), rows, longest_side_px=160)
    assert (figures.images, figures.found) == (1, 1)
    assert figures.mean_error == pytest.approx(0.1)
    with pytest.raises(DataSetError):
        read_landmarks(tmp_path / "absent.json")
    (tmp_path / "set.json").write_text("{}")
    with pytest.raises(DataSetError):
        read_landmarks(tmp_path / "set.json")


def test_faces_away_from_heads_are_false(coco_file: Path) -> None:
    content = json.loads(coco_file.read_text())
    content["categories"][0]["name"] = "hard_hat"
    coco_file.write_text(json.dumps(content))

    def change(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # on the first head, below its helmet; away from all heads, once surely and once not
        below = [box + np.array([0, 10, 0, 0]) for box in boxes[:1]]
        rows = [*below, [150, 80, 160, 90], [170, 80, 180, 90]]
        return np.array(rows, np.float32), np.array([0.9] * (len(rows) - 1) + [0.3])

    figures = false_faces.count_false_faces(
        Oracle(coco_file, change), read_faces(coco_file), longest_side_px=64, score_threshold=0.5
    )
    assert (figures.images, figures.heads) == (3, 3)
    assert figures.false_per_image == 1
    assert figures.faces_per_head == pytest.approx(2 / 3)


def test_the_commands_print_json_lines(
    coco_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(made_up_weights(tmp_path / "w.safetensors"))
    assert false_faces.main([weights, str(coco_file), "--longest-side", "64"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["score_threshold"] for row in rows] == [0.5, 0.6, 0.7, 0.8]
    assert false_faces.main([weights, str(tmp_path / "absent.json")]) == 1
    assert "absent.json" in capsys.readouterr().err

    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
    for _ in range(7):
        writer.write(np.full((64, 96, 3), 120, np.uint8))
    writer.release()
    out = tmp_path / "frames"
    arguments = [weights, str(clip), "--longest-side", "96", "--every", "3", "--out", str(out)]
    assert clip_faces.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 3
    assert len(list(out.iterdir())) == 3
    with pytest.raises(PictureError):
        next(clip_faces.frames_of(coco_file, 1))
