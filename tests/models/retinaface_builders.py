"""Networks with made-up weights, for the tests of RetinaFace."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.retinaface.config import ARCHITECTURE, RetinaFaceConfig
from models.retinaface.network import build_retinaface
from models.weights import save_weights
from models.weights.keras_variables import named_variables


def made_up_tensors(config: RetinaFaceConfig, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Plausible weights for every layer: outputs stay of order one."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, variable in named_variables(build_retinaface(config)).items():
        shape = tuple(variable.shape)
        kind = name.rsplit("/", 1)[1]
        if kind == "kernel":
            fan_in = np.prod(shape[:3]) if shape[3] > 1 else np.prod(shape[:2])
            gain = 0.02 if "Head" in name else 1.5
            value = rng.normal(0, np.sqrt(gain / fan_in), shape)
        elif kind in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = rng.normal(0, 0.1, shape)
        tensors[name] = value.astype(np.float32)
    return tensors


def made_up_weights(path: Path, seed: int = 0) -> Path:
    """A weights file of an untrained MobileNet RetinaFace."""
    config = RetinaFaceConfig()
    save_weights(
        path,
        made_up_tensors(config, seed),
        architecture=ARCHITECTURE,
        config=config.to_mapping(),
        source="made up",
    )
    return path
