"""Trains a mask-state classifier as a recipe says, on faces that are cut out (``ppewatch train classifier``)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.mask_state.network import ARCHITECTURE, build_mask_state_network
from models.training.curves import Curves
from models.training.mask_state_augmentation import plain_crops
from models.training.mask_state_batches import Batch, sampling_weights, training_batches
from models.training.mask_state_cache import CropCache, part_of_cache
from models.training.mask_state_initial import IMAGENET, load_initial
from models.training.mask_state_judging import Judge, Judgement
from models.training.mask_state_learner import MaskStateLearner
from models.training.mask_state_recipe import MaskStateRecipe
from models.training.run_state import load_state, recipe_text, save_state
from models.weights import digest_of, save_weights
from models.weights.keras_variables import assign_tensors

#: Crops on which the batch norms of a folded initialisation are measured.
_MEASURED_CROPS = 96


def train_mask_state(
    recipe: MaskStateRecipe,
    out: Path,
    *,
    training: CropCache,
    validation: CropCache,
    initial: Path | None,
    report: Callable[[str], None] = print,
) -> Path:
    """Train as ``recipe`` says and return the best weights, ``<out>/best.safetensors``.

    ``initial``: see ``mask_state_initial``; None for random weights. ``out`` also gets ``state.safetensors`` (to
    resume), ``log.jsonl`` (one line per round) and curves for TensorBoard. ``report`` gets one line per round.
    Raises ``TrainingError`` when the loss is not finite or ``out`` belongs to another recipe, ``WeightsError`` when
    ``initial`` does not fit.
    """
    cv2.setNumThreads(1)  # threads make whole batches; more inside each would fight with the training itself
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    policy = keras.mixed_precision.dtype_policy()
    try:
        keras.mixed_precision.set_global_policy("mixed_bfloat16" if recipe.half_precision else "float32")
        network = build_mask_state_network(recipe.network)
        keras.mixed_precision.set_global_policy("float32")
        run = _Run(recipe, out, network, training=training, validation=validation, report=report)
        return run.finish(initial)
    finally:
        keras.mixed_precision.set_global_policy(policy)


class _Run:
    """One run: what stays the same over its rounds."""

    def __init__(
        self,
        recipe: MaskStateRecipe,
        out: Path,
        network: keras.Model,
        *,
        training: CropCache,
        validation: CropCache,
        report: Callable[[str], None],
    ) -> None:
        self._recipe, self._out, self._network = recipe, out, network
        self._training = part_of_cache(training, recipe.part)
        self._report = report
        self._shadow = build_mask_state_network(recipe.network)
        self._weights = sampling_weights(
            self._training, recipe.label_shares, recipe.source_power, recipe.source_factors
        )
        self._judge = Judge(
            self._training,
            validation,
            config=recipe.network,
            geometry=recipe.crops,
            augmentation=recipe.augmentation,
            box_sources=recipe.box_sources,
        )
        self._curves = Curves(out / "curves")

    def finish(self, initial: Path | None) -> Path:
        """Give the rounds that are left."""
        text = recipe_text(asdict(self._recipe) | {"initial": _named(initial)})
        state = load_state(self._out / "state.safetensors", recipe=text)
        if state is None and initial is not None:
            self._report(load_initial(self._network, self._recipe.network, initial, self._some_crops()))
        learner = MaskStateLearner(self._network, self._recipe)
        best = -1.0
        if state is not None:
            learner.resume(state)
            best = state.best
            self._report(f"continues after step {state.step}")
        for number in range(learner.step // self._recipe.steps_per_round, self._recipe.rounds):
            loss = self._round(learner, number)
            assign_tensors(self._shadow, learner.average, origin="average")
            judgement = self._judge(self._shadow)
            self._report(f"round {number + 1}: loss {loss:.4f} | {judgement}")
            if judgement.score > best:
                best = judgement.score
                self._save(learner, judgement)
            state = learner.state()
            state.best, state.recipe = best, text
            save_state(self._out / "state.safetensors", state)
            self._log(learner.step, loss, judgement)
        return self._out / "best.safetensors"

    def _some_crops(self) -> NDArray[np.uint8]:
        rng = np.random.default_rng(self._recipe.seed)
        chosen = rng.choice(len(self._training), _MEASURED_CROPS, p=self._weights).tolist()
        return plain_crops(self._training, self._recipe.crops, chosen)

    def _round(self, learner: MaskStateLearner, number: int) -> float:
        """The mean loss of one round."""
        recipe = self._recipe
        batches: Iterator[Batch] = training_batches(
            self._training,
            weights=self._weights,
            geometry=recipe.crops,
            augmentation=recipe.augmentation,
            box_sources=recipe.box_sources,
            batch_size=recipe.batch_size,
            steps=recipe.steps_per_round,
            seed=recipe.seed * 10_000 + number,
            threads=recipe.workers,
        )
        steps = tqdm(batches, total=recipe.steps_per_round, unit="step", mininterval=5)
        return float(np.mean([learner.learn(crops, targets) for crops, targets in steps]))

    def _log(self, step: int, loss: float, judgement: Judgement) -> None:
        figures = {"loss": loss, "score": judgement.score, **judgement.figures}
        with (self._out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")
        self._curves.add(step, figures)

    def _save(self, learner: MaskStateLearner, judgement: Judgement) -> None:
        config = {
            "network": self._recipe.network.to_mapping(),
            "crops": self._recipe.crops.to_mapping(),
            "temperature": round(judgement.temperature, 4),
        }
        if self._recipe.network.kinds:
            config["kind_temperature"] = round(judgement.kind_temperature, 4)
        save_weights(
            self._out / "best.safetensors",
            learner.average,
            architecture=ARCHITECTURE,
            config=config,
            source=f"{self._recipe.source}; step {learner.step}, held-out score {judgement.score:.4f}",
        )


def _named(initial: Path | None) -> str | None:
    """What tells one initialisation from another."""
    if initial is None or initial == IMAGENET:
        return None if initial is None else str(initial)
    return digest_of(initial)
