"""What a network starts from: weights of another RetinaFace, of an ImageNet backbone, or none."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.retinaface.config import ARCHITECTURE, RetinaFaceConfig
from models.retinaface.import_mobilenet import MOBILENET_V1, backbone_tensors_from_mobilenet_v1
from models.weights import StoredWeights, load_weights
from models.weights.keras_variables import assign_fitting

#: What an untrained network says of every anchor: that it is a face with this probability (Lin et al. 2017,
#: arXiv:1708.02002, section 4.1). Else the first steps teach nothing but that faces are rare.
FIRST_FACE_PROBABILITY = 0.01


def config_for(backbone: str | None, init: Path | None) -> RetinaFaceConfig:
    """The network of a run: that of ``backbone``, or of the initial weights.

    Raises ``WeightsError`` when these are no weights file, ``TrainingError`` when they do not tell or are
    folded.
    """
    if init is not None:
        stored = load_weights(init)
        if stored.architecture == ARCHITECTURE:
            found = RetinaFaceConfig.from_mapping(stored.config, origin=init)
            if found.folded:
                raise TrainingError(
                    f"{init}: is folded and cannot be trained well; start from what it was made of"
                )
            if backbone in (None, found.backbone):
                return found
    if backbone is None:
        raise TrainingError(f"{init}: is no RetinaFace: the recipe must say which backbone to build")
    return RetinaFaceConfig(backbone=backbone)  # type: ignore[arg-type]


def finds_faces(init: Path | None) -> bool:
    """Whether initial weights are those of a RetinaFace. Raises ``WeightsError`` when they cannot be read."""
    return init is not None and load_weights(init).architecture == ARCHITECTURE


def initialise(network: keras.Model, config: RetinaFaceConfig, init: Path | None) -> str:
    """Give the network every tensor of ``init`` whose name and shape fit; say in one line which.

    Raises ``WeightsError`` when it is no weights file, ``TrainingError`` when nothing of the backbone fits.
    """
    tensors: Mapping[str, NDArray[np.float32]] = {}
    if init is not None:
        tensors = _fitting(load_weights(init), config, init)
    taken, left = assign_fitting(network, tensors)
    if init is not None and not any(name.startswith("body.") for name in taken):
        raise TrainingError(f"{init}: nothing in it fits the backbone {config.backbone}")
    for layer in network.layers:
        if layer.name.startswith("ClassHead.") and f"{layer.name}/bias" in left:
            _expect_background(layer)
    parts = dict.fromkeys(name.split(".")[0].split("/")[0] for name in left)
    return f"{len(taken)} tensors from {init or 'nowhere'}; untrained: {', '.join(parts) or 'nothing'}"


def _fitting(
    stored: StoredWeights, config: RetinaFaceConfig, init: Path
) -> Mapping[str, NDArray[np.float32]]:
    if stored.architecture == MOBILENET_V1:
        return backbone_tensors_from_mobilenet_v1(stored.tensors, config, origin=init)
    if stored.architecture != ARCHITECTURE:
        raise TrainingError(f"{init}: of {stored.architecture} nothing fits a RetinaFace")
    return stored.tensors


def _expect_background(layer: keras.layers.Layer) -> None:
    bias = np.zeros(tuple(layer.bias.shape), np.float32).reshape(-1, 2)
    bias[:, 1] = np.log(FIRST_FACE_PROBABILITY / (1 - FIRST_FACE_PROBABILITY))
    layer.bias.assign(bias.reshape(-1))
