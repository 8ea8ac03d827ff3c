"""Faces in a batch of pictures: the network, its decoding and the suppression of doubles, ready to run.

Shapes: B pictures; H, W height and width of the input; A anchors; K candidates kept on the device; N faces.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import InferenceError
from models.networks.boxes import decode_boxes, decode_landmarks
from models.networks.compiled import BATCH_BUCKETS, CompiledBatchFunction, Device, resolved_device
from models.retinaface.anchors import anchors_for
from models.retinaface.config import ARCHITECTURE, RetinaFaceConfig
from models.retinaface.faces import Faces
from models.retinaface.folding import fold_batch_norms
from models.retinaface.network import build_retinaface
from models.retinaface.nms import suppress
from models.structures import ImageBatch
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors

#: Best anchors of a picture that leave the device. A face is reported by some ten of them before suppression.
CANDIDATES: Final = 1024


class NetworkDetector:
    """Finds faces with a network that is already there, as training and measuring need it.

    - ``score_threshold``: least score of a face, 0 to 1.
    - ``nms_iou``: of faces that overlap by more than this IoU, the best one stays.
    - ``max_faces``: most faces per picture.
    - ``device``: ``auto`` takes a GPU when there is one; raises ``DeviceError`` when it is not there.

    Weights that the network is given later are used. Not for several threads at once.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        score_threshold: float = 0.5,
        nms_iou: float = 0.4,
        max_faces: int = 300,
        device: Device = "auto",
    ) -> None:
        self._score_threshold = score_threshold
        self._nms_iou = nms_iou
        self._max_faces = max_faces
        self._candidates = CompiledBatchFunction(lambda pixels: candidates(network, pixels), device=device)

    def detect(self, batch: ImageBatch) -> list[Faces]:
        """Faces of each picture, best first, in pixels of the original pictures.

        Raises ``PictureError`` when the batch's sides are no multiples of 32, ``InferenceError`` when the
        network answers with numbers that are not finite.
        """
        if len(batch) == 0:
            return []
        anchors_for(batch.input_hw)  # says what is wrong with a size before a graph is made for it
        boxes, scores, landmarks = self._candidates(batch.pixels)
        if not (np.isfinite(scores).all() and np.isfinite(boxes).all() and np.isfinite(landmarks).all()):
            raise InferenceError("RetinaFace answered with numbers that are not finite")
        return [
            self._faces(batch, index, boxes[index], scores[index], landmarks[index])
            for index in range(len(batch))
        ]

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int] = BATCH_BUCKETS) -> None:
        """Compile for an input size, so that the first real batch is as fast as the others."""
        anchors_for(input_hw)
        for batch_size in sorted({min(size, BATCH_BUCKETS[-1]) for size in batch_sizes}):
            self._candidates(np.zeros((batch_size, *input_hw, 3), np.uint8))

    def _faces(
        self,
        batch: ImageBatch,
        index: int,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        landmarks: NDArray[np.float32],
    ) -> Faces:
        above = scores >= self._score_threshold
        boxes, scores, landmarks = boxes[above], scores[above], landmarks[above]
        kept = suppress(boxes, scores, iou_threshold=self._nms_iou, max_kept=self._max_faces)
        return Faces(
            boxes_xyxy=batch.boxes_to_image(boxes[kept], index),
            scores=scores[kept],
            landmarks_xy=batch.points_to_image(landmarks[kept], index),
        )


class RetinaFaceDetector(NetworkDetector):
    """Finds faces with the weights of one file; see ``NetworkDetector`` for the other arguments.

    ``digest`` is that of the file, ``sha256:<hex>``. Batch norms are folded on loading. Raises
    ``WeightsError`` when the file is not one of a RetinaFace, ``DeviceError`` when the device is not there.
    """

    def __init__(
        self,
        weights_path: Path,
        *,
        score_threshold: float = 0.5,
        nms_iou: float = 0.4,
        max_faces: int = 300,
        device: Device = "auto",
    ) -> None:
        stored = load_weights(weights_path, architecture=ARCHITECTURE)
        config = RetinaFaceConfig.from_mapping(stored.config, origin=weights_path)
        config, tensors = fold_batch_norms(config, stored.tensors, origin=weights_path)
        with keras.device(resolved_device(device)):
            network = build_retinaface(config)
            assign_tensors(network, tensors, origin=weights_path)
        self.digest = stored.digest
        super().__init__(
            network, score_threshold=score_threshold, nms_iou=nms_iou, max_faces=max_faces, device=device
        )


def candidates(network: keras.Model, pixels: Any) -> tuple[Any, Any, Any]:
    """The K best anchors of each picture of uint8 (B, H, W, 3), H and W known: boxes (B, K, 4) in input
    pixels, scores (B, K), landmarks (B, K, 5, 2) in input pixels; best first.
    """
    anchors = anchors_for((pixels.shape[1], pixels.shape[2]))
    raw = network(keras.ops.cast(pixels, "float32"), training=False)
    face_scores = keras.ops.softmax(raw["face_logits"], axis=-1)[..., 1]
    scores, rows = keras.ops.top_k(face_scores, k=min(CANDIDATES, len(anchors)))
    chosen_anchors = keras.ops.take(keras.ops.array(anchors), rows, axis=0)
    box_deltas = keras.ops.take_along_axis(raw["box_deltas"], rows[..., None], axis=1)
    landmark_deltas = keras.ops.take_along_axis(raw["landmark_deltas"], rows[..., None], axis=1)
    return (
        decode_boxes(box_deltas, chosen_anchors),
        scores,
        decode_landmarks(landmark_deltas, chosen_anchors),
    )
