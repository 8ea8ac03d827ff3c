"""The mask-state classifier, ready to run: crops in, calibrated states out.

Shapes: N faces, S side of the crops in pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import InferenceError, PictureError, WeightsError
from models.mask_state.backbones import BATCH_NORM_EPSILONS
from models.mask_state.boxes import boxes_of
from models.mask_state.calibration import MaskStates, mask_states
from models.mask_state.crops import CropGeometry
from models.mask_state.network import (
    ARCHITECTURE,
    BOX_DELTAS,
    LOGITS,
    MaskStateConfig,
    batch_norms_of,
    build_mask_state_network,
)
from models.networks.compiled import CompiledBatchFunction, Device, resolved_device
from models.networks.folding import folded_tensors
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors

#: Faces per call of the network at most; above, calls follow each other, which bounds the memory.
FACE_BUCKETS: Final = (1, 4, 16, 64)


class MaskStateClassifier:
    """Tells from crops of faces how a face mask is worn, with the weights of one file.

    ``geometry`` says how the crops must be cut (see ``crops``). Raises ``WeightsError`` when the file is not
    one of this classifier, ``DeviceError`` when ``device`` is not there. Not for several threads at once.
    """

    def __init__(self, weights_path: Path, *, device: Device = "auto") -> None:
        stored = load_weights(weights_path, architecture=ARCHITECTURE)
        given = set(stored.config) - {"kind_temperature"}
        if given != {"network", "crops", "temperature"}:
            raise WeightsError(f"{weights_path}: its config is not one of a mask-state classifier")
        config = MaskStateConfig.from_mapping(stored.config["network"], origin=weights_path)
        self.geometry = CropGeometry.from_mapping(stored.config["crops"], origin=weights_path)
        self.temperature = _temperature(stored.config["temperature"], weights_path)
        self.kind_temperature = _temperature(stored.config.get("kind_temperature", 1.0), weights_path)
        self._logit_count, self.tells_boxes = config.logits, config.box
        if self.geometry.size_px != config.size_px:
            raise WeightsError(f"{weights_path}: crops of {self.geometry.size_px} do not fit the network")
        tensors = dict(stored.tensors)
        if not config.folded and batch_norms_of(config):
            tensors = folded_tensors(
                batch_norms_of(config),
                tensors,
                epsilon=BATCH_NORM_EPSILONS[config.backbone],
                origin=weights_path,
            )
            config = replace(config, folded=True)
        with keras.device(resolved_device(device)):
            network = build_mask_state_network(config)
            assign_tensors(network, tensors, origin=weights_path)
        self.digest = stored.digest
        self._answers = CompiledBatchFunction(
            lambda crops: (network(keras.ops.cast(crops, "float32"), training=False),),
            device=device,
            buckets=FACE_BUCKETS,
        )

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
        (answers,) = self._answers(crops)
        if not np.isfinite(answers).all():
            raise InferenceError("the mask-state classifier answered with numbers that are not finite")
        return answers

    def warm_up(self, face_counts: Sequence[int] = FACE_BUCKETS) -> None:
        """Compile for these numbers of faces, so that the first real ones are judged as fast as the
        others.
        """
        side = self.geometry.size_px
        for count in sorted({min(count, FACE_BUCKETS[-1]) for count in face_counts if count > 0}):
            self._answers(np.zeros((count, side, side, 3), np.uint8))


def _temperature(value: Any, origin: Path) -> float:
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise WeightsError(f"{origin}: its temperature is {value!r}")
    return float(value)
