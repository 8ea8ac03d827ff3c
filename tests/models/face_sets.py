"""Three small pictures of labelled faces, and a pipeline that answers what it is told."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.structures import FACE_MASK_CLASSES, Detections, Picture

IMAGE_HW = (100, 200)
NAMES = [category.label for category in FACE_MASK_CLASSES]
WITH, WITHOUT, INCORRECT = NAMES

#: Of each picture the labelled faces: category, x, y, width, height.
FACES: list[list[tuple[str, list[float]]]] = [
    [(WITH, [10, 10, 20, 20]), (WITHOUT, [50, 50, 40, 40]), (WITH, [120, 10, 10, 10])],
    [(WITHOUT, [30, 5, 80, 90]), (INCORRECT, [130, 20, 40, 40])],
    [(WITH, [60, 20, 30, 40]), (WITHOUT, [10, 10, 24, 24])],
]


def write_face_set(folder: Path, *, crowd: bool = False) -> Path:
    """The COCO file; pictures are told apart by their first pixel."""
    images, annotations = [], []
    for number, faces in enumerate(FACES):
        pixels = np.random.default_rng(number).integers(0, 256, (*IMAGE_HW, 3), np.uint8)
        pixels[:2, :2] = 50 * (number + 1)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
        images.append({"id": number, "file_name": f"{number}.png", "width": 200, "height": 100})
        annotations += [
            {"image_id": number, "category_id": NAMES.index(name) + 1, "bbox": box} for name, box in faces
        ]
    if crowd:
        annotations.append({"image_id": 0, "category_id": 1, "bbox": [140, 50, 60, 50], "iscrowd": 1})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": index + 1, "name": name} for index, name in enumerate(NAMES)],
    }
    file = folder / "faces.json"
    file.write_text(json.dumps(content))
    return file


#: x, y, width, height, score, probabilities of the three states.
Answer = tuple[Sequence[float], float, Sequence[float]]


class ToldPipeline:
    """A ``Detector`` that answers for picture ``number`` what ``answers`` say."""

    def __init__(self, answers: Mapping[int, Sequence[Answer]]) -> None:
        self._answers = answers
        self.digests = {"told": "sha256:0"}
        self.input_sizes: list[tuple[int, int]] = []

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Nothing to prepare."""

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:
        self.input_sizes.append(input_hw)
        return [self._detect(picture, input_hw) for picture in pictures]

    def _detect(self, picture: Any, input_hw: tuple[int, int]) -> Detections:
        rows = self._answers.get(int(picture.rgb()[0, 0, 0]) // 50 - 1, ())
        xywh = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
        probs = np.array([row[2] for row in rows], np.float32).reshape(-1, 3)
        return Detections(
            image_hw=picture.image_hw,
            boxes_xyxy=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
            scores=np.array([row[1] for row in rows], np.float32),
            class_ids=probs.argmax(axis=1).astype(np.int32),
            input_scale=input_hw[1] / picture.image_hw[1],
            face_mask_probs=probs,
        )
