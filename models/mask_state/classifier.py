"""The mask-state classifier, ready to run: crops in, calibrated states out.

Shapes: N faces, S side of the crops in pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import InferenceError, PictureError
from models.mask_state.boxes import boxes_of
from models.mask_state.calibration import MaskStates, mask_states
from models.mask_state.classifier_config import ClassifierConfig
from models.mask_state.config import ARCHITECTURE, BOX_DELTAS, LOGITS
from models.runtime.choice import Device, Runtime
from models.runtime.session import SessionOptions
from models.weights import load_weights

#: Faces per call of the network at most; above, calls follow each other, which bounds the memory.
FACE_BUCKETS: Final = (1, 4, 16, 64)

#: A network in some runtime: crops uint8 (N, S, S, 3), N at least 1, to answers float32 (N, any).
_Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class MaskStateClassifier:
    """Tells from crops of faces how a face mask is worn, with the weights of one file.

    ``geometry`` says how the crops must be cut (see ``crops``). ``runtime`` says what runs it (see
    ``models.runtime``): ``keras`` on ``device``, or ``openvino`` on the CPU as ``options`` say, but in 32 bits
    always. Raises ``WeightsError`` when the file is not one of this classifier, ``DeviceError`` when ``device`` is
    not there, ``ExportError`` when it cannot be exported for OpenVINO. Not for several threads at once.
    """

    def __init__(
        self,
        weights_path: Path,
        *,
        device: Device = "auto",
        runtime: Runtime = "keras",
        options: SessionOptions | None = None,
    ) -> None:
        load = _from_export if runtime == "openvino" else _from_weights
        self.digest, config, self._network = load(weights_path, device, options)
        self.geometry = config.geometry
        self.temperature, self.kind_temperature = config.temperature, config.kind_temperature
        self._logit_count, self.tells_boxes = config.network.logits, config.network.box

    def judge(self, crops: NDArray[np.uint8]) -> MaskStates:
        """States of crops uint8 (N, S, S, 3), RGB; N may be 0.

        Raises ``PictureError`` on another shape or type, ``InferenceError`` when the network answers with
        numbers that are not finite.
        """
        answers = self.answers(crops)
        logits, deltas = np.split(answers, [self._logit_count], axis=1)
        states = mask_states(logits, self.temperature, self.kind_temperature)
        return replace(states, boxes_in_crop=boxes_of(deltas, self.geometry)) if self.tells_boxes else states

    @property
    def tells_kinds(self) -> bool:
        """Whether the weights tell the kind of mask."""
        return self._logit_count > LOGITS

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Calibrated probabilities float32 (N, 3) in the order of ``FACE_MASK_CLASSES``; as ``judge``,
        without its visibility.
        """
        return self.judge(crops).probs

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's own logits, float32 (N, K), see ``network``; not divided by the temperatures."""
        return self.answers(crops)[:, : self._logit_count]

    def answers(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """All that the network says of ``crops``: the logits and, where it tells them, the deltas of the boxes."""
        side = self.geometry.size_px
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (side, side, 3):
            raise PictureError(
                f"expected crops uint8 (N, {side}, {side}, 3), got {crops.dtype} {crops.shape}"
            )
        if not len(crops):
            return np.zeros((0, self._logit_count + BOX_DELTAS * self.tells_boxes), np.float32)
        answers = self._in_turns(crops)
        if not np.isfinite(answers).all():
            raise InferenceError("the mask-state classifier answered with numbers that are not finite")
        return answers

    def warm_up(self, face_counts: Sequence[int] = FACE_BUCKETS) -> None:
        """Compile for these numbers of faces, so that the first real ones are judged as fast as the
        others.
        """
        side = self.geometry.size_px
        for count in sorted({min(count, FACE_BUCKETS[-1]) for count in face_counts if count > 0}):
            self._network(np.zeros((count, side, side, 3), np.uint8))

    def _in_turns(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        most = FACE_BUCKETS[-1]
        return np.concatenate(
            [self._network(crops[start : start + most]) for start in range(0, len(crops), most)]
        )


def _from_export(
    weights_path: Path, _device: Device, options: SessionOptions | None
) -> tuple[str, ClassifierConfig, _Network]:
    """The digest of a file, its config, and its network in OpenVINO."""
    from models.mask_state.graph_answers import GraphAnswers  # noqa: PLC0415 - needs OpenVINO
    from models.runtime.cache import exported  # noqa: PLC0415

    export = exported("mask_state", weights_path)
    config = ClassifierConfig.from_mapping(export.facts["config"], origin=weights_path)
    # it takes a hundredth of a look: nothing is won by counting less exactly
    exact = replace(options or SessionOptions(), precision="f32")
    return export.weights_digest, config, GraphAnswers(export, exact)


def _from_weights(
    weights_path: Path, device: Device, _options: SessionOptions | None
) -> tuple[str, ClassifierConfig, _Network]:
    """The digest of a file, its config, and its network in Keras."""
    stored = load_weights(weights_path, architecture=ARCHITECTURE)
    config = ClassifierConfig.from_mapping(stored.config, origin=weights_path)
    from models.mask_state.keras_answers import keras_answers, network_of  # noqa: PLC0415 - needs Keras

    network = network_of(config.network, stored, origin=weights_path, device=device)
    return stored.digest, config, keras_answers(network, device=device, buckets=FACE_BUCKETS)
