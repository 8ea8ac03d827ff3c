"""What the mask-state network can stand on: pictures of faces in, one feature map out.

========================  ================================================================================
``mobilenet_v1_quarter``  MobileNetV1 x0.25 as published with RetinaFace (leaky ReLUs)
``mobilenet_v1``          MobileNetV1 of any width (Howard et al. 2017, arXiv:1704.04861)
``mobilenet_v3_small``    MobileNetV3-Small of any width (Howard et al. 2019, arXiv:1905.02244)
``xception``              Xception (Chollet 2017, arXiv:1610.02357)
========================  ================================================================================

The last two are those of ``keras.applications``, without weights; their batch norms are never folded.

Shapes: N faces, S side of the crop in pixels.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import keras

from models.mask_rcnn import layers as keras_layers
from models.mask_rcnn.backbones.mobilenet_v1 import mobilenet_v1
from models.mask_state.config import Backbone
from models.retinaface import layers as published_layers
from models.retinaface.backbones.mobilenet_v1 import mobilenet_v1 as published_mobilenet_v1

#: Epsilon of the batch norms that can be folded.
BATCH_NORM_EPSILONS: Final[Mapping[Backbone, float]] = {
    "mobilenet_v1_quarter": published_layers.BATCH_NORM_EPSILON,
    "mobilenet_v1": keras_layers.BATCH_NORM_EPSILON,
}

# ImageNet's mean and spread over the three channels, with which the published quarter was trained.
_PIXEL_MEAN: Final = (123.7, 116.3, 103.5)
_PIXEL_SPREAD: Final = (58.4, 57.1, 57.4)

# Layers to which Keras gives the next free number of the process.
_NUMBERED: Final = re.compile(r"(conv2d|batch_normalization)(_\d+)?")


def backbone_features(
    backbone: Backbone, pixels: Any, *, width: float, folded: bool
) -> tuple[Any, dict[str, str]]:
    """Features (N, S/32, S/32, any) of ``pixels`` (N, S, S, 3), RGB 0 to 255; and the name of each
    convolution that can be folded, to the name of the batch norm behind it."""
    if backbone == "mobilenet_v1_quarter":
        published = published_layers.ConvBlocks(folded=folded)
        # zero is the mean colour, with which the first convolution pads
        mean, spread = (keras.ops.array(value, "float32") for value in (_PIXEL_MEAN, _PIXEL_SPREAD))
        features = published_mobilenet_v1(published, (pixels - mean) / spread, 0.25)[-1]
        return features, published.batch_norms
    scaled = pixels / 127.5 - 1.0
    if backbone == "mobilenet_v1":
        blocks = keras_layers.ConvBlocks(folded=folded)
        return mobilenet_v1(blocks, scaled, width)[-1], blocks.batch_norms
    return _APPLICATIONS[backbone](scaled, width), {}


def _mobilenet_v3_small(scaled: Any, width: float) -> Any:
    return keras.applications.MobileNetV3Small(
        input_tensor=scaled, include_top=False, weights=None, alpha=width, include_preprocessing=False
    ).output


def _xception(scaled: Any, _width: float) -> Any:
    base = keras.applications.Xception(input_tensor=scaled, include_top=False, weights=None)
    numbers: dict[str, int] = {}
    for layer in base.layers:
        if match := _NUMBERED.fullmatch(layer.name):
            kind = match.group(1)
            numbers[kind] = numbers.get(kind, 0) + 1
            # weights are stored by name, which must be the same in every process
            layer.name = f"residual_{kind}_{numbers[kind]}"
    return base.output


_APPLICATIONS: Final[Mapping[str, Callable[[Any, float], Any]]] = {
    "mobilenet_v3_small": _mobilenet_v3_small,
    "xception": _xception,
}
