"""Trains a Mask R-CNN as a recipe says (``ppewatch train maskrcnn``)."""

import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from itertools import accumulate, count
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.mask_rcnn.config import ARCHITECTURE, MaskRcnnConfig
from models.mask_rcnn.detector import NetworkMaskRcnn
from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.proposals import ProposalSettings
from models.training.curves import Curves
from models.training.mask_rcnn.batch import stacked
from models.training.mask_rcnn.held_out import HeldOutFigures, measure_held_out
from models.training.mask_rcnn.initialisation import set_initial_weights
from models.training.mask_rcnn.labels import Example, read_label_table
from models.training.mask_rcnn.learner import Learner
from models.training.mask_rcnn.lesson import Lesson
from models.training.mask_rcnn.recipe import MaskRcnnRecipe
from models.training.mask_rcnn.sets import LoadedSet, batches, gear_of, load_sets
from models.training.picture_cache import PictureCache
from models.training.run_state import RunState, load_state, recipe_text, save_state
from models.weights import digest_of, load_weights, save_weights
from models.weights.keras_variables import assign_tensors


def train_mask_rcnn(
    recipe: MaskRcnnRecipe,
    out: Path,
    *,
    data: Path,
    tables: Path,
    init: Path | None = None,
    pseudo_folder: Path = Path(),
    report: Callable[[str], None] = print,
) -> Path:
    """Train as ``recipe`` says and return the best weights, ``<out>/best.safetensors``.

    - ``data``: folder of the sets. ``tables``: folder of the table of labels. ``init``: weights to start
      from: of a Mask R-CNN, whose parts that fit are taken, or of its backbone; nothing when None.
      ``pseudo_folder``: of the
      pseudo-labels that the recipe names.
    - ``out`` also gets the weights of the last round (``last.safetensors``), ``state.safetensors`` (to
      resume), ``log.jsonl`` (one line per round) and curves for TensorBoard.

    ``report`` gets one line per round. Raises ``DataSetError``, ``PictureError``, ``TrainingError``,
    ``WeightsError``; what is saved by then stays usable.
    """
    cv2.setNumThreads(1)  # threads make whole canvases; more inside each would fight with the training itself
    out.mkdir(parents=True, exist_ok=True)
    # masters stay float32; the pictures of a lesson are computed in half precision where the recipe says so
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if recipe.half_precision else "float32")
    text = recipe_text(asdict(recipe) | {"init": digest_of(init) if init is not None else "nothing"})
    state = load_state(out / "state.safetensors", recipe=text)
    network = MaskRcnn(recipe.network)
    sets = _loaded(recipe, data, tables, pseudo_folder)
    run = _Run(recipe, out, network=network, report=report, sets=sets)
    if state is None:
        report(set_initial_weights(network, init, run.some_pixels))
    run.best = state.best if state is not None else 0.0
    return run.finish(state, text)


def _loaded(recipe: MaskRcnnRecipe, data: Path, tables: Path, pseudo_folder: Path) -> list[LoadedSet]:
    return load_sets(
        recipe.sets,
        data,
        recipe.network.categories,
        read_label_table(tables / recipe.labels),
        pseudo_labels=recipe.pseudo_labels,
        faces_seen=recipe.faces_seen,
        pseudo_folder=pseudo_folder,
    )


class _Run:
    """One run: what stays the same over its lessons."""

    def __init__(
        self,
        recipe: MaskRcnnRecipe,
        out: Path,
        *,
        network: MaskRcnn,
        report: Callable[[str], None],
        sets: list[LoadedSet],
    ) -> None:
        self.best = 0.0
        self._recipe, self._out, self._network, self._report = recipe, out, network, report
        self._cache = PictureCache()
        self._sets = sets
        self._gear = (
            gear_of(sets, recipe.network.categories, self._cache, hat_chance=recipe.hat_chance)
            if recipe.gear
            else None
        )
        held_out = [example for one in self._sets for example in one.held_out]
        order = np.random.default_rng(recipe.seed).permutation(len(held_out))
        chosen = sorted(order[: recipe.validation_pictures])
        self._measure = _Measure(
            recipe.network, [held_out[index] for index in chosen], self._cache, recipe.validation_side_px
        )
        self._curves = Curves(out / "curves")
        self._ends = list(accumulate(lesson.steps for lesson in recipe.lessons))

    def finish(self, state: RunState | None, text: str) -> Path:
        """Give all lessons that are left."""
        done = state.step if state is not None else 0
        average = state.part("average") if state is not None else None
        if state is not None:
            self._report(f"continues after step {done}")
            assign_tensors(self._network, state.part("network"), origin="state")
        for number, lesson in enumerate(self._recipe.lessons):
            begin, end = self._ends[number] - lesson.steps, self._ends[number]
            if done >= end:
                continue
            if done == begin and lesson.starts_from == "best" and number:
                stored = load_weights(self._out / "best.safetensors", architecture=ARCHITECTURE)
                assign_tensors(self._network, stored.tensors, origin="best")
                average = dict(stored.tensors)
            learner = self._learner(lesson, average)
            if state is not None and done > begin:
                learner.resume(state)
                learner.step = done - begin
            self._teach(learner, begin, lesson, text)
            average, done = learner.average, end
        return self._out / "best.safetensors"

    def some_pixels(self) -> NDArray[np.uint8]:
        """The first batch, uint8 (B, S, S, 3)."""
        stream = self._stream(0)
        pixels: NDArray[np.uint8] = next(stream)["pixels"]
        stream.close()
        return pixels

    def _learner(self, lesson: Lesson, average: dict[str, NDArray[Any]] | None) -> Learner:
        copied = None if average is None else {name: np.array(value) for name, value in average.items()}
        return Learner(
            self._network,
            lesson,
            average_decay=self._recipe.average_decay,
            proposals=ProposalSettings(candidates=3 * self._recipe.proposals, count=self._recipe.proposals),
            sampling=self._recipe.sampling,
            average=copied,
        )

    def _teach(self, learner: Learner, begin: int, lesson: Lesson, text: str) -> None:
        stream = self._stream(begin + learner.step)
        while learner.step < lesson.steps:
            losses = self._round(learner, stream, lesson)
            step = begin + learner.step
            figures = self._measure(learner)
            self._log(step, losses, figures)
            source = f"{self._recipe.source}; step {step}, held-out AP50 {figures.score:.4f}"
            self._save("last", learner, source)
            if figures.score > self.best or not (self._out / "best.safetensors").exists():
                self.best = figures.score
                self._save("best", learner, source)
            state = learner.state()
            state.step, state.best, state.recipe = step, self.best, text
            save_state(self._out / "state.safetensors", state)

    def _stream(self, first_step: int) -> Generator[dict[str, NDArray[Any]], None, None]:
        recipe = self._recipe
        anchors = self._network.anchors((recipe.side_px, recipe.side_px))
        canvases = batches(
            self._sets,
            categories=recipe.network.categories,
            batch_size=recipe.batch_size,
            side_px=recipe.side_px,
            seed=recipe.seed,
            first_step=first_step,
            workers=recipe.workers,
            cache=self._cache,
            gear=self._gear,
        )
        # the step itself waits for nothing: targets are made while the one before is learned
        with ThreadPoolExecutor(1, thread_name_prefix="targets") as maker:

            def prepare(step: int) -> Future[dict[str, NDArray[Any]]]:
                drawing = np.random.default_rng((recipe.seed, step, 1))
                return maker.submit(lambda: stacked(next(canvases), anchors, drawing))

            waiting = [prepare(first_step), prepare(first_step + 1)]
            for step in count(first_step + 2):
                yield waiting.pop(0).result()
                waiting.append(prepare(step))

    def _round(
        self, learner: Learner, stream: Iterator[dict[str, NDArray[Any]]], lesson: Lesson
    ) -> dict[str, float]:
        sums: dict[str, float] = {}
        began = time.monotonic()
        # a resumed run finishes the round in which it was interrupted
        every = self._recipe.steps_per_round
        left = min(every - learner.step % every, lesson.steps - learner.step)
        with tqdm(total=left, unit="step", mininterval=5) as bar:
            for _ in range(left):
                for name, value in learner.learn(next(stream)).items():
                    sums[name] = sums.get(name, 0.0) + value / left
                bar.update()
        return sums | {"seconds_per_step": (time.monotonic() - began) / left}

    def _log(self, step: int, losses: dict[str, float], figures: HeldOutFigures) -> None:
        row = {"step": step, "losses": losses, "score": figures.score, "ap50": figures.ap50}
        with (self._out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._curves.add(step, losses | {f"ap50/{name}": value for name, value in figures.ap50.items()})
        parts = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        measured = ", ".join(f"{name} {value:.3f}" for name, value in figures.ap50.items())
        self._report(f"step {step}: {parts} | AP50 {figures.score:.4f}: {measured}")

    def _save(self, name: str, learner: Learner, source: str) -> None:
        save_weights(
            self._out / f"{name}.safetensors",
            learner.average,
            architecture=ARCHITECTURE,
            config=self._recipe.network.to_mapping(),
            source=source,
        )


class _Measure:
    """Figures of the averaged weights; one network and its compiled functions serve all rounds."""

    def __init__(
        self, config: MaskRcnnConfig, examples: Sequence[Example], cache: PictureCache, side_px: int
    ) -> None:
        self._categories = config.categories
        policy = keras.mixed_precision.dtype_policy()
        keras.mixed_precision.set_global_policy("float32")
        self._network = MaskRcnn(config)
        keras.mixed_precision.set_global_policy(policy)
        self._detector = NetworkMaskRcnn(self._network, score_threshold=0.02)
        self._examples, self._cache, self._side_px = examples, cache, side_px

    def __call__(self, learner: Learner) -> HeldOutFigures:
        assign_tensors(self._network, learner.average, origin="average")
        return measure_held_out(
            self._detector,
            self._examples,
            self._cache,
            categories=self._categories,
            longest_side_px=self._side_px,
        )
