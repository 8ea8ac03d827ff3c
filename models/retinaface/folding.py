"""Fold batch norms into the convolutions before them: the same function with two thirds of the memory
traffic."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.networks.folding import Tensors, folded_tensors
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.layers import BATCH_NORM_EPSILON
from models.retinaface.network import batch_norms_of


def fold_batch_norms(
    config: RetinaFaceConfig, tensors: Tensors, *, origin: Path | str
) -> tuple[RetinaFaceConfig, dict[str, NDArray[np.float32]]]:
    """Configuration and tensors of the folded network that computes what ``config`` with ``tensors``
    computes.

    What is folded already comes back as it is. Raises ``WeightsError`` (naming ``origin``) when a tensor is
    missing.
    """
    if config.folded:
        return config, dict(tensors)
    return replace(config, folded=True), folded_tensors(
        batch_norms_of(config), tensors, epsilon=BATCH_NORM_EPSILON, origin=origin
    )
