"""MobileNetV1 at a quarter of its width (Howard et al. 2017, arXiv:1704.04861) as RetinaFace was published
with it.

Shapes: B images; H, W height and width of the input, multiples of 32.
"""

from typing import Any, Final

from models.retinaface.layers import ConvBlocks

_SLOPE: Final = 0.1

#: Output channels and stride of the depthwise separable blocks behind the first convolution, by stage.
_STAGES: Final = {
    "stage1": ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
    "stage2": ((128, 2), *((128, 1),) * 5),
    "stage3": ((256, 2), (256, 1)),
}


def mobilenet_v1_quarter(blocks: ConvBlocks, x: Any) -> list[Any]:
    """Features of (B, H, W, 3): (B, H/8, W/8, 64), (B, H/16, W/16, 128), (B, H/32, W/32, 256)."""
    x = blocks.conv(x, 8, 3, stride=2, slope=_SLOPE, name="body.stage1.0.0", batch_norm="body.stage1.0.1")
    features = []
    for stage, specification in _STAGES.items():
        # the first convolution is item 0 of stage 1
        first = 1 if stage == "stage1" else 0
        for index, (filters, stride) in enumerate(specification, start=first):
            path = f"body.{stage}.{index}"
            x = blocks.depthwise(x, stride=stride, slope=_SLOPE, name=f"{path}.0", batch_norm=f"{path}.1")
            x = blocks.conv(x, filters, 1, slope=_SLOPE, name=f"{path}.3", batch_norm=f"{path}.4")
        features.append(x)
    return features
