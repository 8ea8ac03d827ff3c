"""Fine-tune a RetinaFace: ``python -m models.training.retinaface RECIPE.yaml --out FOLDER``.

Starts from given weights, which also act as the teacher (see ``retinaface_teacher``); measures the averaged
weights on labelled pictures as it goes and keeps the best. An interrupted run continues where its folder
says it stood.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from models.errors import ModelError, TrainingError
from models.evaluation.coco_faces import LabelledPicture
from models.evaluation.faces import FaceFigures, evaluate_faces
from models.retinaface.config import ARCHITECTURE, RetinaFaceConfig
from models.retinaface.detector import NetworkDetector
from models.retinaface.network import build_retinaface
from models.training.retinaface_checkpoint import load_state, recipe_text, save_state
from models.training.retinaface_learner import Learner
from models.training.retinaface_recipe import RetinaFaceRecipe, read_recipe
from models.training.retinaface_sets import batches, held_out_pictures, load_examples
from models.weights import load_weights, save_weights
from models.weights.keras_variables import assign_tensors


def train_retinaface(recipe: RetinaFaceRecipe, out: Path, *, report: Callable[[str], None] = print) -> Path:
    """Train as ``recipe`` says and return the best weights, ``<out>/best.safetensors``.

    ``out`` also gets the weights of the last round (``last.safetensors``), ``state.safetensors`` (to
    resume) and ``log.jsonl`` (one line per round); the folder ``teacher`` beside it keeps the teacher's
    answers. ``report`` gets one line per round. Raises ``DataSetError``, ``PictureError``,
    ``TrainingError``, ``WeightsError``; what is saved by then stays usable.
    """
    cv2.setNumThreads(1)  # threads make whole canvases; more inside each would fight with the training itself
    out.mkdir(parents=True, exist_ok=True)
    stored = load_weights(recipe.init, architecture=ARCHITECTURE)
    config = RetinaFaceConfig.from_mapping(stored.config, origin=recipe.init)
    if config.folded:
        raise TrainingError(
            f"{recipe.init}: is folded and cannot be trained well; start from what it was made of"
        )
    network = build_retinaface(config)
    assign_tensors(network, stored.tensors, origin=recipe.init)
    learner = Learner(
        network,
        steps=recipe.rounds * recipe.steps_per_round,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warm_up_steps=recipe.warm_up_steps,
        average_decay=recipe.average_decay,
    )
    text = recipe_text(asdict(recipe) | {"init": stored.digest})
    state = load_state(out / "state.safetensors", recipe=text)
    best = 0.0
    if state is not None:
        learner.resume(state)
        best = state.best
        report(f"continues after step {state.step}")
    examples = [
        load_examples(training_set, teacher=recipe.teacher or recipe.init, cache=out.parent / "teacher")
        for training_set in recipe.sets
    ]
    held_out = held_out_pictures(recipe.sets)
    stream = batches(
        examples,
        [training_set.share for training_set in recipe.sets],
        batch_size=recipe.batch_size,
        side_px=recipe.side_px,
        seed=recipe.seed,
        first_step=learner.step,
        workers=recipe.workers,
    )
    measure = _Measure(config, held_out, recipe.validation_sides_px)
    if state is None:
        _log(out, report, 0, {}, measure(learner))
    while learner.step < recipe.rounds * recipe.steps_per_round:
        losses = _round(learner, stream, recipe.steps_per_round)
        figures = measure(learner)
        _log(out, report, learner.step // recipe.steps_per_round, losses, figures)
        score = sum(figure.ap50 for figure in figures) / len(figures)
        source = f"{recipe.source}; step {learner.step}, held-out AP50 {score:.4f}"
        _save(out / "last.safetensors", learner, config, source)
        if score > best:
            best = score
            _save(out / "best.safetensors", learner, config, source)
        state = learner.state()
        state.best, state.recipe = best, text
        save_state(out / "state.safetensors", state)
    return out / "best.safetensors"


def _save(path: Path, learner: Learner, config: RetinaFaceConfig, source: str) -> None:
    save_weights(path, learner.average, architecture=ARCHITECTURE, config=config.to_mapping(), source=source)


class _Measure:
    """Figures of the averaged weights; one network and its compiled functions serve all rounds."""

    def __init__(
        self, config: RetinaFaceConfig, pictures: list[LabelledPicture], sides_px: Sequence[int]
    ) -> None:
        self._network = build_retinaface(config)
        self._detector = NetworkDetector(self._network, score_threshold=0.02)
        self._pictures = pictures
        self._sides_px = sides_px

    def __call__(self, learner: Learner) -> list[FaceFigures]:
        assign_tensors(self._network, learner.average, origin="average")
        return [
            evaluate_faces(self._detector, self._pictures, longest_side_px=side) for side in self._sides_px
        ]


def _round(learner: Learner, stream: Iterator[Any], steps: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    began = time.monotonic()
    # a resumed run finishes the round in which it was interrupted
    left = steps - learner.step % steps
    with tqdm(total=left, unit="step", mininterval=5) as bar:
        for _ in range(left):
            for name, value in learner.learn(*next(stream)).items():
                sums[name] = sums.get(name, 0.0) + value / left
            bar.update()
    return sums | {"seconds_per_step": (time.monotonic() - began) / left}


def _log(
    out: Path,
    report: Callable[[str], None],
    number: int,
    losses: dict[str, float],
    figures: Sequence[FaceFigures],
) -> None:
    row = {"round": number, "losses": losses, "figures": [asdict(figure) for figure in figures]}
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    parts = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    measured = "; ".join(
        f"{figure.longest_side_px} px: AP50 {figure.ap50:.4f}, recall {figure.recall:.4f}, "
        f"false {figure.false_per_image:.2f}"
        for figure in figures
    )
    report(f"round {number}: {parts} | {measured}")


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m models.training.retinaface"
) -> int:
    """Train as a recipe says."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--init", type=Path, required=True, help="weights to start from, as a weights file")
    parser.add_argument(
        "--teacher", type=Path, help="weights that complete the labels; the initial ones if none"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; an existing one continues"
    )
    options = parser.parse_args(arguments)
    try:
        recipe = read_recipe(options.recipe, data=options.data, init=options.init, teacher=options.teacher)
        best = train_retinaface(recipe, options.out, report=lambda line: print(line, flush=True))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"best weights: {best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
