"""Backbones of Mask R-CNN: shapes, names, folding, and one answer from two backends."""

from pathlib import Path

import keras
import numpy as np
import pytest
from both_backends import seen_by_both
from matterport_reference import give_made_up_weights

from models.mask_rcnn.backbones import BACKBONES, backbone_shapes
from models.mask_rcnn.layers import ConvBlocks
from models.weights import load_weights, save_weights
from models.weights.keras_variables import assign_tensors, named_variables, tensors_of

CHANNELS = {
    "mobilenet_v1": (128, 256, 512, 1024),
    "mobilenet_v2": (24, 32, 96, 320),
    "resnet50": (256, 512, 1024, 2048),
    "resnet101": (256, 512, 1024, 2048),
}
#: Of the published networks, without classifier: table 8 of the MobileNet paper and Keras' own counts less theirs.
PARAMETERS = {
    "mobilenet_v1": 3_228_864,
    "mobilenet_v2": 2_257_984 - (320 * 1280 + 4 * 1280),
    "resnet50": 23_587_712,
    "resnet101": 42_658_176,
}


def built(name: str, *, width: float = 1.0, folded: bool = False) -> tuple[keras.Model, ConvBlocks]:
    blocks = ConvBlocks(folded=folded)
    pictures = keras.Input((None, None, 3))
    return keras.Model(pictures, BACKBONES[name](blocks, pictures, width)), blocks


@pytest.mark.parametrize("name", BACKBONES)
def test_shapes_and_sizes(name: str) -> None:
    model, blocks = built(name)
    shapes = [
        answer.shape for answer in model.compute_output_spec(keras.KerasTensor((2, 96, 160, 3), "float32"))
    ]
    strides = (4, 8, 16, 32)
    assert shapes == [
        (2, 96 // stride, 160 // stride, channels)
        for stride, channels in zip(strides, CHANNELS[name], strict=True)
    ]
    assert model.count_params() == PARAMETERS[name]
    layers = {layer.name: layer for layer in model.layers}
    norms = {key for key, layer in layers.items() if isinstance(layer, keras.layers.BatchNormalization)}
    assert set(blocks.batch_norms.values()) == norms
    assert set(blocks.batch_norms) <= set(layers)


def test_the_width_multiplies_every_channel() -> None:
    for name, channels in CHANNELS.items():
        shapes = backbone_shapes(name, width=0.5, folded=True)
        whole = backbone_shapes(name, width=1, folded=True)
        assert shapes.keys() == whole.keys()
        # 24 channels halved stay 16, the next multiple of 8 that is not a tenth below
        last = [shape for key, shape in shapes.items() if key.endswith("/bias")][-1][0]
        assert last == channels[-1] // 2


def test_names_are_the_published_ones() -> None:
    wanted = {
        "mobilenet_v1": {"conv1", "conv1_bn", "conv_dw_1", "conv_dw_1_bn", "conv_pw_13", "conv_pw_13_bn"},
        "mobilenet_v2": {
            "Conv1",
            "bn_Conv1",
            "expanded_conv_depthwise",
            "expanded_conv_project_BN",
            "block_1_expand",
            "block_16_project_BN",
        },
        "resnet50": {"conv1", "bn_conv1", "res2a_branch1", "bn2a_branch1", "res4f_branch2c", "bn5c_branch2c"},
        "resnet101": {"res2a_branch2a", "res4b_branch2a", "res4w_branch2c", "bn4w_branch2c"},
    }
    absent = {"resnet50": {"res4g_branch2a", "res2b_branch1"}, "resnet101": {"res4x_branch2a"}}
    for name, layers in wanted.items():
        found = {key.partition("/")[0] for key in backbone_shapes(name, width=1, folded=False)}
        assert layers <= found
        assert not absent.get(name, set()) & found


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "resnet50"])
def test_weights_come_back(tmp_path: Path, name: str) -> None:
    model, _ = built(name, width=0.25)
    give_made_up_weights(model, seed=1)
    path = tmp_path / "w.safetensors"
    save_weights(path, tensors_of(model), architecture=name, config={"width": 0.25}, source="a test")
    other, _ = built(name, width=0.25)
    pictures = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    expected = [np.asarray(feature) for feature in model(pictures, training=False)]
    assert np.abs(np.asarray(other(pictures, training=False)[-1]) - expected[-1]).max() > 0.1
    assign_tensors(other, load_weights(path, architecture=name).tensors, origin=path)
    for got, wanted in zip(other(pictures, training=False), expected, strict=True):
        np.testing.assert_array_equal(np.asarray(got), wanted)


def test_a_shift_of_the_picture_shifts_the_features() -> None:
    """All strides are honest: 32 pixels of the input are 8, 4, 2 and 1 places."""
    for name in ("mobilenet_v1", "mobilenet_v2", "resnet50"):
        model, _ = built(name, width=0.25)
        give_made_up_weights(model, seed=2)
        pictures = np.zeros((2, 512, 64, 3), np.float32)
        patch = np.random.default_rng(0).uniform(-1, 1, (32, 64, 3))
        pictures[0, 224:256], pictures[1, 256:288] = patch, patch
        for feature, places in zip(model(pictures, training=False)[:2], (8, 4), strict=True):
            first, second = np.asarray(feature)
            middle = len(first) // 2
            near = slice(middle - 12, middle + 4)
            assert first[near].std() > 0.01
            np.testing.assert_allclose(
                second[near.start + places : near.stop + places], first[near], atol=1e-4
            )


def test_jax_sees_what_tensorflow_sees(tmp_path: Path) -> None:
    on_tensorflow, on_jax = seen_by_both("mask_rcnn_backbones", tmp_path)
    assert len(on_jax) == 12
    for name, expected in on_tensorflow.items():
        scale = np.abs(expected).max()
        assert expected.std() > 0.01
        np.testing.assert_allclose(on_jax[name], expected, atol=1e-4 * max(1, scale), err_msg=name)


def test_named_variables_are_those_of_keras_3() -> None:
    model, _ = built("mobilenet_v1", width=0.25, folded=True)
    names = list(named_variables(model))
    assert names[:4] == ["conv1/kernel", "conv1/bias", "conv_dw_1/kernel", "conv_dw_1/bias"]
    assert named_variables(model)["conv_dw_1/kernel"].shape == (3, 3, 8, 1)
