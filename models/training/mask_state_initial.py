"""What a mask-state network starts from: weights of its own kind, or of an ImageNet backbone.

=======================  ==================================================================================
``.safetensors``         this classifier (what answers may differ), or a backbone that ``ppewatch weights
                         import`` has made of a published file
``.pth``, ``.pth.tar``   PyTorch's MobileNetV1 x0.25 as published with RetinaFace
``.tflite``              TensorFlow's 8-bit MobileNetV1
``.h5``                  weights of ``keras.applications`` without their classifier
``imagenet``             the same, downloaded by Keras
=======================  ==================================================================================
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.mask_rcnn.layers import BATCH_NORM_EPSILON
from models.mask_state.network import (
    ANSWERING_LAYERS,
    ARCHITECTURE,
    MaskStateConfig,
    batch_norms_of,
    build_mask_state_network,
)
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.import_pytorch import backbone_tensors_from_state_dict, state_dict_of
from models.retinaface.torch_files import read_torch_file
from models.weights import load_weights
from models.weights.files import match_tensors
from models.weights.keras_h5 import read_keras_h5
from models.weights.keras_variables import named_variables, tensors_of

#: In place of a file: the weights that ``keras.applications`` downloads.
IMAGENET: Final = Path("imagenet")

_APPLICATIONS: Final = {
    "mobilenet_v1": "MobileNet",
    "mobilenet_v3_small": "MobileNetV3Small",
    "xception": "Xception",
}

Tensors = Mapping[str, NDArray[np.float32]]


def load_initial(network: keras.Model, config: MaskStateConfig, path: Path, pixels: NDArray[np.uint8]) -> str:
    """Give ``network`` the weights of ``path``; say in one line which.

    ``pixels``: uint8 (N, S, S, 3), crops to learn from, on which batch norms that a published file has folded in
    are measured. Raises ``WeightsError`` when the file cannot be read or does not fit the backbone,
    ``TrainingError`` when it cannot be downloaded.
    """
    if path == IMAGENET:
        _assign_in_order(network, _downloaded(config), origin="keras.applications")
    elif path.suffix == ".safetensors":
        stored = load_weights(path)
        if stored.architecture == ARCHITECTURE:
            return _assign_fitting(network, stored.tensors, path)
        _assign_folded(network, config, stored.tensors, pixels, origin=path)
    elif path.suffix == ".tflite":
        from models.mask_rcnn.quantised_tflite import tflite_backbone  # noqa: PLC0415 - loads TensorFlow

        _assign_folded(network, config, tflite_backbone(path, width=config.width)[1], pixels, origin=path)
    elif path.suffix == ".h5":
        _assign_in_order(network, _in_order(path), origin=path)
    else:
        _assign_published_quarter(network, path)
    return f"backbone from {path}"


def _assign_fitting(network: keras.Model, tensors: Tensors, path: Path) -> str:
    """All of the backbone; of what answers, what fits."""
    variables = named_variables(network)
    backbone = _backbone_only(variables)
    match_tensors(
        path,
        {name: tensor for name, tensor in tensors.items() if name.split("/")[0] not in ANSWERING_LAYERS},
        {name: tuple(variable.shape) for name, variable in backbone.items()},
    )
    new = []
    for name, variable in variables.items():
        if name in tensors and tensors[name].shape == tuple(variable.shape):
            variable.assign(tensors[name])
        else:
            new.append(name.split("/")[0])
    return f"weights from {path}; untrained: {', '.join(dict.fromkeys(new)) or 'nothing'}"


def _assign_published_quarter(network: keras.Model, path: Path) -> None:
    state = state_dict_of(read_torch_file(path), origin=path)
    tensors = backbone_tensors_from_state_dict(state, RetinaFaceConfig(), origin=path)
    backbone = _backbone_only(named_variables(network))
    match_tensors(path, tensors, {name: tuple(variable.shape) for name, variable in backbone.items()})
    for name, variable in backbone.items():
        variable.assign(tensors[name])
    # the importer turns the first kernel round for RetinaFace, which takes B, G, R; the classifier takes R, G, B
    first = next(name for name in backbone if name.endswith("/kernel"))
    backbone[first].assign(tensors[first][:, :, ::-1])


def _assign_folded(
    network: keras.Model,
    config: MaskStateConfig,
    tensors: Tensors,
    pixels: NDArray[np.uint8],
    *,
    origin: Path,
) -> None:
    """Kernels and biases of a folded MobileNetV1 as kernels and batch norms: those that leave what passes as it is,
    with the statistics of ``pixels``, so that learning begins where the published network stood."""
    folded = build_mask_state_network(
        MaskStateConfig(size_px=config.size_px, folded=True, backbone=config.backbone, width=config.width)
    )
    variables = _backbone_only(named_variables(folded))
    match_tensors(origin, tensors, {name: tuple(variable.shape) for name, variable in variables.items()})
    for name, variable in variables.items():
        variable.assign(tensors[name])
    batch_norms = batch_norms_of(config)
    answers = [
        statistic
        for conv in batch_norms
        for statistic in keras.ops.moments(folded.get_layer(conv).output, axes=(0, 1, 2))
    ]
    measured = keras.Model(folded.input, answers)(pixels.astype(np.float32), training=False)
    numbers = [np.asarray(keras.ops.convert_to_numpy(value), np.float32) for value in measured]
    own = named_variables(network)
    for place, (conv, norm) in enumerate(batch_norms.items()):
        mean, variance = numbers[2 * place : 2 * place + 2]
        own[f"{conv}/kernel"].assign(tensors[f"{conv}/kernel"])
        own[f"{norm}/gamma"].assign(np.sqrt(variance + BATCH_NORM_EPSILON))
        own[f"{norm}/beta"].assign(mean)
        own[f"{norm}/moving_mean"].assign(mean - tensors[f"{conv}/bias"])
        own[f"{norm}/moving_variance"].assign(variance)


def _downloaded(config: MaskStateConfig) -> list[NDArray[np.float32]]:
    """The weights of ``keras.applications`` for the backbone, in their order."""
    name = _APPLICATIONS.get(config.backbone)
    if name is None:
        raise TrainingError(f"Keras has no weights of {config.backbone}; name a file of them with --init")
    options: dict[str, Any] = {} if config.backbone == "xception" else {"alpha": config.width}
    if config.backbone == "mobilenet_v3_small":
        options["include_preprocessing"] = False
    side = 299 if config.backbone == "xception" else 224
    try:
        model = getattr(keras.applications, name)(
            weights="imagenet", include_top=False, input_shape=(side, side, 3), **options
        )
    except ValueError as error:
        raise TrainingError(f"keras.applications has no such {name}: {error}") from error
    except Exception as error:  # Keras raises nothing narrower when a download fails
        raise TrainingError(
            f"the weights of keras.applications.{name} cannot be downloaded ({error}); download their file without "
            "classifier (notop, .h5) on another machine and name it with --init"
        ) from error
    return list(tensors_of(model).values())


def _in_order(path: Path) -> list[NDArray[np.float32]]:
    return [value for layer in read_keras_h5(path).values() for value in layer.values()]


def _assign_in_order(
    network: keras.Model, values: Sequence[NDArray[np.float32]], *, origin: Path | str
) -> None:
    """Weights without names that last: Keras itself knows them by their order."""
    backbone = _backbone_only(named_variables(network))
    match_tensors(
        origin,
        {str(place): value for place, value in enumerate(values)},
        {str(place): tuple(variable.shape) for place, variable in enumerate(backbone.values())},
    )
    for variable, value in zip(backbone.values(), values, strict=True):
        variable.assign(value)


def _backbone_only(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: variable for name, variable in variables.items() if name.split("/")[0] not in ANSWERING_LAYERS
    }
