"""Mask R-CNN composed as Matterport composes it, apart from our own: what the importer is measured against."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers as kl

PYRAMID, RPN, UNITS, MASK = 16, 24, 32, 8


def reference_network(class_count: int, *, depth_of_stage_4: int = 6) -> keras.Model:
    """Pictures less the mean colour and pooled features of boxes, to what RPN and heads answer.

    Inputs ``image`` (B, H, W, 3), ``pooled_7`` (B, R, 7, 7, C), ``pooled_14`` (B, R, 14, 14, C). Outputs: P2 to
    P6, RPN logits and deltas (dy, dx, log dh, log dw), class logits and deltas of boxes, probabilities of pixels.
    """
    image = keras.Input((None, None, 3), name="input_image")
    levels = _pyramid(_resnet(image, (3, 4, depth_of_stage_4, 3)))
    rpn = _rpn_model()
    answers = [rpn([level]) for level in levels]
    rpn_logits, _, rpn_deltas = (kl.Concatenate(axis=1)(list(parts)) for parts in zip(*answers, strict=True))
    pooled_7 = keras.Input((None, 7, 7, PYRAMID), name="pooled_7")
    x = _distributed(kl.Conv2D(UNITS, 7, padding="valid"), "mrcnn_class_conv1")(pooled_7)
    x = _distributed(kl.BatchNormalization(), "mrcnn_class_bn1")(x)
    x = kl.Activation("relu")(x)
    x = _distributed(kl.Conv2D(UNITS, 1), "mrcnn_class_conv2")(x)
    x = _distributed(kl.BatchNormalization(), "mrcnn_class_bn2")(x)
    x = kl.Activation("relu")(x)
    shared = kl.Lambda(lambda x: keras.ops.squeeze(keras.ops.squeeze(x, 3), 2), name="pool_squeeze")(x)
    class_logits = _distributed(kl.Dense(class_count), "mrcnn_class_logits")(shared)
    box_deltas = _distributed(kl.Dense(4 * class_count), "mrcnn_bbox_fc")(shared)
    pooled_14 = keras.Input((None, 14, 14, PYRAMID), name="pooled_14")
    x = pooled_14
    for number in range(1, 5):
        x = _distributed(kl.Conv2D(MASK, 3, padding="same"), f"mrcnn_mask_conv{number}")(x)
        x = _distributed(kl.BatchNormalization(), f"mrcnn_mask_bn{number}")(x)
        x = kl.Activation("relu")(x)
    x = _distributed(kl.Conv2DTranspose(MASK, 2, strides=2, activation="relu"), "mrcnn_mask_deconv")(x)
    pixels = _distributed(kl.Conv2D(class_count, 1, activation="sigmoid"), "mrcnn_mask")(x)
    outputs = [*levels, rpn_logits, rpn_deltas, class_logits, box_deltas, pixels]
    return keras.Model([image, pooled_7, pooled_14], outputs, name="mask_rcnn")


def give_made_up_weights(model: keras.Model, *, seed: int) -> None:
    """Weights that keep the size of what flows, with statistics as a trained network has them."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.name
        if name == "kernel":
            value = generator.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
        elif name == "depthwise_kernel":
            value = generator.normal(0, 1 / 3, shape)
        elif name in ("gamma", "moving_variance"):
            value = generator.uniform(0.5, 1.5, shape)
        else:
            value = generator.normal(0, 0.2, shape)
        variable.assign(value.astype(np.float32))


def write_as_keras_2(path: Path, model: keras.Model) -> Path:
    """Write the model as ``save_weights`` of Keras 2 did."""
    with h5py.File(path, "w") as file:
        set_names(file, "layer_names", [layer.name for layer in model.layers])
        for layer in model.layers:
            group = file.create_group(layer.name)
            inner_layers = layer.layers if isinstance(layer, keras.Model) else [layer]
            weights = {
                f"{inner.name}/{variable.name}:0": variable
                for inner in inner_layers
                for variable in inner.weights
            }
            set_names(group, "weight_names", weights)
            for name, variable in weights.items():
                group[name] = np.asarray(variable)
    return path


def set_names(group: h5py.Group, attribute: str, names: Iterable[str]) -> None:
    """Names as Keras 2 wrote them: an array of bytes of one length."""
    group.attrs[attribute] = np.array([name.encode() for name in names])


def names_of(group: h5py.Group, attribute: str) -> list[str]:
    """The way back."""
    return [name.decode() for name in group.attrs[attribute]]


def _distributed(layer: kl.Layer, name: str) -> kl.Layer:
    return kl.TimeDistributed(layer, name=name)


def _resnet(x: keras.KerasTensor, depths: Sequence[int]) -> list[keras.KerasTensor]:
    x = kl.ZeroPadding2D((3, 3))(x)
    x = kl.Conv2D(64, (7, 7), strides=(2, 2), name="conv1")(x)
    x = kl.Activation("relu")(kl.BatchNormalization(name="bn_conv1")(x))
    x = kl.MaxPooling2D((3, 3), strides=(2, 2), padding="same")(x)
    found = []
    for stage, depth in zip("2345", depths, strict=True):
        channels = 64 * 2 ** (int(stage) - 2)
        for letter in "abcdefghijklmnopqrstuvw"[:depth]:
            first = letter == "a"
            strides = (2, 2) if first and stage != "2" else (1, 1)
            name = f"{stage}{letter}_branch"
            y = kl.Conv2D(channels, (1, 1), strides=strides, name=f"res{name}2a")(x)
            y = kl.Activation("relu")(kl.BatchNormalization(name=f"bn{name}2a")(y))
            y = kl.Conv2D(channels, (3, 3), padding="same", name=f"res{name}2b")(y)
            y = kl.Activation("relu")(kl.BatchNormalization(name=f"bn{name}2b")(y))
            y = kl.Conv2D(4 * channels, (1, 1), name=f"res{name}2c")(y)
            y = kl.BatchNormalization(name=f"bn{name}2c")(y)
            if first:
                x = kl.Conv2D(4 * channels, (1, 1), strides=strides, name=f"res{name}1")(x)
                x = kl.BatchNormalization(name=f"bn{name}1")(x)
            x = kl.Activation("relu", name=f"res{stage}{letter}_out")(kl.Add()([y, x]))
        found.append(x)
    return found


def _pyramid(features: Sequence[keras.KerasTensor]) -> list[keras.KerasTensor]:
    c2, c3, c4, c5 = features
    p5 = kl.Conv2D(PYRAMID, (1, 1), name="fpn_c5p5")(c5)
    p4 = kl.Add()([kl.UpSampling2D((2, 2))(p5), kl.Conv2D(PYRAMID, (1, 1), name="fpn_c4p4")(c4)])
    p3 = kl.Add()([kl.UpSampling2D((2, 2))(p4), kl.Conv2D(PYRAMID, (1, 1), name="fpn_c3p3")(c3)])
    p2 = kl.Add()([kl.UpSampling2D((2, 2))(p3), kl.Conv2D(PYRAMID, (1, 1), name="fpn_c2p2")(c2)])
    levels = [
        kl.Conv2D(PYRAMID, (3, 3), padding="same", name=f"fpn_p{number}")(level)
        for number, level in ((2, p2), (3, p3), (4, p4), (5, p5))
    ]
    return [*levels, kl.MaxPooling2D((1, 1), strides=2)(levels[-1])]


def _rpn_model() -> keras.Model:
    feature_map = keras.Input((None, None, PYRAMID), name="input_rpn_feature_map")
    shared = kl.Conv2D(RPN, (3, 3), padding="same", activation="relu", name="rpn_conv_shared")(feature_map)
    logits = kl.Reshape((-1, 2))(kl.Conv2D(6, (1, 1), name="rpn_class_raw")(shared))
    deltas = kl.Reshape((-1, 4))(kl.Conv2D(12, (1, 1), name="rpn_bbox_pred")(shared))
    return keras.Model([feature_map], [logits, kl.Activation("softmax")(logits), deltas], name="rpn_model")
