"""The whole network: picture -> backbone -> pyramid -> context -> heads.

Shapes: B images; H, W height and width of the input, multiples of 32; A anchors (see ``anchors``).
"""

from typing import Final

import keras

from models.retinaface.backbones import backbone_features
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.fpn import feature_pyramid
from models.retinaface.heads import head
from models.retinaface.layers import ConvBlocks
from models.retinaface.ssh import context_module

#: Mean of the training pictures, R, G, B. The published network takes B, G, R minus (104, 117, 123).
MEAN_RGB: Final = (123.0, 117.0, 104.0)


def build_retinaface(config: RetinaFaceConfig) -> keras.Model:
    """The network of ``config`` with untrained weights.

    Input: float32 (B, H, W, 3), RGB, 0 to 255, any B and any H and W that are multiples of 32. The mean is
    subtracted inside and not folded into the first convolution's bias: that convolution pads with zeros,
    which stand for the mean colour. The order of the channels is folded: the importer flips the first kernel.

    Outputs: ``box_deltas`` (B, A, 4), ``face_logits`` (B, A, 2; the second says face), ``landmark_deltas``
    (B, A, 10); see ``boxes`` for what the deltas mean.
    """
    blocks = ConvBlocks(folded=config.folded)
    slope = config.slope
    pictures = keras.Input((None, None, 3), name="pictures", dtype="float32")
    x = pictures - keras.ops.array(MEAN_RGB, "float32")
    features = backbone_features(blocks, x, config)
    pyramid = feature_pyramid(blocks, features, config.pyramid_channels, slope=slope)
    context = [
        context_module(blocks, level, config.pyramid_channels, slope=slope, name=f"ssh{number}")
        for number, level in enumerate(pyramid, start=1)
    ]
    outputs = {
        "box_deltas": head(context, 4, name="BboxHead", output="box_deltas"),
        "face_logits": head(context, 2, name="ClassHead", output="face_logits"),
        "landmark_deltas": head(context, 10, name="LandmarkHead", output="landmark_deltas"),
    }
    return keras.Model(pictures, outputs, name="retinaface")


def batch_norms_of(config: RetinaFaceConfig) -> dict[str, str]:
    """Name of each convolution of the network that has a batch norm behind it, to the name of that batch
    norm."""
    blocks = ConvBlocks(folded=True)
    with keras.device("cpu"):
        features = backbone_features(blocks, keras.KerasTensor((1, 64, 64, 3)), config)
        pyramid = feature_pyramid(blocks, features, config.pyramid_channels, slope=0.0)
        for number, level in enumerate(pyramid, start=1):
            context_module(blocks, level, config.pyramid_channels, slope=0.0, name=f"ssh{number}")
    return blocks.batch_norms
