"""Start the wider backbones from MobileNetV1's ImageNet weights, as ``mask_rcnn.quantised_tflite`` imports them.

===========================  ==============================================================================
``conv1``                    ``body.stage1.0.0``
``conv_dw_<n>``              the first convolution of block n, ``<block>.0``
``conv_pw_<n>``              its second one, ``<block>.3``
===========================  ==============================================================================

There, pictures are -1..1 and batch norms folded in. Here they are pixels minus a mean: the scale goes into the
first kernel, the offset and all biases into batch norms that do nothing else (the picture's rim differs, where
zeros are padded). Strided convolutions look one pixel further up and left here.

Narrower networks get the channels of the largest kernels (Li et al. 2017, arXiv:1608.08710): better than
random ones, no substitute for training.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.retinaface.backbones.mobilenet_v1 import block_paths
from models.retinaface.config import MOBILENET_WIDTHS, RetinaFaceConfig
from models.retinaface.layers import BATCH_NORM_EPSILON
from models.retinaface.network import MEAN_RGB

Tensors = dict[str, NDArray[np.float32]]

#: The name under which weights files know the imported backbone.
MOBILENET_V1: Final = "mobilenet_v1"

#: Middle and half of the span of pixels that is -1..1 there.
_MIDDLE: Final = 127.5


def backbone_tensors_from_mobilenet_v1(
    tensors: Mapping[str, NDArray[np.float32]], config: RetinaFaceConfig, *, origin: Path | str
) -> Tensors:
    """Tensors of the backbone of ``config`` from those of a folded MobileNetV1 of at least its width.

    Raises ``WeightsError`` (naming ``origin``) when the backbone is no MobileNetV1, is wider, or a tensor is
    missing.
    """
    width = MOBILENET_WIDTHS.get(config.backbone)
    if width is None:
        raise WeightsError(f"{origin}: is a MobileNetV1, which {config.backbone} cannot start from")
    try:
        kernel, bias = tensors["conv1/kernel"], tensors["conv1/bias"]
        share = width * 32 / kernel.shape[3]
        if share > 1:
            raise WeightsError(f"{origin}: is narrower than {config.backbone}")
        offset = (np.array(MEAN_RGB) - _MIDDLE) / _MIDDLE
        bias = bias + (kernel * offset[:, None]).sum(axis=(0, 1, 2))
        chosen = _largest(kernel, share)
        result = _convolution(
            "body.stage1.0.0", "body.stage1.0.1", kernel[..., chosen] / _MIDDLE, bias[chosen]
        )
        for number, path in enumerate(block_paths(), start=1):
            depthwise = tensors[f"conv_dw_{number}/kernel"][:, :, chosen]
            bias = tensors[f"conv_dw_{number}/bias"][chosen]
            result |= _convolution(f"{path}.0", f"{path}.1", depthwise, bias)
            pointwise = tensors[f"conv_pw_{number}/kernel"]
            before, chosen = chosen, _largest(pointwise, share)
            bias = tensors[f"conv_pw_{number}/bias"][chosen]
            result |= _convolution(f"{path}.3", f"{path}.4", pointwise[:, :, before][..., chosen], bias)
    except KeyError as error:
        raise WeightsError(f"{origin}: {error.args[0]} is missing") from error
    return result


def _largest(kernel: NDArray[np.float32], share: float) -> NDArray[np.intp]:
    """The output channels of (h, w, in, out) to keep, in order."""
    sizes = np.abs(kernel).sum(axis=(0, 1, 2))
    return np.sort(np.argsort(-sizes, kind="stable")[: round(share * len(sizes))])


def _convolution(
    name: str, batch_norm: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]
) -> Tensors:
    ones, zeros = np.ones(len(bias), np.float32), np.zeros(len(bias), np.float32)
    return {
        f"{name}/kernel": np.ascontiguousarray(kernel, np.float32),
        f"{batch_norm}/gamma": ones,
        f"{batch_norm}/beta": bias.astype(np.float32),
        f"{batch_norm}/moving_mean": zeros,
        f"{batch_norm}/moving_variance": ones - np.float32(BATCH_NORM_EPSILON),
    }
