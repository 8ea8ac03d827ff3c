"""MobileNetV1 (Howard et al. 2017, arXiv:1704.04861): at a quarter of its width as RetinaFace was published
with it, wider ones as ImageNet weights of TensorFlow's know them.

Shapes: B images; H, W height and width of the input, multiples of 32.
"""

from typing import Any, Final

from models.retinaface.layers import ConvBlocks

#: Output channels at full width and stride of the depthwise separable blocks behind the first convolution,
#: by stage.
_STAGES: Final = {
    "stage1": ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)),
    "stage2": ((512, 2), *((512, 1),) * 5),
    "stage3": ((1024, 2), (1024, 1)),
}


def mobilenet_v1(blocks: ConvBlocks, x: Any, width: float) -> list[Any]:
    """Features of (B, H, W, 3): (B, H/8, W/8, 256), (B, H/16, W/16, 512), (B, H/32, W/32, 1024), channels
    times ``width``."""
    slope, ceiling = _activation(width)
    x = blocks.conv(
        x,
        int(32 * width),
        3,
        stride=2,
        slope=slope,
        ceiling=ceiling,
        name="body.stage1.0.0",
        batch_norm="body.stage1.0.1",
    )
    features = []
    for stage, specification in _STAGES.items():
        for path, (channels, stride) in zip(block_paths(stage), specification, strict=True):
            x = blocks.depthwise(
                x,
                stride=stride,
                slope=slope,
                ceiling=ceiling,
                name=f"{path}.0",
                batch_norm=f"{path}.1",
            )
            x = blocks.conv(
                x,
                int(channels * width),
                1,
                slope=slope,
                ceiling=ceiling,
                name=f"{path}.3",
                batch_norm=f"{path}.4",
            )
        features.append(x)
    return features


def mobilenet_v1_quarter(blocks: ConvBlocks, x: Any) -> list[Any]:
    """Features of (B, H, W, 3): (B, H/8, W/8, 64), (B, H/16, W/16, 128), (B, H/32, W/32, 256)."""
    return mobilenet_v1(blocks, x, 0.25)


def block_paths(*stages: str) -> list[str]:
    """Layer paths of the depthwise separable blocks of some stages, or of all, in order."""
    return [
        # the first convolution is item 0 of stage 1
        f"body.{stage}.{index + (stage == 'stage1')}"
        for stage in stages or _STAGES
        for index in range(len(_STAGES[stage]))
    ]


def _activation(width: float) -> tuple[float, float | None]:
    # as their initial weights were trained
    return (0.1, None) if width == 0.25 else (0.0, 6.0)
