"""YOLOX (Ge et al. 2021, arXiv:2107.08430) from an ONNX file whose grid is not decoded yet.

Shapes: A cells of all strides, finest first, rows before columns; K classes of the file; N detections.
A row of the answer is (x, y) of the centre relative to its cell and the logarithms of width and height, all
in strides, then objectness and K class probabilities.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, PictureError, WeightsError
from models.letterbox import letterbox_geometry
from models.structures import Category, Detections, Picture
from models.weights import digest_of

#: Strides of the three levels, and the grey that fills the rest of the input, as published.
STRIDES: Final = (8, 16, 32)
FILL: Final = 114

#: Detections of one class that overlap by more are one thing, as published.
IOU_THRESHOLD: Final = 0.65

#: Mean and spread of ImageNet's colours (RGB, 0 to 1), which the first release of YOLOX normalised with.
_MEAN_RGB: Final = np.array([0.485, 0.456, 0.406], np.float32)
_SPREAD_RGB: Final = np.array([0.229, 0.224, 0.225], np.float32)


#: The kinds of files by the name that ``--peer NAME=FILE`` takes: categories by the file's class index. What is not
#: named is left out.
KINDS: Final[Mapping[str, Mapping[int, Category]]] = MappingProxyType(
    {
        "helmet": {0: Category.HARD_HAT, 1: Category.BARE_HEAD},
        "person": {0: Category.PERSON},
    }
)


class YoloxDetector:
    """A ``Detector`` that runs ``file`` with onnxruntime on the processor, at the input size of the file.

    Pixels as in YOLOX's first release: RGB, ImageNet's mean and spread. Later releases take plain BGR; fed like this
    they see next to nothing. ``categories``: by the file's class index.

    Raises ``WeightsError`` when the file is missing, is no ONNX file or answers in another layout,
    ``ModelError`` when onnxruntime is not installed (extra ``evaluate``).
    """

    def __init__(
        self, file: Path, categories: Mapping[int, Category], *, score_threshold: float = 0.05
    ) -> None:
        self._categories = categories
        self._score_threshold = score_threshold
        self._digest = digest_of(file)
        self._session = _session(file)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4 or not all(
            isinstance(side, int) and side % STRIDES[-1] == 0 for side in shape[2:]
        ):
            raise WeightsError(f"{file}: takes {shape}, expected one input of (1, 3, H, W)")
        self._input_name = inputs[0].name
        self._input_hw = (int(shape[2]), int(shape[3]))
        self._cells_xy, self._strides = _cells(self._input_hw)
        answer = self._session.get_outputs()[0].shape
        if len(answer) != 3 or answer[1] != len(self._strides) or answer[2] <= 5 + max(categories):
            raise WeightsError(f"{file}: answers {answer}, expected (1, {len(self._strides)}, 5 + classes)")

    @property
    def digests(self) -> Mapping[str, str]:
        """``sha256:<hex>`` of the file."""
        return {"yolox": self._digest}

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Nothing to prepare."""

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:  # noqa: ARG002
        """What is in each picture, best first, in original pixels. The file knows its input: ``input_hw`` is
        not used."""
        if not pictures:
            raise PictureError("a batch needs at least one picture")
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: Picture) -> Detections:
        placement = letterbox_geometry(picture.image_hw, self._input_hw)
        height, width = placement.content_hw
        canvas = np.full((*self._input_hw, 3), FILL, np.uint8)
        # published with plain bilinear scaling, which the network's weights are used to
        canvas[:height, :width] = cv2.resize(picture.rgb(), (width, height), interpolation=cv2.INTER_LINEAR)
        pixels = (canvas.astype(np.float32) / 255 - _MEAN_RGB) / _SPREAD_RGB
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
        answer = np.asarray(self._session.run(None, {self._input_name: planes})[0])[0]
        boxes = self._decoded(answer) / placement.scale
        scores, class_ids, rows = self._best(answer)
        kept = _without_duplicates(boxes[rows], scores, class_ids)
        return Detections(
            image_hw=picture.image_hw,
            boxes_xyxy=boxes[rows][kept].astype(np.float32),
            scores=scores[kept],
            class_ids=class_ids[kept],
            input_scale=placement.scale,
        )

    def _decoded(self, answer: NDArray[np.float32]) -> NDArray[np.float64]:
        centre = (answer[:, :2].astype(np.float64) + self._cells_xy) * self._strides
        half = np.exp(np.minimum(answer[:, 2:4].astype(np.float64), 20.0)) * self._strides / 2
        return np.concatenate([centre - half, centre + half], axis=1)

    def _best(
        self, answer: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.intp]]:
        """Scores (N,), classes (N,) and rows (N,) of the answer, of each cell's best class, best first."""
        columns = sorted(self._categories)
        scores = answer[:, 4] * answer[:, 5:].max(axis=1)
        best = answer[:, 5:].argmax(axis=1)
        rows = np.flatnonzero((scores >= self._score_threshold) & np.isin(best, columns))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        class_ids = np.array([int(self._categories[int(index)]) for index in best[rows]], np.int32)
        return np.clip(scores[rows], 0, 1).astype(np.float32), class_ids, rows


def _cells(input_hw: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Column and row of every cell (A, 2), and its stride in input pixels (A, 1)."""
    corners, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: input_hw[0] // stride, : input_hw[1] // stride]
        corners.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(corners).astype(np.float64), np.concatenate(strides).astype(np.float64)


def _without_duplicates(
    boxes_xyxy: NDArray[np.float64], scores: NDArray[np.float32], class_ids: NDArray[np.int32]
) -> NDArray[np.intp]:
    """Rows that remain after non-maximum suppression within each class, best first."""
    if not len(boxes_xyxy):
        return np.zeros(0, np.intp)
    boxes_xywh = np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        boxes_xywh.tolist(), scores.tolist(), class_ids.tolist(), 0.0, IOU_THRESHOLD
    )
    return np.sort(np.asarray(kept, np.intp).reshape(-1))


def _session(file: Path) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra that only peers need
    except ImportError as error:
        raise ModelError("peers need onnxruntime: install the extra `evaluate`") from error
    try:
        return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsError(f"{file}: is no ONNX file that onnxruntime can run: {error}") from error
