"""What a network starts from: weights of another Mask R-CNN, of its backbone, or nothing."""

from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.mask_rcnn.layers import BATCH_NORM_EPSILON
from models.mask_rcnn.network import MaskRcnn
from models.networks.folding import folded_tensors
from models.weights import StoredWeights, load_weights
from models.weights.keras_variables import assign_fitting


def set_initial_weights(
    network: MaskRcnn, path: Path | None, some_pixels: Callable[[], NDArray[np.uint8]]
) -> str:
    """Give the network the weights of ``path``, if any, and settle what is new by ``some_pixels``, uint8
    (B, H, W, 3); say in one line which. Errors are those of ``initialise``."""
    if path is not None:
        line, has_pyramid = initialise(network, path)
        if not has_pyramid:
            settle_pyramid(network, some_pixels())
        return line
    pixels = some_pixels()
    settle_batch_norms(network, pixels)
    settle_pyramid(network, pixels)
    return "starts from nothing"


def initialise(network: MaskRcnn, path: Path) -> tuple[str, bool]:
    """Give the network every tensor of ``path`` whose name and shape fit; say in one line which, and whether
    the pyramid was among them.

    Parts that the file does not have, or has for other categories, stay as they were made. Batch norms are
    folded where the network has them so. Raises
    ``WeightsError`` when it is no weights file, ``TrainingError`` when nothing of the backbone fits or
    folded weights are to be unfolded.
    """
    stored = load_weights(path)
    tensors = _folded_alike(network, stored, path)
    taken, left = assign_fitting(network, tensors)
    untrained = dict.fromkeys(name.split("/")[0] for name in left)
    if not any(name.split("/")[0] not in untrained and not _is_new(name) for name in taken):
        raise TrainingError(f"{path}: nothing in it fits the backbone")
    new = ", ".join(untrained) or "nothing"
    line = f"{len(taken)} tensors of {stored.architecture} from {path}; untrained: {new}"
    return line, "fpn_c2p2/kernel" in taken


def _folded_alike(network: MaskRcnn, stored: StoredWeights, path: Path) -> Mapping[str, NDArray[np.float32]]:
    """The file's tensors with batch norms, or with them folded, as the network has them."""
    normed = {
        conv: norm for conv, norm in network.batch_norms.items() if f"{norm}/moving_mean" in stored.tensors
    }
    if network.config.folded:
        return folded_tensors(normed, stored.tensors, epsilon=BATCH_NORM_EPSILON, origin=path)
    if not normed and any(f"{conv}/kernel" in stored.tensors for conv in network.batch_norms):
        raise TrainingError(
            f"{path}: its batch norms are folded in: the recipe's network must say folded too"
        )
    return stored.tensors


def settle_batch_norms(network: MaskRcnn, pixels: NDArray[np.uint8]) -> None:
    """Give the batch norms of an untrained backbone the mean and the variance that ``pixels`` (B, H, W, 3) have
    there, in one pass.

    They are frozen while the network learns: as they are made, of mean zero and variance one, they would let what
    passes through fifty layers swell or fade.
    """
    norms = [layer for layer in network.trunk.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    network.trunk(pixels.astype(np.float32), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def settle_pyramid(network: MaskRcnn, pixels: NDArray[np.uint8]) -> None:
    """Scale the untrained layers between backbone and pyramid so that what they make of ``pixels``
    (B, H, W, 3) is of size one (LSUV: Mishkin & Matas 2016, arXiv:1511.06422).

    A backbone whose batch norms are folded in answers in tens; nothing above it would bring that down, and
    the first steps would kill the rectified units there.
    """
    for layer in network.trunk.layers:
        if layer.name.startswith("fpn_c"):
            below = keras.Model(network.trunk.inputs, layer.output)
            answers = keras.ops.convert_to_numpy(below([pixels.astype(np.float32)], training=False))
            layer.kernel.assign(layer.kernel / max(1e-6, float(np.asarray(answers, np.float32).std())))


def _is_new(name: str) -> bool:
    """Whether a layer is one that no backbone has."""
    return name.startswith(("fpn_", "rpn_", "mrcnn_"))
