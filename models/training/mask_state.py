"""Train the mask-state classifier: ``python -m models.training.mask_state RECIPE.yaml --out FOLDER``.

Balanced, augmented batches; AdamW with a warm-up and a cosine; the weights that count are an exponential
average of those that learn. The best round is the one with the best macro F1 on the held-out split, clean and
degraded alike; the temperature is fitted there too. ``faces/val`` is looked at, never chosen by. An
interrupted run continues where its folder says it stood.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.errors import ModelError, TrainingError
from models.evaluation.classification import ClassificationReport, classification_report
from models.mask_state.calibration import fit_temperature, softmax
from models.mask_state.crops import CropGeometry
from models.mask_state.network import ARCHITECTURE, LOGITS, NOT_VISIBLE, build_mask_state_network
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.import_pytorch import backbone_tensors_from_state_dict, state_dict_of
from models.retinaface.torch_files import read_torch_file
from models.training.mask_state_augmentation import augmented_crop, plain_crops
from models.training.mask_state_batches import Batch, sampling_weights, training_batches
from models.training.mask_state_cache import CropCache, load_cache
from models.training.mask_state_learner import MaskStateLearner
from models.training.mask_state_recipe import MaskStateRecipe, read_mask_state_recipe
from models.training.retinaface_checkpoint import load_state, recipe_text, save_state
from models.weights import digest_of, load_weights, save_weights
from models.weights.keras_variables import assign_tensors, named_variables

_DEGRADED_SEED: Final = 20_000_003


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

    ``initial``: weights of this classifier, a PyTorch file with an ImageNet backbone, or None for random
    ones. ``out`` also gets ``state.safetensors`` (to resume). ``report`` gets one line per round. Raises
    ``TrainingError`` when the loss is not finite or ``out`` belongs to another recipe, ``WeightsError`` when
    ``initial`` does not fit.
    """
    cv2.setNumThreads(1)  # threads make whole batches; more inside each would fight with the training itself
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    network, shadow = build_mask_state_network(recipe.network), build_mask_state_network(recipe.network)
    if initial is not None:
        load_initial(network, initial)
    learner = MaskStateLearner(network, recipe)
    text = recipe_text(asdict(recipe) | {"initial": None if initial is None else digest_of(initial)})
    best = -1.0
    state = load_state(out / "state.safetensors", recipe=text)
    if state is not None:
        learner.resume(state)
        best = state.best
        report(f"continues after step {state.step}")
    weights = sampling_weights(training, recipe.label_shares, recipe.source_power, recipe.source_factors)
    held_out = _held_out_crops(training, recipe)
    for number in range(learner.step // recipe.steps_per_round, recipe.rounds):
        batches = training_batches(
            training,
            weights=weights,
            geometry=recipe.crops,
            augmentation=recipe.augmentation,
            batch_size=recipe.batch_size,
            steps=recipe.steps_per_round,
            seed=recipe.seed * 10_000 + number,
            threads=recipe.workers,
        )
        loss = _round(learner, batches, recipe.steps_per_round)
        assign_tensors(shadow, learner.average, origin="average")
        score, temperature, line = _judge(shadow, held_out, validation, recipe.crops)
        report(f"round {number + 1}: loss {loss:.4f} | {line}")
        if score > best:
            best = score
            save_weights(
                out / "best.safetensors",
                learner.average,
                architecture=ARCHITECTURE,
                config={
                    "network": recipe.network.to_mapping(),
                    "crops": recipe.crops.to_mapping(),
                    "temperature": round(temperature, 4),
                },
                source=f"{recipe.source}; step {learner.step}, held-out F1 {score:.4f}",
            )
        state = learner.state()
        state.best, state.recipe = best, text
        save_state(out / "state.safetensors", state)
    return out / "best.safetensors"


def load_initial(model: keras.Model, path: Path) -> None:
    """Give ``model`` the weights of this classifier, or the backbone of an ImageNet classifier published for
    PyTorch (any file but ``.safetensors``).

    Raises ``WeightsError`` when the file cannot be read, names anything but tensors, or does not fit.
    """
    if path.suffix == ".safetensors":
        stored = load_weights(path, architecture=ARCHITECTURE)
        assign_tensors(model, stored.tensors, origin=path)
        return
    state = state_dict_of(read_torch_file(path), origin=path)
    tensors = backbone_tensors_from_state_dict(state, RetinaFaceConfig(), origin=path)
    variables = named_variables(model)
    for name, tensor in tensors.items():
        variables[name].assign(tensor)
    # the importer turns the first kernel round for RetinaFace, which takes B, G, R; the classifier took R, G,
    # B
    first = next(name for name in tensors if name.endswith("/kernel"))
    variables[first].assign(tensors[first][:, :, ::-1])


def predict_logits(
    model: keras.Model, crops: NDArray[np.uint8], batch_size: int = 256
) -> NDArray[np.float32]:
    """Logits (N, K) of crops (N, S, S, 3), without augmentation or dropout."""
    parts = [
        np.asarray(keras.ops.convert_to_numpy(model.predict_on_batch(crops[i : i + batch_size])))
        for i in range(0, len(crops), batch_size)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, LOGITS), np.float32)


class _HeldOut(NamedTuple):
    """The held-out split, clean and degraded; degraded crops may have become untellable, which their labels
    say.
    """

    clean: NDArray[np.uint8]
    degraded: NDArray[np.uint8]
    labels: NDArray[np.int32]
    degraded_labels: NDArray[np.int32]


def _held_out_crops(cache: CropCache, recipe: MaskStateRecipe) -> _HeldOut:
    chosen = np.flatnonzero(cache.held_out).tolist()
    if not chosen:
        raise TrainingError("the training set holds out no example for calibration")
    rng = np.random.default_rng(_DEGRADED_SEED)
    degraded = [
        augmented_crop(
            cache.region(i),
            cache.boxes_xyxy[i],
            int(cache.labels[i]),
            geometry=recipe.crops,
            config=recipe.augmentation,
            rng=rng,
        )
        for i in chosen
    ]
    return _HeldOut(
        plain_crops(cache, recipe.crops, chosen),
        np.stack([crop for crop, _ in degraded]),
        cache.labels[chosen],
        np.array([int(target.argmax()) for _, target in degraded], np.int32),
    )


def _judge(
    network: keras.Model, held_out: _HeldOut, validation: CropCache, geometry: CropGeometry
) -> tuple[float, float, str]:
    """Score to choose by, temperature, and a line for people."""
    clean, degraded = predict_logits(network, held_out.clean), predict_logits(network, held_out.degraded)
    temperature = fit_temperature(
        np.concatenate([clean, degraded]), np.concatenate([held_out.labels, held_out.degraded_labels])
    )
    scores = [_report(clean, held_out.labels).macro_f1, _report(degraded, held_out.degraded_labels).macro_f1]
    logits = predict_logits(network, plain_crops(validation, geometry, range(len(validation))))
    figures = _report(logits, validation.labels)
    line = (
        f"held-out F1 {scores[0]:.4f} clean, {scores[1]:.4f} degraded, temperature {temperature:.2f}; "
        f"validation: accuracy {figures.accuracy:.4f}, F1 {' '.join(f'{f1:.3f}' for f1 in figures.f1)}, "
        f"not visible {float(softmax(logits)[:, NOT_VISIBLE].mean()):.3f}"
    )
    return float(np.mean(scores)), temperature, line


def _report(logits: NDArray[np.float32], labels: NDArray[np.int32]) -> ClassificationReport:
    """Of the three classes, on the examples that can be told."""
    told = labels != NOT_VISIBLE
    return classification_report(labels[told], logits[told, :NOT_VISIBLE].argmax(1), NOT_VISIBLE)


def _round(learner: MaskStateLearner, batches: Iterator[Batch], steps: int) -> float:
    """The mean loss of one round."""
    losses = [
        learner.learn(crops, targets)
        for crops, targets in tqdm(batches, total=steps, unit="step", mininterval=5)
    ]
    return float(np.mean(losses))


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m models.training.mask_state"
) -> int:
    """Train as a recipe says, on what ``mask_state_prepare`` has made."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--crops", type=Path, required=True, help="folder that mask_state_prepare has filled")
    parser.add_argument("--init", type=Path, help="weights to start from; else random ones")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; an existing one continues"
    )
    options = parser.parse_args(arguments)
    try:
        best = train_mask_state(
            read_mask_state_recipe(options.recipe),
            options.out,
            training=load_cache(options.crops / "training.npz"),
            validation=load_cache(options.crops / "validation.npz"),
            initial=options.init,
            report=lambda line: print(line, flush=True),
        )
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"best weights: {best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
