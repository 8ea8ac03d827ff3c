"""RetinaFace in Keras: decoded inside the graph, on whatever processor it runs.

Shapes: B pictures; H, W height and width of the input; K candidates kept on the device.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.networks.compiled import BATCH_BUCKETS, CompiledBatchFunction, resolved_device
from models.networks.graph_boxes import decode_boxes, decode_landmarks
from models.networks.half_precision import KerasPrecision, computing_in
from models.retinaface.anchors import anchors_for
from models.retinaface.candidates import CANDIDATES, Candidates
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.folding import fold_batch_norms
from models.retinaface.network import build_retinaface
from models.runtime.choice import Device
from models.weights import StoredWeights
from models.weights.keras_variables import assign_tensors


class KerasCandidates:
    """A ``CandidateFinder`` of a Keras network; weights that it is given later are used.

    Raises ``DeviceError`` when ``device`` is not there.
    """

    def __init__(self, network: keras.Model, *, device: Device = "auto") -> None:
        self._candidates = CompiledBatchFunction(lambda pixels: candidates(network, pixels), device=device)

    def find(self, pixels: NDArray[np.uint8], score_threshold: float) -> Sequence[Candidates]:  # noqa: ARG002 - all leave the device
        """See ``CandidateFinder``."""
        return [Candidates(*rows) for rows in zip(*self._candidates(pixels), strict=True)]

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int] = BATCH_BUCKETS) -> None:
        """Compile for an input size, so that the first real batch is as fast as the others."""
        for batch_size in sorted({min(size, self._candidates.buckets[-1]) for size in batch_sizes}):
            self._candidates(np.zeros((batch_size, *input_hw, 3), np.uint8))

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``CandidateFinder``."""
        self._candidates.forget(input_hw)


def network_of(
    stored: StoredWeights, *, origin: Path, device: Device = "auto", precision: KerasPrecision = "f32"
) -> keras.Model:
    """The network of a weights file, its batch norms folded. Raises ``WeightsError`` when the file (``origin``) is not
    one of a RetinaFace, ``DeviceError`` when the device is not there."""
    config = RetinaFaceConfig.from_mapping(stored.config, origin=origin)
    config, tensors = fold_batch_norms(config, stored.tensors, origin=origin)
    with keras.device(resolved_device(device)), computing_in(precision):
        network = build_retinaface(config)
        assign_tensors(network, tensors, origin=origin)
    return network


def candidates(network: keras.Model, pixels: Any) -> tuple[Any, Any, Any]:
    """The K best anchors of each picture of uint8 (B, H, W, 3), H and W known: boxes (B, K, 4) in input
    pixels, scores (B, K), landmarks (B, K, 5, 2) in input pixels; best first.
    """
    anchors = anchors_for((pixels.shape[1], pixels.shape[2]))
    said = network(keras.ops.cast(pixels, "float32"), training=False)
    # what the network answers may be of half precision; boxes and probabilities are not
    raw = {name: keras.ops.cast(answer, "float32") for name, answer in said.items()}
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
