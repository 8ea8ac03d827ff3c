"""MobileNetV1 (Howard et al. 2017, arXiv:1704.04861) with the names of Keras' own.

Shapes: B images; H, W height and width of the input, multiples of 32.
"""

from typing import Any, Final

from models.mask_rcnn.layers import ConvBlocks

#: Output channels and stride of each block (table 1 of the paper).
_BLOCKS: Final = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)


def mobilenet_v1(blocks: ConvBlocks, x: Any, width: float) -> list[Any]:
    """C2 to C5 of (B, H, W, 3), of 128, 256, 512 and 1024 channels times ``width``, each half as large as the
    one before."""
    x = _pointwise(blocks, x, int(32 * width), name="conv1", kernel_size=3, stride=2)
    features = []
    for number, (channels, stride) in enumerate(_BLOCKS, start=1):
        if stride == 2:
            features.append(x)
        name = f"conv_dw_{number}"
        x = blocks.depthwise(x, name=name, batch_norm=f"{name}_bn", stride=stride, activation="relu6")
        x = _pointwise(blocks, x, int(channels * width), name=f"conv_pw_{number}")
    # the first of them is of stride 2, which no pyramid level takes
    return [*features[1:], x]


def _pointwise(
    blocks: ConvBlocks, x: Any, channels: int, *, name: str, kernel_size: int = 1, stride: int = 1
) -> Any:
    return blocks.conv(
        x,
        max(1, channels),
        kernel_size,
        stride=stride,
        name=name,
        batch_norm=f"{name}_bn",
        activation="relu6",
        biased=False,
    )
