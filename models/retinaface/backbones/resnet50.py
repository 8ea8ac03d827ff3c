"""ResNet-50 (He et al. 2015, arXiv:1512.03385; stride in the 3 x 3 convolution, as torchvision has it).

Shapes: B images; H, W height and width of the input, multiples of 32.
"""

from typing import Any, Final

import keras

from models.retinaface.layers import ConvBlocks, activated

#: Bottleneck channels, number of blocks and stride of the first block, by stage.
_STAGES: Final = {"layer1": (64, 3, 1), "layer2": (128, 4, 2), "layer3": (256, 6, 2), "layer4": (512, 3, 2)}


def resnet50(blocks: ConvBlocks, x: Any) -> list[Any]:
    """Features of (B, H, W, 3): (B, H/8, W/8, 512), (B, H/16, W/16, 1024), (B, H/32, W/32, 2048)."""
    x = blocks.conv(x, 64, 7, stride=2, slope=0.0, name="body.conv1", batch_norm="body.bn1")
    # zeros as padding are right: nothing is below zero behind a ReLU
    x = keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(x))
    features = []
    for stage, (channels, count, first_stride) in _STAGES.items():
        for index in range(count):
            stride = first_stride if index == 0 else 1
            x = _bottleneck(
                blocks, x, channels, stride=stride, path=f"body.{stage}.{index}", widens=index == 0
            )
        features.append(x)
    return features[1:]


def _bottleneck(blocks: ConvBlocks, x: Any, channels: int, *, stride: int, path: str, widens: bool) -> Any:
    shortcut = x
    if widens:
        shortcut = blocks.conv(
            x,
            4 * channels,
            1,
            stride=stride,
            name=f"{path}.downsample.0",
            batch_norm=f"{path}.downsample.1",
        )
    x = blocks.conv(x, channels, 1, slope=0.0, name=f"{path}.conv1", batch_norm=f"{path}.bn1")
    x = blocks.conv(x, channels, 3, stride=stride, slope=0.0, name=f"{path}.conv2", batch_norm=f"{path}.bn2")
    x = blocks.conv(x, 4 * channels, 1, name=f"{path}.conv3", batch_norm=f"{path}.bn3")
    return activated(x + shortcut, 0.0)
