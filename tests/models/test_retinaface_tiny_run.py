"""A run on a few drawn pictures, from the shipped weights: it learns, and again with its seed the same."""

import json
from pathlib import Path

import pytest
from retinaface_training_builders import draw_set

from models.training.retinaface import train_retinaface
from models.training.retinaface_recipe import RetinaFaceRecipe
from models.training.retinaface_sets import TrainingSet
from models.weights import STORE

#: How far two runs of one seed may lie apart: threads add in another order each time.
LOSS_BAND = 0.05
AP50_BAND = 0.1


def run(file: Path, out: Path) -> list[dict]:
    recipe = RetinaFaceRecipe(
        init=STORE / "retinaface.safetensors",
        sets=(TrainingSet(file, 1.0, exhaustive_sources=("complete",), held_out=True, mining=0.5),),
        source="a test",
        validation_sides_px=(256,),
        rounds=2,
        steps_per_round=15,
        batch_size=4,
        side_px=128,
        learning_rate=2e-3,
        warm_up_steps=3,
        average_decay=0.8,
        seed=4,
    )
    train_retinaface(recipe, out, report=lambda line: None)
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_run_learns_and_lands_where_it_landed(tmp_path: Path) -> None:
    file = draw_set(tmp_path / "data", 10)
    first, again = run(file, tmp_path / "runs" / "a"), run(file, tmp_path / "runs" / "b")
    before, _, after = (row["figures"]["ap50"]["256"] for row in first)
    assert after > before + 0.3
    assert first[2]["losses"]["total"] < 0.8 * first[1]["losses"]["total"]
    for one, other in zip(first, again, strict=True):
        assert one["figures"]["ap50"]["256"] == pytest.approx(other["figures"]["ap50"]["256"], abs=AP50_BAND)
    for one, other in zip(first[1:], again[1:], strict=True):
        assert one["losses"]["total"] == pytest.approx(other["losses"]["total"], rel=LOSS_BAND)
