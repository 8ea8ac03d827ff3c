"""The networks that the classifier can stand on, what they start from, and the loss that they learn by."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_state_builders import made_up_mask_state_tensors, made_up_mask_state_weights
from numpy.typing import NDArray

from models.errors import TrainingError, WeightsError
from models.mask_rcnn.backbones import backbone_shapes
from models.mask_state.boxes import boxes_of
from models.mask_state.calibration import softmax
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import CropGeometry
from models.mask_state.network import ARCHITECTURE, KINDS, MaskStateConfig, build_mask_state_network
from models.training.mask_state_initial import IMAGENET, load_initial
from models.training.mask_state_learner import freeze_all_but, mask_state_loss
from models.weights import save_weights
from models.weights.keras_h5 import write_keras_h5
from models.weights.keras_variables import assign_tensors, named_variables, tensors_of

SMALL = MaskStateConfig(size_px=32, backbone="mobilenet_v1", width=0.25, kinds=True)
CONFIGS = {
    "quarter": MaskStateConfig(size_px=32, kinds=True),
    "mobilenet_v1": SMALL,
    "mobilenet_v3_small": MaskStateConfig(size_px=32, backbone="mobilenet_v3_small", width=0.75, hidden=16),
    "mobilenet_v1_with_box": MaskStateConfig(
        size_px=64, backbone="mobilenet_v1", width=0.25, kinds=True, box=True
    ),
    "xception": MaskStateConfig(size_px=96, backbone="xception", hidden=1024, dropout=0.5),
}


def made_up_crops(count: int, side: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(count)
    coarse = rng.integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
    return coarse.repeat(side // 4, axis=1).repeat(side // 4, axis=2)


def saved(path: Path, config: MaskStateConfig, **more: float) -> Path:
    crops = CropGeometry(size_px=config.size_px)
    mapping = {"network": config.to_mapping(), "crops": crops.to_mapping(), "temperature": 1.0} | more
    tensors = made_up_mask_state_tensors(config)
    save_weights(path, tensors, architecture=ARCHITECTURE, config=mapping, source="made up")
    return path


@pytest.mark.parametrize("name", CONFIGS)
def test_every_network_answers_as_it_was_built_wherever_it_is_stored(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    classifier = MaskStateClassifier(saved(tmp_path / "w.safetensors", config), device="cpu")
    network = build_mask_state_network(config)
    assign_tensors(network, made_up_mask_state_tensors(config), origin="made up")
    crops = made_up_crops(3, config.size_px)
    expected = np.asarray(network(crops.astype(np.float32), training=False))
    assert expected.shape == (3, 4 + 3 * config.kinds + 4 * config.box)
    assert expected.std(0).min() > 0
    scale = np.abs(expected).max()
    np.testing.assert_allclose(classifier.answers(crops) / scale, expected / scale, atol=3e-4)
    assert (classifier.logits(crops) == classifier.answers(crops)[:, : config.logits]).all()
    states = classifier.judge(crops)
    assert classifier.tells_kinds == config.kinds
    assert (states.kinds is not None) == config.kinds
    assert (states.boxes_in_crop is not None) == config.box
    if states.boxes_in_crop is not None:
        deltas = expected[:, config.logits :]
        np.testing.assert_allclose(states.boxes_in_crop, boxes_of(deltas, classifier.geometry), atol=1e-3)
    if states.kinds is not None:
        assert states.kinds.shape == (3, len(KINDS))
        np.testing.assert_allclose(states.kinds.sum(1), 1, atol=1e-5)


def test_the_kinds_have_a_temperature_of_their_own(tmp_path: Path) -> None:
    crops = made_up_crops(4, 32)
    cold, warm = (
        MaskStateClassifier(saved(tmp_path / f"{t}.safetensors", SMALL, kind_temperature=t), device="cpu")
        for t in (1.0, 4.0)
    )
    np.testing.assert_array_equal(cold.judge(crops).probs, warm.judge(crops).probs)
    expected = softmax(cold.logits(crops)[:, 4:] / 4)
    np.testing.assert_allclose(warm.judge(crops).kinds, expected, atol=1e-6)
    assert cold.judge(crops[:0]).kinds.shape == (0, 3)
    with pytest.raises(WeightsError, match="temperature"):
        MaskStateClassifier(saved(tmp_path / "w.safetensors", SMALL, kind_temperature=-1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "vgg"}, "no backbone 'vgg'"),
        ({"backbone": "xception", "size_px": 64}, "from 96"),
        ({"width": 0.5}, "no other width"),
        ({"backbone": "mobilenet_v1", "width": 0}, "width"),
        ({"hidden": -1}, "hidden"),
        ({"depth": 3}, "expected"),
    ],
)
def test_configurations_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    mapping = {"size_px": 96, "dropout": 0.2, "folded": False}
    assert MaskStateConfig.from_mapping(mapping, origin="x") == MaskStateConfig()
    with pytest.raises(WeightsError, match=message):
        MaskStateConfig.from_mapping(mapping | changes, origin="x")


def test_learning_begins_where_a_folded_backbone_stood(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    shapes = backbone_shapes("mobilenet_v1", width=0.25, folded=True)
    tensors = {}
    for name, shape in shapes.items():
        inputs = 9 if shape[-1] == 1 else np.prod(shape[:-1])
        tensors[name] = rng.normal(0, np.sqrt(2 / inputs) if len(shape) == 4 else 0.2, shape).astype(
            np.float32
        )
    path = tmp_path / "b.safetensors"
    save_weights(path, tensors, architecture="mobilenet_v1", config={"width": 0.25}, source="made up")
    network, crops = build_mask_state_network(SMALL), made_up_crops(24, 32)
    load_initial(network, SMALL, path, crops)
    plain = build_mask_state_network(
        MaskStateConfig(size_px=32, folded=True, backbone="mobilenet_v1", width=0.25)
    )
    for name, tensor in tensors.items():
        named_variables(plain)[name].assign(tensor)
    expected, inferred, learned = (
        np.asarray(
            keras.Model(model.input, model.get_layer("pool").output)(
                crops.astype(np.float32), training=training
            )
        )
        for model, training in ((plain, False), (network, False), (network, True))
    )
    assert expected.std() > 0.01
    np.testing.assert_allclose(inferred, expected, atol=2e-3 * np.abs(expected).max())
    # on the crops that were measured the batch's own statistics are the same
    np.testing.assert_allclose(learned, expected, atol=2e-3 * np.abs(expected).max())
    with pytest.raises(WeightsError, match="does not fit"):
        load_initial(network, MaskStateConfig(size_px=32, backbone="mobilenet_v1", width=0.5), path, crops)


def test_weights_of_this_classifier_keep_what_fits(tmp_path: Path) -> None:
    path = made_up_mask_state_weights(tmp_path / "w.safetensors", size_px=32)
    config = MaskStateConfig(size_px=32, kinds=True)
    network = build_mask_state_network(config)
    line = load_initial(network, config, path, made_up_crops(1, 32))
    assert line.endswith("untrained: kinds")
    stored = made_up_mask_state_tensors(MaskStateConfig(size_px=32))
    own = tensors_of(network)
    assert all((own[name] == tensor).all() for name, tensor in stored.items())
    with pytest.raises(WeightsError, match="does not fit"):
        load_initial(build_mask_state_network(SMALL), SMALL, path, made_up_crops(1, 32))


def test_files_of_keras_applications_are_taken_in_their_order(tmp_path: Path) -> None:
    config = MaskStateConfig(size_px=96, backbone="xception", hidden=8)
    network = build_mask_state_network(config)
    base = keras.applications.Xception(weights=None, include_top=False, input_shape=(96, 96, 3))
    rng = np.random.default_rng(1)
    for variable in base.variables:
        variable.assign(rng.uniform(0.01, 0.02, variable.shape))
    layers = {
        layer.name: {f"{layer.name}/{weight.name}:0": np.asarray(weight) for weight in layer.weights}
        for layer in base.layers
        if layer.weights
    }
    write_keras_h5(tmp_path / "notop.h5", layers)
    load_initial(network, config, tmp_path / "notop.h5", made_up_crops(1, 96))
    crops = made_up_crops(2, 96).astype(np.float32)
    expected = np.asarray(base(crops / 127.5 - 1, training=False)).mean((1, 2))
    pooled = keras.Model(network.input, network.get_layer("pool").output)(crops, training=False)
    np.testing.assert_allclose(np.asarray(pooled), expected, rtol=1e-4)


def test_a_download_that_fails_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**_: object) -> None:
        raise Exception("URL fetch failure on https://example.org: None -- unreachable")  # noqa: TRY002 - as Keras

    monkeypatch.setattr(keras.applications, "MobileNet", unreachable)
    network = build_mask_state_network(SMALL)
    with pytest.raises(
        TrainingError, match=r"MobileNet cannot be downloaded .*example\.org.* name it with --init"
    ):
        load_initial(network, SMALL, IMAGENET, made_up_crops(1, 32))
    with pytest.raises(TrainingError, match="Keras has no weights of mobilenet_v1_quarter"):
        load_initial(network, MaskStateConfig(size_px=32), IMAGENET, made_up_crops(1, 32))


@given(st.integers(0, 1000), st.floats(0, 0.2), st.floats(0, 2))
def test_the_loss_is_that_of_states_and_of_the_kinds_that_are_known(
    seed: int, smoothing: float, weight: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (6, 7)).astype(np.float32)
    states = rng.integers(0, 4, 6)
    kinds = np.where(rng.random(6) < 0.5, rng.integers(0, 3, 6), -1)
    wanted, weights = rng.normal(0, 0.2, (6, 4)), rng.choice([0.0, 0.5, 1.0], 6)
    told = rng.normal(0, 0.2, (6, 4))
    targets = np.concatenate(
        [
            np.eye(4)[states],
            np.where(kinds[:, None] >= 0, np.eye(3)[kinds], 0),
            *(wanted, weights[:, None]),
        ],
        axis=1,
    ).astype(np.float32)

    def by_hand(scores: NDArray[np.float32], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
        smoothed = np.eye(classes)[labels] * (1 - smoothing) + smoothing / classes
        return np.asarray(-(smoothed * np.log(softmax(scores))).sum(1))

    expected = by_hand(logits[:, :4], states, 4).mean()
    known = kinds >= 0

    def loss(kinds: bool, box: bool, answers: NDArray[np.floating]) -> float:
        config = MaskStateConfig(kinds=kinds, box=box)
        function = mask_state_loss(config, label_smoothing=smoothing, kind_weight=weight, box_weight=3.0)
        return float(np.mean(function(targets, answers.astype(np.float32))))

    assert loss(False, False, logits[:, :4]) == pytest.approx(expected, rel=1e-4)
    apart = np.abs(wanted - told)
    distances = np.where(apart < 0.05, apart**2 / 0.1, apart - 0.025).sum(1)
    boxes = 3.0 * (distances * weights).sum() / max(1.0, weights.sum())
    answers = np.concatenate([logits[:, :4], told], axis=1)
    assert loss(False, True, answers) == pytest.approx(expected + boxes, rel=1e-4)
    if known.any():
        expected += weight * by_hand(logits[known, 4:], kinds[known], 3).mean()
    assert loss(True, False, logits) == pytest.approx(expected, rel=1e-4)
    answers = np.concatenate([logits, told], axis=1)
    assert loss(True, True, answers) == pytest.approx(expected + boxes, rel=1e-4)


def test_only_the_last_layers_learn() -> None:
    network = build_mask_state_network(SMALL)
    freeze_all_but(network, 2)
    learning = {variable.path.split("/")[0] for variable in network.trainable_variables}
    assert learning == {
        *("conv_dw_13", "conv_dw_13_bn", "conv_pw_13", "conv_pw_13_bn"),
        *("logits", "kinds"),
    }
    freeze_all_but(network, 0)
    assert {variable.path.split("/")[0] for variable in network.trainable_variables} == {"logits", "kinds"}
    assert not network.get_layer("conv1_bn").trainable
    freeze_all_but(network, 99)
    assert len(network.trainable_variables) == 27 * 3 + 4
