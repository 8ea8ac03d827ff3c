"""Weights of ``keras.applications``: the same features from our backbones."""

import re
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from matterport_reference import give_made_up_weights, names_of, set_names, write_as_keras_2

from models.errors import WeightsError
from models.mask_rcnn.backbones import BACKBONES, backbone_shapes
from models.mask_rcnn.keras_applications import import_keras_backbone, keras_backbone
from models.mask_rcnn.layers import ConvBlocks
from models.weights import load_weights
from models.weights.keras_h5 import read_keras_h5, write_keras_h5
from models.weights.keras_variables import assign_tensors

INPUT_HW = (64, 96)


def backbone_of(name: str, width: float = 1.0) -> keras.Model:
    pictures = keras.Input((*INPUT_HW, 3))
    return keras.Model(pictures, BACKBONES[name](ConvBlocks(), pictures, width))


def assert_same(ours: keras.Model, theirs: keras.Model, pictures: np.ndarray, seen: np.ndarray) -> None:
    answers = zip(ours(pictures, training=False), theirs([seen], training=False), strict=True)
    for number, pair in enumerate(answers, start=2):
        got, expected = map(np.asarray, pair)
        assert expected.std() > 0.05
        np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max(), err_msg=f"C{number}")


MOBILENETS = {
    "mobilenet_v1": (
        keras.applications.MobileNet,
        0.25,
        ["conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"],
    ),
    "mobilenet_v2": (
        keras.applications.MobileNetV2,
        0.35,
        ["block_2_add", "block_5_add", "block_12_add", "block_16_project_BN"],
    ),
}


@pytest.mark.parametrize(("name", "top"), [("mobilenet_v1", True), ("mobilenet_v2", False)])
def test_mobilenets(tmp_path: Path, name: str, top: bool) -> None:
    make, width, ends = MOBILENETS[name]
    published = make((*INPUT_HW, 3), alpha=width, include_top=top, weights=None)
    give_made_up_weights(published, seed=1)
    path = write_as_keras_2(tmp_path / "w.h5", published)
    with h5py.File(path, "r+") as file:
        for layer in names_of(file, "layer_names"):
            # Keras 2 called the kernels of depthwise convolutions so
            if f"{layer}/kernel" in file[layer] or "depthwise" in layer or "_dw_" in layer:
                _rename_depthwise(file[layer])
    digest = import_keras_backbone(path, tmp_path / "w.safetensors", backbone=name, width=width)
    stored = load_weights(tmp_path / "w.safetensors", architecture=name, digest=digest)
    assert stored.config == {"width": width}
    ours = backbone_of(name, width)
    assign_tensors(ours, stored.tensors, origin="w")
    theirs = keras.Model(published.inputs, [published.get_layer(end).output for end in ends])
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, *INPUT_HW, 3)).astype(np.float32)
    assert_same(ours, theirs, pictures, pictures)


def test_the_older_names_of_mobilenet_v2(tmp_path: Path) -> None:
    published = keras.applications.MobileNetV2((*INPUT_HW, 3), alpha=0.35, include_top=False, weights=None)
    path = write_as_keras_2(tmp_path / "w.h5", published)
    expected = keras_backbone(path, backbone="mobilenet_v2", width=0.35)
    older = {}
    for layer, weights in read_keras_h5(path).items():
        match = re.fullmatch(r"(?:expanded_conv|block_(\d+))_(expand|depthwise|project)(_BN)?", layer)
        name = layer
        if match:
            number, part, is_norm = match[1] or "0", match[2], match[3]
            name = f"bn{number}_conv_{number}_bn_{part}" if is_norm else f"mobl{number}_conv_{number}_{part}"
        older[name] = {f"{name}/{key.rpartition('/')[2]}": value for key, value in weights.items()}
    write_keras_h5(path, older)
    assert "mobl0_conv_0_depthwise" in read_keras_h5(path)
    found = keras_backbone(path, backbone="mobilenet_v2", width=0.35)
    assert found.keys() == expected.keys()
    assert all((found[name] == expected[name]).all() for name in found)


def test_resnet50(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "resnet50"
    published = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(*INPUT_HW, 3))
    give_made_up_weights(published, seed=2)
    path = write_as_keras_2(tmp_path / "w.h5", published)
    # the one difference that no weights bridge: where the pooling pads
    padded = keras.Sequential([keras.layers.ZeroPadding2D(1), keras.layers.MaxPooling2D(3, 2)])
    monkeypatch.setattr(
        "models.mask_rcnn.backbones.resnet.keras.layers.MaxPooling2D", lambda *_, **__: padded
    )
    ours = backbone_of(name)
    assign_tensors(ours, keras_backbone(path, backbone=name), origin="w")
    ends = [f"conv{stage}_block{block}_out" for stage, block in ((2, 3), (3, 4), (4, 6), (5, 3))]
    theirs = keras.Model(published.inputs, [published.get_layer(end).output for end in ends])
    pictures = np.random.default_rng(0).uniform(-120, 130, (1, *INPUT_HW, 3)).astype(np.float32)
    assert_same(ours, theirs, pictures, pictures[..., ::-1])


def test_resnet101_has_the_layers_of_keras() -> None:
    published = keras.applications.ResNet101(include_top=False, weights=None, input_shape=(None, None, 3))
    theirs = sorted(tuple(weight.shape) for weight in published.weights)
    assert sorted(backbone_shapes("resnet101", width=1, folded=False).values()) == theirs


@pytest.mark.parametrize("width", [0.35, 0.75, 1.3])
def test_published_widths_of_mobilenet_v2(width: float) -> None:
    published = keras.applications.MobileNetV2((96, 96, 3), alpha=width, include_top=False, weights=None)
    theirs = {
        f"{layer.name}/{weight.name}": tuple(weight.shape)
        for layer in published.layers
        for weight in layer.weights
        if layer.name not in ("Conv_1", "Conv_1_bn")
    }
    assert backbone_shapes("mobilenet_v2", width=width, folded=False) == theirs


def test_files_of_another_backbone_are_refused(tmp_path: Path) -> None:
    published = keras.applications.MobileNet((*INPUT_HW, 3), alpha=0.25, include_top=False, weights=None)
    path = write_as_keras_2(tmp_path / "w.h5", published)
    for backbone, width in (("mobilenet_v2", 0.25), ("mobilenet_v1", 0.5), ("resnet50", 1.0)):
        with pytest.raises(WeightsError, match="does not fit the network"):
            import_keras_backbone(path, tmp_path / "out.safetensors", backbone=backbone, width=width)
    with h5py.File(path, "r+") as file:
        set_names(file, "layer_names", [n for n in names_of(file, "layer_names") if n != "conv_pw_5_bn"])
    with pytest.raises(WeightsError, match="conv_pw_5_bn/gamma is missing"):
        keras_backbone(path, backbone="mobilenet_v1", width=0.25)
    assert not (tmp_path / "out.safetensors").exists()


def _rename_depthwise(group: h5py.Group) -> None:
    names = names_of(group, "weight_names")
    for name in names:
        if name.endswith("/kernel:0") and group[name].shape[-1] == 1:
            group.move(name, name.replace("/kernel", "/depthwise_kernel"))
    set_names(
        group,
        "weight_names",
        [name if name in group else name.replace("/kernel", "/depthwise_kernel") for name in names],
    )
