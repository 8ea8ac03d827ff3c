"""Mask-state classifiers with made-up weights, for tests that need no trained ones."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.mask_state.crops import CropGeometry
from models.mask_state.network import ARCHITECTURE, MaskStateConfig, build_mask_state_network
from models.weights import save_weights
from models.weights.keras_variables import named_variables


def made_up_mask_state_tensors(config: MaskStateConfig, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Plausible weights for every layer: logits stay of order one."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, variable in named_variables(build_mask_state_network(config)).items():
        shape = tuple(variable.shape)
        if name.endswith("/kernel"):
            fan_in = np.prod(shape[:3]) if len(shape) == 4 and shape[3] > 1 else np.prod(shape[:2])
            value = rng.normal(0, np.sqrt(1.5 / fan_in), shape)
        elif name.endswith(("gamma", "moving_variance")):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = rng.normal(0, 0.1, shape)
        tensors[name] = value.astype(np.float32)
    return tensors


def made_up_mask_state_weights(path: Path, *, size_px: int = 64, seed: int = 0, **config: Any) -> Path:
    """A weights file of an untrained classifier; ``config`` replaces entries of the file's configuration."""
    network, crops = MaskStateConfig(size_px=size_px), CropGeometry(size_px=size_px)
    save_weights(
        path,
        made_up_mask_state_tensors(network, seed),
        architecture=ARCHITECTURE,
        config={"network": network.to_mapping(), "crops": crops.to_mapping(), "temperature": 1.3} | config,
        source="made up",
    )
    return path
