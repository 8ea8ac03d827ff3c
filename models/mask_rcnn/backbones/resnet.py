"""ResNet-50 and -101 (He et al. 2016, arXiv:1512.03385) with Matterport's names, strides and biases.

Shapes: B images; H, W height and width of the input, multiples of 32.
"""

from functools import partial
from typing import Any, Final

import keras

from models.mask_rcnn.layers import ConvBlocks

#: Blocks of stages 2 to 5 (table 1 of the paper).
RESNET50_DEPTHS: Final = (3, 4, 6, 3)
RESNET101_DEPTHS: Final = (3, 4, 23, 3)


def resnet(blocks: ConvBlocks, x: Any, width: float, *, depths: tuple[int, ...]) -> list[Any]:
    """C2 to C5 of (B, H, W, 3), of 256, 512, 1024 and 2048 channels times ``width`` (rounded down), each half
    as large as the one before."""
    x = keras.layers.ZeroPadding2D(3)(x)
    x = blocks.conv(
        x,
        _scaled(64, width),
        7,
        stride=2,
        padding="valid",
        name="conv1",
        batch_norm="bn_conv1",
        activation="relu",
    )
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    features = []
    for stage, depth in enumerate(depths, start=2):
        channels = _scaled(64 * 2 ** (stage - 2), width)
        for index in range(depth):
            stride = 2 if stage > 2 and index == 0 else 1
            name = f"{stage}{chr(ord('a') + index)}_branch"
            x = _bottleneck(blocks, x, channels, name=name, stride=stride, projected=index == 0)
        features.append(x)
    return features


resnet50 = partial(resnet, depths=RESNET50_DEPTHS)
resnet101 = partial(resnet, depths=RESNET101_DEPTHS)


def _bottleneck(blocks: ConvBlocks, x: Any, channels: int, *, name: str, stride: int, projected: bool) -> Any:
    """One block. As in the paper, and unlike PyTorch's ResNets, its first 1 x 1 has the stride."""

    def conv(x: Any, filters: int, kernel_size: int, branch: str, *, stride: int = 1) -> Any:
        return blocks.conv(
            x,
            filters,
            kernel_size,
            stride=stride,
            name=f"res{name}{branch}",
            batch_norm=f"bn{name}{branch}",
            activation="relu" if branch in ("2a", "2b") else None,
        )

    inner = conv(x, channels, 1, "2a", stride=stride)
    inner = conv(inner, channels, 3, "2b")
    inner = conv(inner, 4 * channels, 1, "2c")
    shortcut = conv(x, 4 * channels, 1, "1", stride=stride) if projected else x
    return keras.ops.relu(inner + shortcut)


def _scaled(channels: int, width: float) -> int:
    return max(1, int(channels * width))
