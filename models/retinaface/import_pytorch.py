"""Take over the weights that were published for PyTorch (biubug6/Pytorch_Retinaface).

Their module paths are our layer names; what remains is the order of axes:

===============================  =========================================================================
PyTorch                          here
===============================  =========================================================================
``<conv>.weight`` (O, I, h, w)   ``<conv>/kernel`` (h, w, I, O)
the same, depthwise (C, 1, h, w)  ``<conv>/kernel`` (h, w, C, 1)
the first one                    its input channels turned round: the published network takes B, G, R
``<bn>.weight``, ``.bias``       ``<bn>/gamma``, ``/beta``
``<bn>.running_mean``, ``_var``  ``<bn>/moving_mean``, ``/moving_variance``
===============================  =========================================================================
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.retinaface.config import ARCHITECTURE, Backbone, RetinaFaceConfig
from models.retinaface.network import build_retinaface
from models.retinaface.torch_files import read_torch_file
from models.weights import save_weights
from models.weights.files import match_tensors

Tensors = dict[str, NDArray[np.float32]]

_BATCH_NORM_NAMES: Final = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def import_retinaface(source: Path, target: Path, *, backbone: Backbone = "mobilenet0.25") -> str:
    """Convert a published RetinaFace ``.pth`` into a weights file and return its digest.

    Raises ``WeightsError`` when the file cannot be read, names anything but tensors, or is of another
    network.
    """
    config = RetinaFaceConfig(backbone=backbone)
    state = state_dict_of(read_torch_file(source), origin=source)
    tensors = tensors_from_state_dict(state, config, origin=source)
    return save_weights(
        target,
        tensors,
        architecture=ARCHITECTURE,
        config=config.to_mapping(),
        source=f"imported from {source.name} (PyTorch)",
    )


def state_dict_of(content: Any, *, origin: Path | str) -> dict[str, NDArray[Any]]:
    """The state dict in the content of a PyTorch file: itself, or under ``state_dict`` in a training
    checkpoint.

    Without the ``module.`` that ``DataParallel`` puts before every name and without counters of batches.
    Raises ``WeightsError`` (naming ``origin``) when there is none.
    """
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise WeightsError(f"{origin}: holds no state dict")
    state = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray):
            raise WeightsError(f"{origin}: holds no state dict: {name!r} is no tensor")
        if not name.endswith(".num_batches_tracked"):
            state[name.removeprefix("module.")] = value
    return state


def tensors_from_state_dict(
    state: Mapping[str, NDArray[Any]], config: RetinaFaceConfig, *, origin: Path | str
) -> Tensors:
    """Our tensors of the (unfolded) network of ``config`` from a state dict in the published naming.

    Raises ``WeightsError`` (naming ``origin``) when names or shapes are not exactly those of that network.
    """
    wanted = _published_names(build_retinaface(config))
    match_tensors(origin, state, {published: shape for _, published, shape, _ in wanted})
    return {
        name: np.ascontiguousarray(_converted(state[published], kind), np.float32)
        for name, published, _, kind in wanted
    }


def state_dict_from_tensors(tensors: Mapping[str, NDArray[np.float32]], config: RetinaFaceConfig) -> Tensors:
    """The way back: a state dict in the published naming and order of axes."""
    return {
        published: np.ascontiguousarray(_reverted(tensors[name], kind))
        for name, published, _, kind in _published_names(build_retinaface(config))
    }


def backbone_tensors_from_state_dict(
    state: Mapping[str, NDArray[Any]], config: RetinaFaceConfig, *, origin: Path | str
) -> Tensors:
    """Our tensors of the backbone alone, from the state dict of an ImageNet classifier (its ``fc`` is left
    out).

    Raises ``WeightsError`` (naming ``origin``) when names or shapes are not exactly those of that backbone.
    """
    wanted = [row for row in _published_names(build_retinaface(config)) if row[1].startswith("body.")]
    body = {f"body.{name}": value for name, value in state.items() if not name.startswith("fc.")}
    match_tensors(origin, body, {published: shape for _, published, shape, _ in wanted})
    return {
        name: np.ascontiguousarray(_converted(body[published], kind), np.float32)
        for name, published, _, kind in wanted
    }


def _published_names(model: keras.Model) -> list[tuple[str, str, tuple[int, ...], str]]:
    """Our name, published name, published shape and kind of each weight of the network."""
    rows = []
    first = True
    for layer in model.layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if isinstance(layer, keras.layers.BatchNormalization):
                published, kind = _BATCH_NORM_NAMES[variable.name], "vector"
            elif variable.name == "bias":
                published, kind = "bias", "vector"
            elif isinstance(layer, keras.layers.DepthwiseConv2D):
                published, kind, shape = "weight", "depthwise", (shape[2], 1, *shape[:2])
            else:
                kind = "first" if first else "kernel"
                published, shape, first = "weight", (shape[3], shape[2], *shape[:2]), False
            rows.append((f"{layer.name}/{variable.name}", f"{layer.name}.{published}", shape, kind))
    return rows


def _converted(value: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "vector":
        return value
    if kind == "depthwise":
        return value.transpose(2, 3, 0, 1)
    kernel = value.transpose(2, 3, 1, 0)
    return kernel[:, :, ::-1] if kind == "first" else kernel


def _reverted(value: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "vector":
        return value
    if kind == "depthwise":
        return value.transpose(2, 3, 0, 1)
    kernel = value[:, :, ::-1] if kind == "first" else value
    return kernel.transpose(3, 2, 0, 1)
