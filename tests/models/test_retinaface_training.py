"""Training RetinaFace: a run that is interrupted and continued, or stops."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from retinaface_builders import made_up_weights
from retinaface_training_builders import draw_set, learner_for, stream_for

from models.errors import TrainingError
from models.retinaface.detector import RetinaFaceDetector
from models.training.retinaface import state_text, train_retinaface
from models.training.retinaface_recipe import RetinaFaceRecipe
from models.training.retinaface_sets import TrainingSet
from models.training.run_state import RunState, load_state, save_state
from models.weights.keras_variables import tensors_of


def small_recipe(folder: Path, **changes: Any) -> RetinaFaceRecipe:
    file = draw_set(folder / "data")
    recipe = RetinaFaceRecipe(
        init=made_up_weights(folder / "init.safetensors"),
        sets=(TrainingSet(file, 1.0, exhaustive_sources=("complete",), held_out=True),),
        source="a test",
        validation_sides_px=(64,),
        rounds=2,
        steps_per_round=2,
        batch_size=2,
        side_px=64,
        warm_up_steps=1,
    )
    return replace(recipe, **changes)


@pytest.mark.usefixtures("eagerly")
def test_a_run_trains_measures_and_keeps_the_best(tmp_path: Path) -> None:
    lines: list[str] = []
    recipe = small_recipe(tmp_path)
    best = train_retinaface(recipe, tmp_path / "runs" / "a", report=lines.append)
    log = [json.loads(line) for line in (tmp_path / "runs" / "a" / "log.jsonl").read_text().splitlines()]
    assert [row["round"] for row in log] == [0, 1, 2]
    # the first says what it started from
    assert len(lines) == 4
    assert "untrained: nothing" in lines[0]
    assert list((tmp_path / "runs" / "a" / "curves").iterdir())
    assert all(np.isfinite(row["losses"]["total"]) for row in log[1:])
    state = load_state(tmp_path / "runs" / "a" / "state.safetensors", recipe=state_text(recipe))
    assert state is not None
    assert state.step == 4
    assert RetinaFaceDetector(best.with_name("last.safetensors")).digest
    assert best.exists()


@pytest.mark.usefixtures("eagerly")
def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    stream = stream_for(draw_set(tmp_path))
    seen = [next(stream) for _ in range(3)]
    stream.close()
    unbroken = learner_for()
    statistics = {name: value for name, value in tensors_of(unbroken.network).items() if "moving" in name}
    unbroken.learn(*seen[0])
    save_state(tmp_path / "state.safetensors", unbroken.state())
    losses = [unbroken.learn(*batch)["total"] for batch in seen[1:]]
    assert np.isfinite(losses).all()

    resumed = learner_for(seed=1)
    state = load_state(tmp_path / "state.safetensors", recipe="")
    assert state is not None
    resumed.resume(state)
    assert resumed.step == 1
    again = [resumed.learn(*batch)["total"] for batch in seen[1:]]
    np.testing.assert_allclose(again, losses, rtol=1e-3)
    for name, value in resumed.average.items():
        np.testing.assert_allclose(value, unbroken.average[name], atol=2e-4, err_msg=name)
    after = tensors_of(unbroken.network)
    for name, value in statistics.items():
        np.testing.assert_array_equal(after[name], value)


@pytest.mark.usefixtures("eagerly")
def test_a_diverging_run_stops(tmp_path: Path) -> None:
    stream = stream_for(draw_set(tmp_path))
    pixels, targets = next(stream)
    stream.close()
    with pytest.raises(TrainingError, match="not finite"):
        learner_for().learn(np.full_like(pixels, np.nan), targets)


def test_states_of_other_runs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    assert load_state(path, recipe="a") is None
    save_state(path, RunState({"network/x": np.zeros(3)}, step=3, best=0.5, recipe="a"))
    state = load_state(path, recipe="a")
    assert state is not None
    assert (state.step, state.best) == (3, 0.5)
    with pytest.raises(TrainingError, match="another recipe"):
        load_state(path, recipe="b")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(TrainingError, match="no state"):
        load_state(path, recipe="a")
