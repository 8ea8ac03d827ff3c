"""Take over MobileNets that were published as 8-bit TFLite files, to start training from.

TensorFlow's own MobileNets have their batch norms folded in; so have the layers that they become here.

=======================================================  =============================================
published                                                here
=======================================================  =============================================
``MobilenetV1/MobilenetV1/Conv2d_0``                     ``conv1``
``MobilenetV1/MobilenetV1/Conv2d_<n>_depthwise``         ``conv_dw_<n>``
``MobilenetV1/MobilenetV1/Conv2d_<n>_pointwise``         ``conv_pw_<n>``
``MobilenetV2/Conv``                                     ``Conv1``
``MobilenetV2/expanded_conv/<part>``                     ``expanded_conv_<part>``
``MobilenetV2/expanded_conv_<n>/<part>``                 ``block_<n>_<part>``
=======================================================  =============================================

Both take pictures as -1..1 (normalisation ``tf``). What lies
behind the backbone is left out: the classifier, and the last convolution of MobileNetV2.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.mask_rcnn.backbones import backbone_shapes
from models.mask_rcnn.config import Backbone
from models.mask_rcnn.tflite_files import read_tflite_convolutions
from models.weights import save_weights
from models.weights.files import match_tensors

_LAYER_NAMES: Final[tuple[tuple[re.Pattern[str], Backbone, str], ...]] = (
    (re.compile(r"(?:MobilenetV1/){2}Conv2d_0"), "mobilenet_v1", r"conv1"),
    (re.compile(r"(?:MobilenetV1/){2}Conv2d_(\d+)_depthwise"), "mobilenet_v1", r"conv_dw_\1"),
    (re.compile(r"(?:MobilenetV1/){2}Conv2d_(\d+)_pointwise"), "mobilenet_v1", r"conv_pw_\1"),
    (re.compile(r"MobilenetV2/Conv"), "mobilenet_v2", r"Conv1"),
    (re.compile(r"MobilenetV2/expanded_conv/(depthwise|project)"), "mobilenet_v2", r"expanded_conv_\1"),
    (
        re.compile(r"MobilenetV2/expanded_conv_(\d+)/(expand|depthwise|project)"),
        "mobilenet_v2",
        r"block_\1_\2",
    ),
)


def import_tflite_backbone(source: Path, target: Path, *, width: float = 1.0) -> str:
    """Convert a published 8-bit MobileNet into a weights file of its folded backbone; return its digest.

    Arguments and errors are those of ``tflite_backbone``.
    """
    backbone, tensors = tflite_backbone(source, width=width)
    return save_weights(
        target,
        tensors,
        architecture=backbone,
        config={"width": width},
        source=f"imported from {source.name} (TFLite, 8 bits)",
    )


def tflite_backbone(source: Path, *, width: float = 1.0) -> tuple[Backbone, dict[str, NDArray[np.float32]]]:
    """Which backbone is in a file, and the tensors of its folded form.

    ``width`` is the multiplier of its channels. Raises ``WeightsError`` when the file cannot be read, or names
    and shapes are not those of a MobileNet of that width.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    found: set[Backbone] = set()
    for convolution in read_tflite_convolutions(source):
        for pattern, backbone, replacement in _LAYER_NAMES:
            if match := pattern.fullmatch(convolution.name):
                name = match.expand(replacement)
                tensors[f"{name}/kernel"] = convolution.kernel
                tensors[f"{name}/bias"] = convolution.bias
                found.add(backbone)
    if len(found) != 1:
        raise WeightsError(f"{source}: is no MobileNet of TensorFlow's")
    (backbone,) = found
    match_tensors(source, tensors, backbone_shapes(backbone, width=width, folded=True))
    return backbone, tensors
