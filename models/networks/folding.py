"""Fold batch norms into the convolutions before them: the same function with two thirds of the memory
traffic."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError

Tensors = Mapping[str, NDArray[np.float32]]


def folded_tensors(
    batch_norms: Mapping[str, str], tensors: Tensors, *, epsilon: float, origin: Path | str
) -> dict[str, NDArray[np.float32]]:
    """``tensors`` with each of ``batch_norms`` (name of a convolution to that of its batch norm) folded.

    A convolution may have a bias of its own. Raises ``WeightsError`` (naming ``origin``) when a tensor is
    missing or does not fit.
    """
    folded = dict(tensors)
    for conv, batch_norm in batch_norms.items():
        try:
            kernel = folded[f"{conv}/kernel"]
            gamma, beta, mean, variance = (
                folded.pop(f"{batch_norm}/{name}")
                for name in ("gamma", "beta", "moving_mean", "moving_variance")
            )
        except KeyError as error:
            raise WeightsError(f"{origin}: {error.args[0]} is missing") from error
        factor = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        bias = folded.get(f"{conv}/bias", np.zeros_like(mean)).astype(np.float64)
        # kernels of depthwise convolutions are (3, 3, C, 1), all others end with their output channels
        depthwise = kernel.shape[-1] == 1 and kernel.shape[-2] == len(factor)
        if not depthwise and kernel.shape[-1] != len(factor):
            raise WeightsError(f"{origin}: {conv}/kernel and {batch_norm}/gamma disagree")
        across = factor[:, None] if depthwise else factor
        folded[f"{conv}/kernel"] = (kernel * across).astype(np.float32)
        folded[f"{conv}/bias"] = (beta + (bias - mean) * factor).astype(np.float32)
    return folded
