"""Training and measuring one fold, and what comes out over all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import TrainingError
from models.evaluation.crossval_folds import Fold, write_fold
from models.evaluation.face_detector import look_for_faces
from models.evaluation.face_detector_contenders import own_contenders
from models.evaluation.face_detector_figures import face_detector_figures
from models.evaluation.pipeline import LEAST_SCORE, Pipeline, look
from models.evaluation.pipeline_figures import pipeline_figures
from models.evaluation.tables import Table, number
from models.face_mask_detector import FaceMaskDetector
from models.loading import Device
from models.mask_state.classifier import MaskStateClassifier
from models.retinaface.detector import RetinaFaceDetector
from models.structures import FACE_MASK_CLASSES
from models.training.curves import Curves
from models.training.retinaface import train_retinaface
from models.training.retinaface_recipe import RetinaFaceRecipe
from models.training.retinaface_sets import TrainingSet


@dataclass(frozen=True, slots=True)
class FoldFigures:
    """``pictures``: validated on. ``weights``: the best ones. ``figures``: by name, None where nothing is labelled."""

    number: int
    pictures: int
    weights: Path
    figures: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Measuring:
    """How folds are measured.

    - ``classifier``: weights that judge the found faces; they are not trained anew for each fold.
    - ``input_size_px``: longest side; None: as the product looks. ``score_threshold``, ``least_height_px``: see
      ``pipeline_figures``.
    """

    classifier: Path
    input_size_px: int | None = None
    score_threshold: float = 0.5
    least_height_px: float = 0.0
    device: Device = "auto"


def fold_recipe(recipe: RetinaFaceRecipe, data_set: Path, train_file: Path, fold: Fold) -> RetinaFaceRecipe:
    """``recipe`` that learns from the fold in place of ``data_set``; its other sets stay.

    A recipe that does not name ``data_set`` learns from the fold in place of all its sets of faces. Raises
    ``TrainingError`` when it has none.
    """
    named = [one for one in recipe.sets if one.coco_file.resolve() == data_set.resolve()]
    if named:
        sets = tuple(replace(one, coco_file=train_file) if one in named else one for one in recipe.sets)
        return replace(recipe, sets=sets)
    faces = [one for one in recipe.sets if one.labels == "faces"]
    if not faces:
        raise TrainingError(f"the recipe has no set of faces in whose place {data_set} could be learned")
    instead = TrainingSet(
        coco_file=train_file,
        share=sum(one.share for one in faces),
        exhaustive_sources=tuple(sorted({picture.source for picture in fold.train})),
        held_out=True,
    )
    return replace(recipe, sets=(instead, *(one for one in recipe.sets if one not in faces)))


def run_fold(
    fold: Fold,
    recipe: RetinaFaceRecipe,
    data_set: Path,
    out: Path,
    measuring: Measuring,
    *,
    report: Callable[[str], None],
) -> FoldFigures:
    """Train on the fold in ``out/fold_N``, with curves for TensorBoard, and measure on what it left out.

    An interrupted run goes on where it stood. Raises what ``train_retinaface`` and the evaluations do.
    """
    folder = out / f"fold_{fold.number}"
    train_file, _ = write_fold(fold, folder)
    weights = train_retinaface(
        fold_recipe(recipe, data_set, train_file, fold),
        folder,
        report=lambda line: report(f"fold {fold.number}: {line}"),
    )
    return FoldFigures(fold.number, len(fold.val), weights, _measured(fold, weights, measuring))


def write_curves(folds: Sequence[FoldFigures], folder: Path) -> None:
    """The folds' figures as points of curves for TensorBoard: how much they differ."""
    curves = Curves(folder)
    for fold in folds:
        curves.add(fold.number, {name: value for name, value in fold.figures.items() if value is not None})


def summary_of(folds: Sequence[FoldFigures]) -> dict[str, Any]:
    """Each fold's figures, and the mean and standard deviation (of a sample) over folds, as JSON values."""
    return {
        "folds": [
            {"fold": one.number, "pictures": one.pictures, "figures": dict(one.figures)} for one in folds
        ],
        "mean": {name: _mean(folds, name)[0] for name in folds[0].figures},
        "standard_deviation": {name: _mean(folds, name)[1] for name in folds[0].figures},
    }


def summary_table(folds: Sequence[FoldFigures]) -> Table:
    """The same as a table."""
    names = list(folds[0].figures)
    return Table(
        title="Cross-validation",
        head=("fold", "pictures", *names),
        rows=(
            *(
                (f"fold {one.number}", str(one.pictures), *(number(one.figures.get(name)) for name in names))
                for one in folds
            ),
            ("mean", "", *(number(_mean(folds, name)[0]) for name in names)),
            ("standard deviation", "", *(number(_mean(folds, name)[1]) for name in names)),
        ),
        note="The detector is trained anew for each fold, the classifier is not: what depends on states is better than "
        "a classifier would do that has not seen these pictures.",
    )


def _mean(folds: Sequence[FoldFigures], name: str) -> tuple[float | None, float | None]:
    values = [value for one in folds if (value := one.figures.get(name)) is not None]
    if not values:
        return None, None
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def _measured(fold: Fold, weights: Path, measuring: Measuring) -> dict[str, float | None]:
    size, least = measuring.input_size_px, measuring.least_height_px
    (contender,) = own_contenders([("retinaface", weights)], device=measuring.device)
    seen = look_for_faces(contender, fold.val, input_size_px=size, least_height_px=least)
    faces = face_detector_figures(
        "retinaface",
        seen,
        digest=contender.digest,
        input_size_px=size,
        score_threshold=measuring.score_threshold,
        samples=0,
        seed=0,
    )
    figures: dict[str, float | None] = {
        "face AP50": faces.precision.ap50,
        "face AP": faces.precision.ap,
        "recall": faces.recall,
        "false/picture": faces.false_faces,
    }
    states = {category.label for category in FACE_MASK_CLASSES}
    if not any(thing.category in states for picture in fold.val for thing in picture.objects):
        return figures
    detector = FaceMaskDetector(
        RetinaFaceDetector(weights, score_threshold=LEAST_SCORE, device=measuring.device),
        MaskStateClassifier(measuring.classifier, device=measuring.device),
    )
    judged = look(Pipeline("ppewatch", detector), fold.val, input_size_px=size, least_height_px=least)
    return (
        figures
        | pipeline_figures(
            "ppewatch",
            judged,
            digests=dict(detector.digests),
            input_size_px=size,
            score_threshold=measuring.score_threshold,
            samples=0,
            seed=0,
        ).headline
    )
