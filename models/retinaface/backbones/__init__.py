"""Backbones: pictures in, feature maps of strides 8, 16 and 32 out."""

from typing import Any

from models.retinaface.backbones.mobilenet_v1 import mobilenet_v1, mobilenet_v1_quarter
from models.retinaface.backbones.resnet50 import resnet50
from models.retinaface.config import MOBILENET_WIDTHS, RetinaFaceConfig
from models.retinaface.layers import ConvBlocks


def backbone_features(blocks: ConvBlocks, x: Any, config: RetinaFaceConfig) -> list[Any]:
    """Features (B, H/8, W/8, any), (B, H/16, W/16, any), (B, H/32, W/32, any) of (B, H, W, 3)."""
    if config.backbone in MOBILENET_WIDTHS:
        return mobilenet_v1(blocks, x, MOBILENET_WIDTHS[config.backbone])
    return resnet50(blocks, x)


__all__ = ["backbone_features", "mobilenet_v1_quarter"]
