"""Recipes of RetinaFace: those that ship, and those that are refused."""

from pathlib import Path

import pytest

from models.errors import TrainingError
from models.training.retinaface_recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "models" / "training" / "recipes"


def test_shipped_recipes_can_be_read() -> None:
    found = sorted(RECIPES.glob("retinaface*.yaml"))
    assert found
    for file in found:
        recipe = read_recipe(file, data=Path("data"), init=Path("init"))
        assert all(training_set.coco_file.parts[0] == "data" for training_set in recipe.sets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "list of sets"),
        ("sets: [", "no YAML"),
        ("{sets: [], source: s}", "at least one set"),
        ("{sets: [{share: 1}], source: s}", "coco_file"),
        ("{sets: [{coco_file: a, share: 1, colour: red}], source: s}", "colour"),
        ("{sets: [{coco_file: a, share: 1}], source: s, speed: 3}", "speed"),
        ("{sets: [{coco_file: a, share: 1}]}", "source"),
        ("{sets: [{coco_file: a, share: 1}], source: s, side_px: 100}", "multiple of 64"),
        ("{sets: [{coco_file: a, share: 1}], source: s, rounds: 0}", "rounds"),
        ("{sets: [{coco_file: a, share: 0}], source: s}", "share"),
        ("{sets: [{coco_file: a, share: 1, labels: hats}], source: s}", "hats"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {box: l3}}", "l3"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: 3}", "keys and values"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {classification: luck}}", "luck"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {focal_alpha: 1}}", "focal_alpha"),
        ("{sets: [{coco_file: a, share: 1}], source: s, loss: {box_beta: 0}}", "betas"),
        ("{sets: [{coco_file: a, share: 1}], source: s, matching: {background_iou: 0.5}}", "background_iou"),
        ("{sets: [{coco_file: a, share: 1}], source: s, matching: {least_anchors: 0}}", "least_anchors"),
        ("{sets: [{coco_file: a, share: 1}], source: s, backbone: vgg}", "vgg"),
    ],
)
def test_bad_recipes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(TrainingError, match=message):
        read_recipe(tmp_path / "r.yaml", data=tmp_path, init=tmp_path)


def test_without_initial_weights_a_recipe_must_say_what_to_build(tmp_path: Path) -> None:
    text = "{sets: [{coco_file: a, share: 1}], source: s%s}"
    (tmp_path / "r.yaml").write_text(text % "")
    with pytest.raises(TrainingError, match="needs a backbone"):
        read_recipe(tmp_path / "r.yaml", data=tmp_path)
    (tmp_path / "r.yaml").write_text(text % ", backbone: resnet50, matching: {positive_iou: 0.5}")
    recipe = read_recipe(tmp_path / "r.yaml", data=tmp_path)
    assert (recipe.backbone, recipe.matching.positive_iou, recipe.loss.box) == ("resnet50", 0.5, "smooth_l1")
