"""Sets, pictures, canvases and networks for the tests of RetinaFace's training."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from retinaface_builders import made_up_tensors

from models.evaluation.coco_faces import LabelledPicture, read_faces
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.faces import Faces
from models.retinaface.network import build_retinaface
from models.training.retinaface_augmentation import Canvas
from models.training.retinaface_examples import FaceExample, face_example
from models.training.retinaface_learner import Learner
from models.training.retinaface_sets import LoadedSet, batches
from models.weights.keras_variables import assign_tensors

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
        np.ones(len(boxes), np.float32),
        points,
        np.ones(len(boxes), np.float32),
        np.array(ignored, np.float32).reshape(-1, 4),
    )


def example_of(path: Path, image_hw: tuple[int, int], boxes: Any, points: Any) -> FaceExample:
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    points = np.array(points, np.float32).reshape(-1, 5, 2)
    ones = np.ones(len(boxes), np.float32)
    return FaceExample(path, image_hw, boxes, ones, points, ones, NOTHING, boxes)


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
    """Batches of two canvases of the pictures of ``file``."""
    examples = [face_example(picture, faces_of(), exhaustive=True) for picture in read_faces(file)]
    return batches(
        [LoadedSet(1.0, tuple(examples))],
        batch_size=2,
        side_px=64,
        seed=5,
        first_step=first_step,
        workers=workers,
    )
