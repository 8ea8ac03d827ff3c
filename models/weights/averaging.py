"""The mean of several weights files of one network that were trained on from the same ones: often better than each of
them, at the price of one ("Model soups", Wortsman et al. 2022, arXiv:2203.05482).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.errors import WeightsError
from models.weights.files import load_weights, save_weights


def average_weights(files: Sequence[Path], target: Path) -> str:
    """Write the mean of ``files``, at least two, to ``target`` and return its digest.

    Raises ``WeightsError`` when they are not of one architecture, config and shape, or a file cannot be read.
    """
    if len(files) < 2:
        raise WeightsError(f"one file has no mean: {', '.join(map(str, files)) or 'none given'}")
    first, *others = (load_weights(file) for file in files)
    for file, other in zip(files[1:], others, strict=True):
        if (other.architecture, other.config) != (first.architecture, first.config):
            raise WeightsError(f"{file}: is of another network than {files[0]}")
        if {name: value.shape for name, value in other.tensors.items()} != {
            name: value.shape for name, value in first.tensors.items()
        }:
            raise WeightsError(f"{file}: holds other tensors than {files[0]}")
    mean = {
        name: np.mean([one.tensors[name].astype(np.float64) for one in (first, *others)], axis=0).astype(
            np.float32
        )
        for name in first.tensors
    }
    source = f"mean of {len(files)} stages; the first: {first.source}"
    return save_weights(
        target, mean, architecture=first.architecture, config=dict(first.config), source=source
    )
