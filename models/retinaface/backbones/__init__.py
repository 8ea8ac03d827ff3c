"""Backbones: pictures in, feature maps of strides 8, 16 and 32 out."""

from models.retinaface.backbones.mobilenet_v1 import mobilenet_v1_quarter
from models.retinaface.backbones.resnet50 import resnet50

__all__ = ["mobilenet_v1_quarter", "resnet50"]
