"""Matterport's files: the published layout whole, there and back, and the function of what was taken over."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from matterport_reference import (
    MASK,
    PYRAMID,
    RPN,
    UNITS,
    give_made_up_weights,
    names_of,
    reference_network,
    set_names,
    write_as_keras_2,
)

from models.errors import WeightsError
from models.mask_rcnn.coco_categories import COCO_CATEGORIES
from models.mask_rcnn.config import ARCHITECTURE, MaskRcnnConfig
from models.mask_rcnn.matterport import (
    CLASS_LAYERS,
    export_matterport,
    import_matterport,
    matterport_layers,
    read_matterport,
    with_turned_deltas,
)
from models.mask_rcnn.network import CAFFE_MEAN_RGB, MaskRcnn
from models.weights import load_weights, save_weights
from models.weights.keras_h5 import write_keras_h5
from models.weights.keras_variables import assign_tensors, named_variables

NAMES = ("hard_hat", "bare_head")
TakenOver = tuple[MaskRcnnConfig, dict[str, np.ndarray]]
BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def published_shapes(backbone: str, classes: int) -> dict[str, tuple[int, ...]]:
    """Paths in the file, and shapes, of all weights of ``mask_rcnn_coco.h5`` and its like."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, *kernel: int, group: str = "", bias: int | None = None) -> None:
        shapes[f"{group or name}/{name}/kernel:0"] = kernel
        shapes[f"{group or name}/{name}/bias:0"] = (bias or kernel[-1],)

    def norm(name: str, channels: int) -> None:
        shapes.update({f"{name}/{name}/{kind}:0": (channels,) for kind in BATCH_NORM})

    conv("conv1", 7, 7, 3, 64)
    norm("bn_conv1", 64)
    entering = 64
    letters = {"2": "abc", "3": "abcd", "4": "abcdef", "5": "abc"}
    if backbone == "resnet101":
        letters["4"] = "abcdefghijklmnopqrstuvw"
    for stage, inner in (("2", 64), ("3", 128), ("4", 256), ("5", 512)):
        for letter in letters[stage]:
            sides = {"2a": (1, entering, inner), "2b": (3, inner, inner), "2c": (1, inner, 4 * inner)}
            if letter == "a":
                sides["1"] = (1, entering, 4 * inner)
            for branch, (side, before, after) in sides.items():
                conv(f"res{stage}{letter}_branch{branch}", side, side, before, after)
                norm(f"bn{stage}{letter}_branch{branch}", after)
            entering = 4 * inner
    for number, channels in ((5, 2048), (4, 1024), (3, 512), (2, 256)):
        conv(f"fpn_c{number}p{number}", 1, 1, channels, 256)
        conv(f"fpn_p{number}", 3, 3, 256, 256)
    conv("rpn_conv_shared", 3, 3, 256, 512, group="rpn_model")
    conv("rpn_class_raw", 1, 1, 512, 6, group="rpn_model")
    conv("rpn_bbox_pred", 1, 1, 512, 12, group="rpn_model")
    conv("mrcnn_class_conv1", 7, 7, 256, 1024)
    conv("mrcnn_class_conv2", 1, 1, 1024, 1024)
    norm("mrcnn_class_bn1", 1024)
    norm("mrcnn_class_bn2", 1024)
    conv("mrcnn_class_logits", 1024, classes)
    conv("mrcnn_bbox_fc", 1024, 4 * classes)
    for number in range(1, 5):
        conv(f"mrcnn_mask_conv{number}", 3, 3, 256, 256)
        norm(f"mrcnn_mask_bn{number}", 256)
    conv("mrcnn_mask_deconv", 2, 2, 256, 256)
    conv("mrcnn_mask", 1, 1, 256, classes)
    return shapes


@pytest.fixture(scope="module")
def reference() -> keras.Model:
    model = reference_network(1 + len(NAMES))
    give_made_up_weights(model, seed=3)
    return model


@pytest.fixture(scope="module")
def saved(reference: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_as_keras_2(tmp_path_factory.mktemp("matterport") / "reference.h5", reference)


@pytest.fixture(scope="module")
def taken_over(saved: Path) -> TakenOver:
    return read_matterport(saved, categories=NAMES)


def changed(saved: Path, folder: Path) -> h5py.File:
    """A copy of the file, open for damage."""
    return h5py.File(shutil.copy(saved, folder / "changed.h5"), "r+")


@pytest.mark.parametrize("backbone", ["resnet50", "resnet101"])
def test_the_whole_published_layout_goes_there_and_back(tmp_path: Path, backbone: str) -> None:
    config = MaskRcnnConfig(
        categories=COCO_CATEGORIES, backbone=backbone, sampling_points=1, corner_aligned=True
    )
    generator = np.random.default_rng(0)
    shapes = {name: tuple(value.shape) for name, value in named_variables(MaskRcnn(config)).items()}
    tensors = {name: generator.random(shape, np.float32) for name, shape in shapes.items()}
    write_keras_h5(tmp_path / "w.h5", matterport_layers(tensors))
    with h5py.File(tmp_path / "w.h5") as file:
        found = {}
        file.visititems(
            lambda name, item: found.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None
        )
        assert set(names_of(file, "layer_names")) == set(file)
    assert found == published_shapes(backbone, 81)
    again_config, again = read_matterport(tmp_path / "w.h5")
    assert again_config == config
    assert again.keys() == tensors.keys()
    assert all((again[name] == tensors[name]).all() for name in tensors)


def test_what_is_taken_over_computes_the_same(reference: keras.Model, taken_over: TakenOver) -> None:
    config, tensors = taken_over
    assert config == MaskRcnnConfig(
        categories=NAMES,
        backbone="resnet50",
        pyramid_channels=PYRAMID,
        rpn_channels=RPN,
        box_units=UNITS,
        mask_channels=MASK,
        sampling_points=1,
        corner_aligned=True,
    )
    network = MaskRcnn(config)
    assign_tensors(network, tensors, origin="reference")
    generator = np.random.default_rng(1)
    pictures = generator.uniform(0, 255, (2, 64, 96, 3)).astype(np.float32)
    pooled_7 = generator.normal(size=(2, 3, 7, 7, PYRAMID)).astype(np.float32)
    pooled_14 = generator.normal(size=(2, 3, 14, 14, PYRAMID)).astype(np.float32)
    molded = pictures - np.array(CAFFE_MEAN_RGB, np.float32)
    *levels, logits, deltas, class_logits, box_deltas, pixels = (
        np.asarray(value) for value in reference([molded, pooled_7, pooled_14], training=False)
    )
    trunk = network.look(pictures)
    box_answers = network.box_head(pooled_7.reshape(-1, 7, 7, PYRAMID), training=False)
    seg_logits = network.mask_head(pooled_14.reshape(-1, 14, 14, PYRAMID), training=False)
    x_first = [1, 0, 3, 2]
    compared = {
        **{f"P{number}": pair for number, pair in enumerate(zip(levels, trunk.levels, strict=True), start=2)},
        "rpn logits": (logits, trunk.rpn_logits),
        "rpn deltas": (deltas[..., x_first], trunk.rpn_deltas),
        "classes": (class_logits.reshape(6, 3), box_answers["class_logits"]),
        "box deltas": (box_deltas.reshape(6, 3, 4)[..., x_first], box_answers["box_deltas"]),
        "pixels": (pixels.reshape(6, 28, 28, 3), keras.ops.sigmoid(seg_logits)),
    }
    for name, (expected, got) in compared.items():
        scale = expected.std()
        assert scale > 0.01, name
        np.testing.assert_allclose(np.asarray(got), expected, atol=1e-4 * scale, rtol=1e-4, err_msg=name)


def test_keras_reads_by_name_what_we_write(
    reference: keras.Model, saved: Path, taken_over: TakenOver, tmp_path: Path
) -> None:
    ours, exported = tmp_path / "ours.safetensors", tmp_path / "exported.h5"
    import_matterport(saved, ours, categories=NAMES)
    stored = load_weights(ours, architecture=ARCHITECTURE)
    assert MaskRcnnConfig.from_mapping(stored.config, origin=ours) == taken_over[0]
    export_matterport(ours, exported)
    other = reference_network(1 + len(NAMES))
    other.load_weights(exported, by_name=True)
    for value, wanted in zip(other.weights, reference.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(value), np.asarray(wanted))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["exported.h5", "ours.safetensors"]


def _save_whole_model(file: h5py.File) -> None:
    group = file.create_group("model_weights")
    for name in names_of(file, "layer_names"):
        file.move(name, f"model_weights/{name}")
    group.attrs["layer_names"] = file.attrs["layer_names"]
    del file.attrs["layer_names"]


def _build_twice(file: h5py.File) -> None:
    rpn = file["rpn_model"]
    for name in ("rpn_conv_shared", "rpn_class_raw", "rpn_bbox_pred"):
        rpn.move(name, f"{name}_1")
    set_names(rpn, "weight_names", [name.replace("/", "_1/") for name in names_of(rpn, "weight_names")])


def _split_names(file: h5py.File) -> None:
    names = names_of(file, "layer_names")
    del file.attrs["layer_names"]
    # as text of any length, as TensorFlow 2 wrote them
    file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:100], names[100:]


@pytest.mark.parametrize("change", [_save_whole_model, _build_twice, _split_names])
def test_other_forms_of_the_same_file(
    saved: Path, taken_over: TakenOver, tmp_path: Path, change: Callable[[h5py.File], None]
) -> None:
    with changed(saved, tmp_path) as file:
        change(file)
    config, tensors = read_matterport(tmp_path / "changed.h5", categories=NAMES)
    assert config == taken_over[0]
    assert tensors.keys() == taken_over[1].keys()
    assert all((tensors[name] == taken_over[1][name]).all() for name in tensors)


def test_other_categories_get_heads_of_their_own(saved: Path, taken_over: TakenOver) -> None:
    wanted = ("hard_hat", "bare_head", "person", "face_mask", "hat")
    with pytest.raises(WeightsError, match=r"mrcnn_class_logits/kernel is \(32, 3\), not \(32, 6\)"):
        read_matterport(saved, categories=wanted)
    config, tensors = read_matterport(
        saved, categories=wanted, exclude=[*CLASS_LAYERS, "mrcnn_bbox"], anchor_scales_px=(8, 16, 32, 64, 128)
    )
    assert (config.class_count, config.anchor_scales_px) == (6, (8, 16, 32, 64, 128))
    assign_tensors(MaskRcnn(config), tensors, origin=saved)
    assert not tensors["mrcnn_mask/bias"].any()
    assert 0.1 < tensors["mrcnn_class_logits/kernel"].std() < 0.4
    np.testing.assert_array_equal(tensors["fpn_p2/kernel"], taken_over[1]["fpn_p2/kernel"])
    again = read_matterport(saved, categories=wanted, exclude=CLASS_LAYERS)[1]
    assert all((again[name] == tensors[name]).all() for name in tensors)


def test_names_are_asked_for_where_the_file_has_none(saved: Path) -> None:
    with pytest.raises(WeightsError, match="finds 2 categories, whose names must be given"):
        read_matterport(saved)
    assert len(set(COCO_CATEGORIES)) == 80
    # the first, the last and some between, by the numbers that Matterport's demonstration prints
    numbered = dict(enumerate(COCO_CATEGORIES, start=1))
    assert [numbered[number] for number in (1, 10, 25, 28, 61, 80)] == [
        "person",
        "traffic light",
        "backpack",
        "tie",
        "dining table",
        "toothbrush",
    ]


def test_deltas_turn_in_fours() -> None:
    tensors = {"rpn_bbox_pred/bias": np.arange(8, dtype=np.float32), "fpn_p2/bias": np.arange(4.0)}
    turned = with_turned_deltas(tensors)
    np.testing.assert_array_equal(turned["rpn_bbox_pred/bias"], [1, 0, 3, 2, 5, 4, 7, 6])
    np.testing.assert_array_equal(turned["fpn_p2/bias"], [0, 1, 2, 3])
    np.testing.assert_array_equal(with_turned_deltas(turned)["rpn_bbox_pred/bias"], np.arange(8))


def test_missing_unknown_and_misshapen_layers_are_named(saved: Path, tmp_path: Path) -> None:
    for layer in ("res4c_branch2b", "fpn_c5p5", "mrcnn_mask"):
        with changed(saved, tmp_path) as file:
            set_names(file, "layer_names", [n for n in names_of(file, "layer_names") if n != layer])
        with pytest.raises(WeightsError, match=f"{layer}/.* is missing"):
            read_matterport(tmp_path / "changed.h5", categories=NAMES)
    with changed(saved, tmp_path) as file:
        del file["conv1/conv1/kernel:0"]
        file["conv1/conv1/kernel:0"] = np.zeros((3, 3, 3, 64), np.float32)
    with pytest.raises(WeightsError, match=r"conv1/kernel is \(3, 3, 3, 64\), not \(7, 7, 3, 64\)"):
        read_matterport(tmp_path / "changed.h5", categories=NAMES)
    with changed(saved, tmp_path) as file:
        file["attention/attention/kernel:0"] = np.zeros((2, 2), np.float32)
        set_names(file["attention"], "weight_names", ["attention/kernel:0"])
        set_names(file, "layer_names", [*names_of(file, "layer_names"), "attention"])
    with pytest.raises(WeightsError, match="attention/kernel is not known"):
        read_matterport(tmp_path / "changed.h5", categories=NAMES)
    # who knows better may leave it out
    read_matterport(tmp_path / "changed.h5", categories=NAMES, exclude=["attention"])


@pytest.mark.parametrize(
    "changes", [{"backbone": "mobilenet_v2"}, {"folded": True}, {"normalisation": "tf"}, {"width": 0.5}]
)
def test_networks_that_the_layout_does_not_hold_are_refused(tmp_path: Path, changes: dict) -> None:
    config = MaskRcnnConfig(**{"categories": NAMES, "backbone": "resnet50"} | changes)
    path = tmp_path / "w.safetensors"
    save_weights(
        path,
        {"a": np.zeros(1, np.float32)},
        architecture=ARCHITECTURE,
        config=config.to_mapping(),
        source="a test",
    )
    with pytest.raises(WeightsError, match="Matterport"):
        export_matterport(path, tmp_path / "w.h5")
    assert not (tmp_path / "w.h5").exists()
