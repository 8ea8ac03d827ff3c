"""Backbones: pictures in, feature maps C2 to C5 out."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras

from models.mask_rcnn.backbones.mobilenet_v1 import mobilenet_v1
from models.mask_rcnn.backbones.mobilenet_v2 import mobilenet_v2
from models.mask_rcnn.backbones.resnet import resnet50, resnet101
from models.mask_rcnn.config import Backbone
from models.mask_rcnn.layers import ConvBlocks
from models.weights.keras_variables import named_variables

#: (blocks, normalised pictures, width) to C2 to C5, by the name of ``MaskRcnnConfig.backbone``.
BACKBONES: Final[Mapping[Backbone, Callable[[ConvBlocks, Any, float], list[Any]]]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "resnet50": resnet50,
    "resnet101": resnet101,
}


def backbone_shapes(backbone: Backbone, *, width: float, folded: bool) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a backbone."""
    pictures = keras.Input((None, None, 3))
    model = keras.Model(pictures, BACKBONES[backbone](ConvBlocks(folded=folded), pictures, width))
    return {name: tuple(variable.shape) for name, variable in named_variables(model).items()}
