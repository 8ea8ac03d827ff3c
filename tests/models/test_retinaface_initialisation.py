"""What a RetinaFace starts from: other weights, ImageNet backbones of every width, nothing."""

from pathlib import Path

import keras
import numpy as np
import pytest
from retinaface_builders import made_up_tensors, made_up_weights

from models.errors import TrainingError, WeightsError
from models.mask_rcnn.backbones.mobilenet_v1 import mobilenet_v1
from models.mask_rcnn.layers import ConvBlocks as PlainBlocks
from models.retinaface.backbones import backbone_features
from models.retinaface.config import ARCHITECTURE, RetinaFaceConfig
from models.retinaface.folding import fold_batch_norms
from models.retinaface.import_mobilenet import backbone_tensors_from_mobilenet_v1
from models.retinaface.layers import ConvBlocks
from models.retinaface.network import MEAN_RGB, build_retinaface
from models.training.retinaface_initialisation import config_for, finds_faces, initialise
from models.weights import save_weights
from models.weights.keras_variables import assign_tensors, named_variables, tensors_of


def imagenet(width: float, seed: int = 0) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """A folded MobileNetV1 with made-up weights, and these."""
    pictures = keras.Input((None, None, 3))
    model = keras.Model(pictures, mobilenet_v1(PlainBlocks(folded=True), pictures, width))
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        fan_in = np.prod(shape[:3]) if len(shape) == 4 and shape[3] > 1 else 9
        deviation = np.sqrt(2 / fan_in) if len(shape) == 4 else 0.1
        variable.assign(rng.normal(0, deviation, shape))
    return model, tensors_of(model)


def test_a_wide_backbone_sees_what_its_imagenet_weights_see() -> None:
    published, tensors = imagenet(0.5)
    config = RetinaFaceConfig(backbone="mobilenet0.5")
    inputs = keras.Input((None, None, 3))
    # of half the width are all channels of a file of half the width
    model = keras.Model(inputs, backbone_features(ConvBlocks(), inputs, config))
    assign_tensors(
        model, {**backbone_tensors_from_mobilenet_v1(widened(tensors), config, origin="w")}, origin="w"
    )
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 160, 160, 3)).astype(np.float32)
    # strided convolutions look one pixel further up and left: over strides 2, 4, 8 that adds up to 7 px
    moved = np.roll(pixels, (7, 7), axis=(1, 2))
    ours = np.asarray(model(pixels - np.array(MEAN_RGB, np.float32), training=False)[0])
    theirs = np.asarray(published((moved - 127.5) / 127.5, training=False)[1])
    inside = slice(6, -6)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(
        ours[:, inside, inside], theirs[:, inside, inside], atol=2e-3 * np.abs(theirs).max()
    )


def widened(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same function at twice the width: every second channel is nothing."""
    result = {}
    for name, tensor in tensors.items():
        axes = [tensor.ndim - 1] if tensor.ndim == 1 else [2, 3]
        if "dw" in name and tensor.ndim == 4:
            axes = [2]
        if name == "conv1/kernel":
            axes = [3]
        value = tensor
        for axis in axes:
            both = np.stack([value, np.zeros_like(value)], axis=axis + 1)
            value = both.reshape(*value.shape[:axis], 2 * value.shape[axis], *value.shape[axis + 1 :])
        result[name] = value
    return result


def test_what_does_not_fit_is_refused() -> None:
    _, tensors = imagenet(0.5)
    with pytest.raises(WeightsError, match="cannot start from"):
        backbone_tensors_from_mobilenet_v1(tensors, RetinaFaceConfig(backbone="resnet50"), origin="w")
    with pytest.raises(WeightsError, match="narrower"):
        backbone_tensors_from_mobilenet_v1(tensors, RetinaFaceConfig(backbone="mobilenet1.0"), origin="w")
    del tensors["conv_pw_3/bias"]
    with pytest.raises(WeightsError, match="conv_pw_3/bias is missing"):
        backbone_tensors_from_mobilenet_v1(tensors, RetinaFaceConfig(backbone="mobilenet0.5"), origin="w")


@pytest.mark.parametrize("backbone", ["mobilenet0.5", "mobilenet1.0"])
def test_wider_networks_fold_like_the_published_one(backbone) -> None:
    config = RetinaFaceConfig(backbone=backbone)
    tensors = made_up_tensors(config)
    folded_config, folded_tensors = fold_batch_norms(config, tensors, origin="w")
    network, folded = build_retinaface(config), build_retinaface(folded_config)
    assign_tensors(network, tensors, origin="w")
    assign_tensors(folded, folded_tensors, origin="w")
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    for name, output in network(pixels, training=False).items():
        value = np.asarray(output)
        np.testing.assert_allclose(folded(pixels)[name], value, atol=2e-3 * max(1, np.abs(value).max()))


def test_a_wider_network_starts_from_imagenet_and_expects_background(tmp_path: Path) -> None:
    _, tensors = imagenet(0.5)
    file = tmp_path / "imagenet.safetensors"
    save_weights(file, tensors, architecture="mobilenet_v1", config={"width": 0.5}, source="made up")
    assert not finds_faces(file)
    with pytest.raises(TrainingError, match="which backbone"):
        config_for(None, file)
    config = config_for("mobilenet0.5", file)
    network = build_retinaface(config)
    line = initialise(network, config, file)
    assert line.endswith("untrained: fpn, ssh1, ssh2, ssh3, BboxHead, ClassHead, LandmarkHead")
    bias = np.asarray(named_variables(network)["ClassHead.0.conv1x1/bias"]).reshape(-1, 2)
    np.testing.assert_allclose(1 / (1 + np.exp(bias[:, 0] - bias[:, 1])), 0.01, rtol=1e-4)


def test_a_network_starts_from_another_or_from_nothing(tmp_path: Path) -> None:
    file = made_up_weights(tmp_path / "w.safetensors", seed=3)
    assert finds_faces(file)
    config = config_for(None, file)
    network = build_retinaface(config)
    assert initialise(network, config, file).endswith("untrained: nothing")
    for name, value in made_up_tensors(config, 3).items():
        np.testing.assert_array_equal(tensors_of(network)[name], value)
    assert config_for("mobilenet0.5", None) == RetinaFaceConfig(backbone="mobilenet0.5")
    assert not finds_faces(None)
    assert "nowhere" in initialise(network, config, None)
    wide = config_for("resnet50", file)
    with pytest.raises(TrainingError, match="nothing in it fits"):
        initialise(build_retinaface(wide), wide, file)


def test_folded_weights_are_no_start(tmp_path: Path) -> None:
    config = RetinaFaceConfig(folded=True)
    file = tmp_path / "w.safetensors"
    save_weights(
        file,
        made_up_tensors(config),
        architecture=ARCHITECTURE,
        config=config.to_mapping(),
        source="made up",
    )
    with pytest.raises(TrainingError, match="is folded"):
        config_for(None, file)
