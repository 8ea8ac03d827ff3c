"""Mask R-CNN's learner: what moves, what is saved, what it starts from, and the recipes that tell it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mask_rcnn_builders import made_up_network
from mask_rcnn_training_builders import learner_for, made_up_batch

from models.errors import TrainingError
from models.mask_rcnn.network import MaskRcnn
from models.training.mask_rcnn import trainer
from models.training.mask_rcnn.initialisation import initialise
from models.training.mask_rcnn.labels import read_label_table
from models.training.mask_rcnn.recipe import read_recipe
from models.training.run_state import load_state, save_state
from models.weights import save_weights
from models.weights.keras_variables import tensors_of

RECIPES = Path(trainer.__file__).parents[1] / "recipes"


@pytest.mark.usefixtures("eagerly")
def test_frozen_layers_stay_and_slow_ones_move_less():
    network = made_up_network()
    before = tensors_of(network)
    learner = learner_for(
        network, weight_decay=0.0, learning_rate_factors={"block_": 0, "Conv1": 0, "fpn_": 0.01}
    )
    learner.learn(made_up_batch())
    moved = {name: float(np.abs(value - before[name]).max()) for name, value in tensors_of(network).items()}
    assert moved["block_3_expand/kernel"] == moved["Conv1/kernel"] == 0
    assert 0 < moved["fpn_p2/kernel"] < 0.05 * moved["rpn_conv_shared/kernel"]
    assert moved["bn_Conv1/moving_mean"] == 0, "batch norms keep their statistics"


@pytest.mark.usefixtures("eagerly")
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path):
    unbroken = learner_for(made_up_network(), warm_up_steps=2)
    unbroken.learn(made_up_batch(seed=0))
    save_state(tmp_path / "state.safetensors", unbroken.state())
    unbroken.learn(made_up_batch(seed=1))
    resumed = learner_for(made_up_network(seed=5), warm_up_steps=2)
    resumed.resume(load_state(tmp_path / "state.safetensors", recipe=""))
    assert resumed.step == 1
    resumed.learn(made_up_batch(seed=1))
    assert resumed.step == unbroken.step == 2
    # which boxes are drawn next
    seeds = [one.state().tensors["seeds"] for one in (resumed, unbroken)]
    np.testing.assert_array_equal(*seeds)
    # a step moves weights by up to the learning rate, which has risen to half of 3e-3
    after = tensors_of(resumed.network)
    for name, value in tensors_of(unbroken.network).items():
        np.testing.assert_allclose(after[name], value, atol=2e-4, err_msg=name)
        np.testing.assert_allclose(resumed.average[name], unbroken.average[name], atol=2e-4, err_msg=name)


@pytest.mark.usefixtures("eagerly")
def test_a_loss_that_is_not_finite_stops_the_run():
    network = made_up_network()
    for variable in network.box_head.get_layer("mrcnn_class_logits").weights:
        variable.assign(np.full(variable.shape, np.nan))
    with pytest.raises(TrainingError, match="not finite"):
        learner_for(network).learn(made_up_batch())


def test_a_network_starts_from_what_fits(tmp_path):
    donor = made_up_network(seed=1, categories=("kite",))
    path = tmp_path / "donor.safetensors"
    save_weights(
        path,
        tensors_of(donor),
        architecture="mask_rcnn",
        config=donor.config.to_mapping(),
        source="made up",
    )
    network = made_up_network()
    before = tensors_of(network)
    line, has_pyramid = initialise(network, path)
    assert has_pyramid
    after, given = tensors_of(network), tensors_of(donor)
    np.testing.assert_array_equal(after["block_3_expand/kernel"], given["block_3_expand/kernel"])
    np.testing.assert_array_equal(after["mrcnn_class_conv1/kernel"], given["mrcnn_class_conv1/kernel"])
    np.testing.assert_array_equal(after["mrcnn_class_logits/kernel"], before["mrcnn_class_logits/kernel"])
    assert "untrained: mrcnn_class_logits, mrcnn_bbox_fc, mrcnn_mask" in line.replace(
        "mrcnn_bbox_fc, mrcnn_class_logits", "mrcnn_class_logits, mrcnn_bbox_fc"
    )
    other = tmp_path / "other.safetensors"
    save_weights(other, {"x/kernel": np.zeros((1, 1), np.float32)}, architecture="x", config={}, source="x")
    with pytest.raises(TrainingError, match="backbone"):
        initialise(network, other)


def test_recipes_are_checked(tmp_path):
    path = tmp_path / "r.yaml"
    for text, reason in (
        ("[]", "keys and values"),
        ("sets: 3", "list"),
        ("source: x\nsets: []\nlessons: []\nlabels: x\nnetwork: {categories: [a]}", "at least one"),
        ("network: {categories: [a], backbone: vgg}", "backbone"),
        ("lessons: [{steps: 0, learning_rate: 1}]", "above 0"),
        ("lessons: [{steps: 1, learning_rate: 1, loss_weights: {masks: 1}}]", "masks"),
        ("lessons: [{steps: 1, learning_rate: 1, pace: 1}]", "pace"),
        ("a: [", "no YAML"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TrainingError, match=reason):
            read_recipe(path)
    with pytest.raises(TrainingError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("mask_rcnn_*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_project_can_be_read_and_its_network_built(path):
    if path.stem.endswith("labels"):
        assert read_label_table(path).sources
        return
    recipe = read_recipe(path)
    assert (RECIPES / recipe.labels).is_file()
    network = (
        MaskRcnn(replace(recipe.network, width=0.35)) if recipe.network.backbone != "resnet101" else None
    )
    if network is not None:
        frozen = [layer for layer in network.layers if recipe.lessons[0].factor(layer.name) == 0]
        # of the stem alone, or of the whole backbone: never of what is new
        assert not any(layer.name.startswith(("fpn_", "rpn_", "mrcnn_")) for layer in frozen)
