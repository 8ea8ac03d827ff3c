"""What a network starts from: weights of another Mask R-CNN, or of its backbone."""

from pathlib import Path

import numpy as np

from models.errors import TrainingError
from models.mask_rcnn.network import MaskRcnn
from models.weights import load_weights
from models.weights.keras_variables import named_variables


def initialise(network: MaskRcnn, path: Path) -> str:
    """Give the network every tensor of ``path`` whose name and shape fit; say in one line which.

    Parts that the file does not have, or has for other categories, stay as they were made. Raises
    ``WeightsError`` when it is no weights file, ``TrainingError`` when nothing of the backbone fits.
    """
    stored = load_weights(path)
    taken, left = [], []
    for name, variable in named_variables(network).items():
        tensor = stored.tensors.get(name)
        if tensor is not None and tuple(tensor.shape) == tuple(variable.shape):
            variable.assign(np.asarray(tensor))
            taken.append(name)
        else:
            left.append(name.split("/")[0])
    if not any(name.split("/")[0] not in left and not _is_new(name) for name in taken):
        raise TrainingError(f"{path}: nothing in it fits the backbone")
    new = ", ".join(dict.fromkeys(left)) or "nothing"
    return f"{len(taken)} tensors of {stored.architecture} from {path}; untrained: {new}"


def _is_new(name: str) -> bool:
    """Whether a layer is one that no backbone has."""
    return name.startswith(("fpn_", "rpn_", "mrcnn_"))
