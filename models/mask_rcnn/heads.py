"""What a box's features say: class, finer box, pixels.

Shapes: R boxes; K classes, background being 0.
"""

import keras

from models.mask_rcnn.head_sides import BOX_SIDE, SEG_MASK_INPUT_SIDE, SEG_MASK_SIDE
from models.mask_rcnn.layers import ConvBlocks, answer_weights

__all__ = ["BOX_SIDE", "SEG_MASK_INPUT_SIDE", "SEG_MASK_SIDE", "build_box_head", "build_mask_head"]


def build_box_head(blocks: ConvBlocks, channels: int, units: int, class_count: int) -> keras.Model:
    """Features (R, 7, 7, ``channels``) to ``class_logits`` (R, K) and ``box_deltas`` (R, K, 4)."""
    features = keras.Input((BOX_SIDE, BOX_SIDE, channels), name="box_features")
    x = blocks.conv(
        features,
        units,
        BOX_SIDE,
        padding="valid",
        name="mrcnn_class_conv1",
        batch_norm="mrcnn_class_bn1",
        activation="relu",
    )
    x = blocks.conv(x, units, 1, name="mrcnn_class_conv2", batch_norm="mrcnn_class_bn2", activation="relu")
    x = keras.layers.Flatten()(x)
    outputs = {
        "class_logits": keras.layers.Dense(
            class_count, kernel_initializer=answer_weights(), name="mrcnn_class_logits"
        )(x),
        "box_deltas": keras.layers.Reshape((class_count, 4))(
            keras.layers.Dense(4 * class_count, kernel_initializer=answer_weights(), name="mrcnn_bbox_fc")(x)
        ),
    }
    return keras.Model(features, outputs, name="box_head")


def build_mask_head(blocks: ConvBlocks, channels: int, mask_channels: int, class_count: int) -> keras.Model:
    """Features (R, 14, 14, ``channels``) to logits (R, 28, 28, K) of each pixel for each class."""
    features = keras.Input((SEG_MASK_INPUT_SIDE, SEG_MASK_INPUT_SIDE, channels), name="mask_features")
    x = features
    for number in range(1, 5):
        x = blocks.conv(
            x,
            mask_channels,
            3,
            name=f"mrcnn_mask_conv{number}",
            batch_norm=f"mrcnn_mask_bn{number}",
            activation="relu",
        )
    x = keras.layers.Conv2DTranspose(
        mask_channels, 2, strides=2, activation="relu", name="mrcnn_mask_deconv"
    )(x)
    return keras.Model(features, keras.layers.Conv2D(class_count, 1, name="mrcnn_mask")(x), name="mask_head")
