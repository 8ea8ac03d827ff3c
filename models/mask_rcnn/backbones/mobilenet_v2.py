"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) with the names of Keras' own.

Shapes: B images; H, W height and width of the input, multiples of 32.
"""

from typing import Any, Final

from models.mask_rcnn.layers import ConvBlocks

#: Expansion, output channels, number of blocks and stride of the first one, by stage (table 2 of the paper).
_STAGES: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(blocks: ConvBlocks, x: Any, width: float) -> list[Any]:
    """C2 to C5 of (B, H, W, 3), of 24, 32, 96 and 320 channels times ``width``, each half as large as the
    one before."""
    x = blocks.conv(
        x,
        scaled_channels(32, width),
        3,
        stride=2,
        name="Conv1",
        batch_norm="bn_Conv1",
        activation="relu6",
        biased=False,
    )
    features = []
    number = 0
    for expansion, channels, count, first_stride in _STAGES:
        for index in range(count):
            stride = first_stride if index == 0 else 1
            if stride == 2:
                features.append(x)
            x = _inverted_residual(
                blocks, x, scaled_channels(channels, width), expansion=expansion, stride=stride, number=number
            )
            number += 1
    # the first of them is of stride 2, which no pyramid level takes
    return [*features[1:], x]


def scaled_channels(channels: int, width: float) -> int:
    """``channels`` times ``width``, as a multiple of 8 that is no more than a tenth below it."""
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled if scaled >= 0.9 * channels * width else scaled + 8


def _inverted_residual(
    blocks: ConvBlocks, x: Any, channels: int, *, expansion: int, stride: int, number: int
) -> Any:
    prefix = f"block_{number}_" if number else "expanded_conv_"
    shortcut, entering = x, int(x.shape[-1])
    if expansion > 1:
        x = blocks.conv(
            x,
            expansion * entering,
            1,
            name=f"{prefix}expand",
            batch_norm=f"{prefix}expand_BN",
            activation="relu6",
            biased=False,
        )
    x = blocks.depthwise(
        x,
        name=f"{prefix}depthwise",
        batch_norm=f"{prefix}depthwise_BN",
        stride=stride,
        activation="relu6",
    )
    x = blocks.conv(x, channels, 1, name=f"{prefix}project", batch_norm=f"{prefix}project_BN", biased=False)
    return shortcut + x if stride == 1 and entering == channels else x
