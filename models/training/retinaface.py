"""Trains a RetinaFace as a recipe says (``ppewatch train retinaface``)."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import keras
from tqdm import tqdm

from models.retinaface.config import ARCHITECTURE, RetinaFaceConfig
from models.retinaface.detector import NetworkDetector
from models.retinaface.network import build_retinaface
from models.training.curves import Curves
from models.training.retinaface_held_out import HeldOutFigures, measure_held_out
from models.training.retinaface_initialisation import config_for, finds_faces, initialise
from models.training.retinaface_learner import Learner
from models.training.retinaface_recipe import RetinaFaceRecipe
from models.training.retinaface_sets import batches, held_out_close_ups, held_out_pictures, load_set
from models.training.run_state import load_state, recipe_text, save_state
from models.weights import digest_of, save_weights
from models.weights.keras_variables import assign_tensors


def train_retinaface(recipe: RetinaFaceRecipe, out: Path, *, report: Callable[[str], None] = print) -> Path:
    """Train as ``recipe`` says and return the best weights, ``<out>/best.safetensors``.

    ``out`` also gets the weights of the last round (``last.safetensors``), ``state.safetensors`` (to
    resume), ``log.jsonl`` (one line per round) and curves for TensorBoard; the folder ``teacher`` beside it
    keeps what the teacher and the initial weights see in the training pictures. ``report`` gets one line per
    round. Raises ``DataSetError``, ``PictureError``, ``TrainingError``, ``WeightsError``; what is saved by
    then stays usable.
    """
    cv2.setNumThreads(1)  # threads make whole canvases; more inside each would fight with the training itself
    # not from the clock: layers that no weights are for start the same way each time
    keras.utils.set_random_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    config = config_for(recipe.backbone, recipe.init)
    network = build_retinaface(config)
    line = initialise(network, config, recipe.init)
    learner = _learner(network, recipe)
    text = state_text(recipe)
    state = load_state(out / "state.safetensors", recipe=text)
    best = 0.0
    if state is None:
        report(line)
    else:
        learner.resume(state)
        best = state.best
        report(f"continues after step {state.step}")
    miner = recipe.init if finds_faces(recipe.init) else None
    sets = [
        load_set(
            training_set, teacher=recipe.teacher, miner=miner, cache=out.parent / "teacher", part=recipe.part
        )
        for training_set in recipe.sets
    ]
    stream = batches(
        sets,
        batch_size=recipe.batch_size,
        side_px=recipe.side_px,
        seed=recipe.seed,
        first_step=learner.step,
        workers=recipe.workers,
        matching=recipe.matching,
    )
    measure = _Measure(config, recipe)
    log = _Log(out, report)
    if state is None:
        log.add(0, 0, {}, measure(learner))
    while learner.step < recipe.rounds * recipe.steps_per_round:
        losses = _round(learner, stream, recipe.steps_per_round)
        figures = measure(learner)
        log.add(learner.step // recipe.steps_per_round, learner.step, losses, figures)
        source = f"{recipe.source}; step {learner.step}, held-out AP50 {figures.score:.4f}"
        _save(out / "last.safetensors", learner, config, source)
        if figures.score > best or not (out / "best.safetensors").exists():
            best = figures.score
            _save(out / "best.safetensors", learner, config, source)
        state = learner.state()
        state.best, state.recipe = best, text
        save_state(out / "state.safetensors", state)
    return out / "best.safetensors"


def _learner(network: keras.Model, recipe: RetinaFaceRecipe) -> Learner:
    return Learner(
        network,
        steps=recipe.rounds * recipe.steps_per_round,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warm_up_steps=recipe.warm_up_steps,
        average_decay=recipe.average_decay,
        loss=recipe.loss,
        learn_batch_norms=recipe.learn_batch_norms,
    )


def state_text(recipe: RetinaFaceRecipe) -> str:
    """What tells the run of a recipe from others: its values, and the weights by their digests."""
    digests = {
        name: None if path is None else digest_of(path)
        for name, path in (("init", recipe.init), ("teacher", recipe.teacher))
    }
    return recipe_text(asdict(recipe) | digests)


def _save(path: Path, learner: Learner, config: RetinaFaceConfig, source: str) -> None:
    save_weights(path, learner.average, architecture=ARCHITECTURE, config=config.to_mapping(), source=source)


class _Measure:
    """Figures of the averaged weights; one network and its compiled functions serve all rounds."""

    def __init__(self, config: RetinaFaceConfig, recipe: RetinaFaceRecipe) -> None:
        self._network = build_retinaface(config)
        self._detector = NetworkDetector(self._network, score_threshold=0.02)
        self._pictures = held_out_pictures(recipe.sets)
        self._close_ups = held_out_close_ups(recipe.sets)
        self._sides_px = recipe.validation_sides_px

    def __call__(self, learner: Learner) -> HeldOutFigures:
        assign_tensors(self._network, learner.average, origin="average")
        return measure_held_out(self._detector, self._pictures, self._close_ups, sides_px=self._sides_px)


class _Log:
    """Tells how the run goes: a line to whoever watches, one in a file, and points on curves."""

    def __init__(self, out: Path, report: Callable[[str], None]) -> None:
        self._file, self._report = out / "log.jsonl", report
        self._curves = Curves(out / "curves")

    def add(self, number: int, step: int, losses: dict[str, float], figures: HeldOutFigures) -> None:
        row = {"round": number, "step": step, "losses": losses, "figures": asdict(figures)}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._curves.add(step, losses | figures.scalars)
        learned = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        measured = ", ".join(f"{name} {value:.4f}" for name, value in figures.scalars.items())
        self._report(f"round {number}: {learned} | {measured}")


def _round(learner: Learner, stream: Iterator[Any], steps: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    began = time.monotonic()
    # a resumed run finishes the round in which it was interrupted
    left = steps - learner.step % steps
    with tqdm(total=left, unit="step", mininterval=5, disable=None) as bar:
        for _ in range(left):
            for name, value in learner.learn(*next(stream)).items():
                sums[name] = sums.get(name, 0.0) + value / left
            bar.update()
    return sums | {"seconds_per_step": (time.monotonic() - began) / left}
