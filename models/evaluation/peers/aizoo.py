"""AIZOOTech's detector of masked and unmasked faces (an SSD of 260 x 260 pixels) from its TFLite file.

Shapes: A anchors of all feature maps, finest first, rows before columns, four to a cell; N faces.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, PictureError, WeightsError
from models.structures import Detections, Picture
from models.weights import digest_of

#: Its name as published, by which it is found in a folder of peers.
FILE_NAME: Final = "face_mask_detection.tflite"

#: Side of the input, into which pictures are stretched, as published.
INPUT_PX: Final = 260

#: Of two faces that overlap by more the better one stays, as published.
IOU_THRESHOLD: Final = 0.4

_MAP_SIDES: Final = (33, 17, 9, 5, 3)
_ANCHOR_SIDES: Final = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
_RATIOS: Final = (1.0, 0.62, 0.42)
_VARIANCES: Final = np.array([0.1, 0.1, 0.2, 0.2])


class AizooDetector:
    """A ``Detector`` that runs ``file`` with LiteRT on the processor.

    Detections have ``face_mask_probs`` of two states: their third column is 0. The score of a face is the larger one of
    its two classes.

    Raises ``WeightsError`` when the file is missing, is no TFLite file or answers in another layout,
    ``ModelError`` when LiteRT is not installed (extra ``evaluate``).
    """

    def __init__(self, file: Path, *, score_threshold: float = 0.5) -> None:
        self._digest = digest_of(file)
        self._score_threshold = score_threshold
        self._anchors = anchors()
        self._interpreter = _interpreter(file)
        self._input = self._interpreter.get_input_details()[0]
        outputs = {tuple(one["shape"])[1:]: one["index"] for one in self._interpreter.get_output_details()}
        count = len(self._anchors)
        if tuple(self._input["shape"]) != (1, INPUT_PX, INPUT_PX, 3) or set(outputs) != {
            (count, 4),
            (count, 2),
        }:
            raise WeightsError(
                f"{file}: takes {tuple(self._input['shape'])} and answers {sorted(outputs)}, expected "
                f"(1, {INPUT_PX}, {INPUT_PX}, 3) and {count} boxes and classes"
            )
        self._boxes_at, self._classes_at = outputs[count, 4], outputs[count, 2]

    @property
    def input_size_px(self) -> int:
        """The one input size that it knows."""
        return INPUT_PX

    @property
    def digests(self) -> Mapping[str, str]:
        """``sha256:<hex>`` of the file."""
        return {"aizoo": self._digest}

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Nothing to prepare."""

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:  # noqa: ARG002
        """The faces of each picture, best first, in original pixels. The file knows its input: ``input_hw`` is
        not used."""
        if not pictures:
            raise PictureError("a batch needs at least one picture")
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: Picture) -> Detections:
        pixels = cv2.resize(picture.rgb(), (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_LINEAR)
        self._interpreter.set_tensor(self._input["index"], (pixels.astype(np.float32) / 255)[None])
        self._interpreter.invoke()
        deltas = np.asarray(self._interpreter.get_tensor(self._boxes_at)[0], np.float64)
        classes = np.clip(self._interpreter.get_tensor(self._classes_at)[0], 0, 1).astype(np.float32)
        height, width = picture.image_hw
        boxes = decoded(deltas, self._anchors) * np.array([width, height, width, height])
        scores = classes.max(axis=1)
        rows = np.flatnonzero(scores >= self._score_threshold)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        rows = rows[_without_doubles(boxes[rows], scores[rows])]
        probs = np.zeros((len(rows), 3), np.float32)
        probs[:, :2] = classes[rows] / np.maximum(classes[rows].sum(axis=1, keepdims=True), 1e-9)
        return Detections(
            image_hw=picture.image_hw,
            boxes_xyxy=boxes[rows].astype(np.float32),
            scores=scores[rows],
            class_ids=classes[rows].argmax(axis=1).astype(np.int32),
            # pictures are stretched: the height is what faces are sorted by
            input_scale=INPUT_PX / height,
            face_mask_probs=probs,
        )


def anchors() -> NDArray[np.float64]:
    """Centre x, centre y, width and height (A, 4) in shares of the picture."""
    rows = []
    for side, (small, large) in zip(_MAP_SIDES, _ANCHOR_SIDES, strict=True):
        shapes = [
            (scale * ratio**0.5, scale / ratio**0.5)
            for scale, ratio in ((small, 1.0), (large, 1.0), *((small, ratio) for ratio in _RATIOS[1:]))
        ]
        y, x = (np.mgrid[:side, :side].reshape(2, -1) + 0.5) / side
        for_cell = np.array(shapes)
        centres = np.repeat(np.stack([x, y], axis=1), len(shapes), axis=0)
        rows.append(np.concatenate([centres, np.tile(for_cell, (side * side, 1))], axis=1))
    return np.concatenate(rows)


def decoded(deltas: NDArray[np.float64], anchors_xywh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes x1, y1, x2, y2 (A, 4) in shares of the picture, from the network's answer (A, 4)."""
    scaled = deltas * _VARIANCES
    centre = anchors_xywh[:, :2] + scaled[:, :2] * anchors_xywh[:, 2:]
    half = np.exp(np.minimum(scaled[:, 2:], 20.0)) * anchors_xywh[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _without_doubles(boxes_xyxy: NDArray[np.float64], scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Rows that remain after non-maximum suppression, of both classes together as published, best first."""
    if not len(boxes_xyxy):
        return np.zeros(0, np.intp)
    boxes_xywh = np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(boxes_xywh.tolist(), scores.tolist(), 0.0, IOU_THRESHOLD)
    return np.sort(np.asarray(kept, np.intp).reshape(-1))


def _interpreter(file: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - an extra that only peers need
    except ImportError as error:
        raise ModelError("peers need ai-edge-litert: install the extra `evaluate`") from error
    try:
        interpreter = Interpreter(model_path=str(file))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{file}: is no TFLite file that can be run: {error}") from error
    return interpreter
