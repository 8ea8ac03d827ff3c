"""YuNet (Wu et al. 2023) from its ONNX file, through OpenCV's ``FaceDetectorYN``."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from models.errors import WeightsError
from models.retinaface.faces import Faces
from models.structures import ImageBatch
from models.weights import digest_of

#: Its name as published, by which it is found in a folder of peers.
FILE_NAME: Final = "yunet_n_640_640.onnx"

#: Of two faces that overlap by more the better one stays, as published.
IOU_THRESHOLD: Final = 0.3

_MOST_FACES: Final = 5000


class YunetFinder:
    """Finds faces like ``RetinaFaceDetector``, at any input size. Landmarks are in the same order.

    Raises ``WeightsError`` when the file is missing or is not one that OpenCV can run.
    """

    def __init__(self, file: Path, *, score_threshold: float = 0.5) -> None:
        self.digest = digest_of(file)
        try:
            self._finder = cv2.FaceDetectorYN.create(
                str(file), "", (320, 320), score_threshold, IOU_THRESHOLD, _MOST_FACES
            )
        except cv2.error as error:
            raise WeightsError(f"{file}: is no file that OpenCV can run: {error}") from error

    def detect(self, batch: ImageBatch) -> list[Faces]:
        """Faces of each picture, best first, in pixels of the original pictures."""
        self._finder.setInputSize(batch.input_hw[::-1])
        return [self._detect(batch, index) for index in range(len(batch))]

    def _detect(self, batch: ImageBatch, index: int) -> Faces:
        _, found = self._finder.detect(np.ascontiguousarray(batch.pixels[index, :, :, ::-1]))
        rows = np.zeros((0, 15), np.float32) if found is None else np.asarray(found, np.float32)
        rows = rows[np.argsort(-rows[:, 14], kind="stable")]
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + np.maximum(rows[:, 2:4], 0)], axis=1)
        return Faces(
            boxes_xyxy=batch.boxes_to_image(boxes, index),
            scores=np.clip(rows[:, 14], 0, 1),
            landmarks_xy=batch.points_to_image(rows[:, 4:14].reshape(-1, 5, 2), index),
        )
