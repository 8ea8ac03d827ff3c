"""Take over ImageNet weights of ``keras.applications``: ResNet50, ResNet101, MobileNet and MobileNetV2, with or
without their classifier, as ``.h5`` of the Keras 2 layout.

======================================  ===================================================================
Keras                                   here
======================================  ===================================================================
``conv1_conv``, ``conv1_bn``            ``conv1``, ``bn_conv1``
``conv<s>_block<n>_<i>_conv``, ``_bn``  ``res<s><letter>_branch2a``, ``2b``, ``2c`` for i of 1, 2, 3 and
                                        ``branch1`` for 0; ``bn...``; the letter counts the blocks
first kernel of a ResNet                its input channels turned round: they were trained on B, G, R
batch norm of a ResNet, epsilon         the same function of an epsilon of 0.001:
0.00001001                              gamma times sqrt((variance + 0.001) / (variance + 0.00001001))
MobileNets                              the same names; the published MobileNetV2 files have older ones:
``mobl<n>_conv_<n>_<part>``             ``block_<n>_<part>``, ``expanded_conv_<part>`` for n of 0
``bn<n>_conv_<n>_bn_<part>``            ``block_<n>_<part>_BN``, ``expanded_conv_<part>_BN`` for n of 0
======================================  ===================================================================

ResNets take ``caffe`` pictures and MobileNets ``tf`` ones. Keras pads a ResNet's pooling on all sides, Matterport
and we at the right and below: features lie two pixels of the input apart.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.mask_rcnn.backbones import backbone_shapes
from models.mask_rcnn.config import Backbone
from models.mask_rcnn.layers import BATCH_NORM_EPSILON
from models.weights import save_weights
from models.weights.files import match_tensors
from models.weights.keras_h5 import read_keras_h5, tensors_by_name

Tensors = dict[str, NDArray[np.float32]]

_RESNET_EPSILON: Final = 1.001e-5
_RESNET_LAYER: Final = re.compile(r"conv([2-5])_block(\d+)_([0-3])_(conv|bn)")
_RESNET_BRANCHES: Final = ("1", "2a", "2b", "2c")
_OLD_MOBILENET_V2: Final = (
    (re.compile(r"mobl(\d+)_conv_\1_(expand|depthwise|project)"), r"block_\1_\2"),
    (re.compile(r"bn(\d+)_conv_\1_bn_(expand|depthwise|project)"), r"block_\1_\2_BN"),
)

#: Layers behind the backbone: the last convolution of MobileNetV2, which no pyramid takes, and classifiers.
_LEFT_OUT: Final = frozenset(
    {"Conv_1", "Conv_1_bn", "conv_preds", "Logits", "predictions", "probs", "fc1000"}
)


def import_keras_backbone(source: Path, target: Path, *, backbone: Backbone, width: float = 1.0) -> str:
    """Convert weights of ``keras.applications`` into a weights file of the backbone alone; return its digest.

    Arguments and errors are those of ``keras_backbone``.
    """
    tensors = keras_backbone(source, backbone=backbone, width=width)
    return save_weights(
        target,
        tensors,
        architecture=backbone,
        config={"width": width},
        source=f"imported from {source.name} (Keras applications)",
    )


def keras_backbone(source: Path, *, backbone: Backbone, width: float = 1.0) -> Tensors:
    """Tensors of the backbone, batch norms not folded, from a file of ``keras.applications``.

    ``width`` is the multiplier of a MobileNet's channels. Raises ``WeightsError`` when the file cannot be read,
    or names and shapes are not those of that backbone.
    """
    found = tensors_by_name(read_keras_h5(source), origin=source)
    tensors = {name: value for name, value in found.items() if _layer(name) not in _LEFT_OUT}
    if backbone.startswith("resnet"):
        tensors = _from_keras_resnet(tensors)
    elif backbone == "mobilenet_v2":
        tensors = {_mobilenet_v2_name(name): value for name, value in tensors.items()}
    match_tensors(source, tensors, backbone_shapes(backbone, width=width, folded=False))
    return tensors


def _from_keras_resnet(tensors: Mapping[str, NDArray[np.float32]]) -> Tensors:
    found: Tensors = {}
    for name, value in tensors.items():
        layer, _, variable = name.partition("/")
        renamed = {"conv1_conv": "conv1", "conv1_bn": "bn_conv1"}.get(layer, layer)
        if match := _RESNET_LAYER.fullmatch(layer):
            stage, block, part, kind = match.groups()
            letter, branch = chr(ord("a") + int(block) - 1), _RESNET_BRANCHES[int(part)]
            renamed = f"{'bn' if kind == 'bn' else 'res'}{stage}{letter}_branch{branch}"
        if name == "conv1_conv/kernel" and value.ndim == 4:
            value = np.ascontiguousarray(value[:, :, ::-1])  # noqa: PLW2901 - the one kernel that sees colours
        found[f"{renamed}/{variable}"] = value
    for name, gamma in found.items():
        variance = found.get(name.replace("/gamma", "/moving_variance"))
        if name.endswith("/gamma") and variance is not None and variance.shape == gamma.shape:
            wide = variance.astype(np.float64)
            factor = np.sqrt((wide + BATCH_NORM_EPSILON) / (wide + _RESNET_EPSILON))
            found[name] = (gamma * factor).astype(np.float32)
    return found


def _mobilenet_v2_name(name: str) -> str:
    layer, _, variable = name.partition("/")
    for pattern, replacement in _OLD_MOBILENET_V2:
        if match := pattern.fullmatch(layer):
            layer = match.expand(replacement).replace("block_0_", "expanded_conv_")
    return f"{layer}/{variable}"


def _layer(name: str) -> str:
    return name.partition("/")[0]
