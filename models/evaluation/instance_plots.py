"""Plots of a detector's figures as PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.evaluation.coco_precision import IOU_THRESHOLDS, RECALLS
from models.evaluation.confusion import ConfusionMatrix
from models.evaluation.instance_figures import SetFigures
from models.evaluation.plots import Line, plot_counts, plot_lines


def plot_precision_recall(figures: SetFigures, path: Path) -> None:
    """Precision over recall of each word's boxes at IoU 0.5; dashed, of its pixels."""
    plot_lines(
        [
            Line(
                RECALLS,
                curves.precision[0, 0],
                f"{_named(word, kind)}: {curves.average_precision[0, 0]:.3f}",
                colour=_colour(figures, word),
                dashed=kind != "box",
            )
            for word, kind, curves in _curves(figures)
        ],
        path,
        title="Precision and recall at IoU 0.5 (AP50)",
        x_label="recall",
        y_label="precision",
        x_range=(0, 1.02),
    )


def plot_iou_thresholds(figures: SetFigures, path: Path) -> None:
    """Average precision of each word over the IoU that a detection must reach."""
    plot_lines(
        [
            Line(
                IOU_THRESHOLDS,
                curves.average_precision[0],
                _named(word, kind),
                colour=_colour(figures, word),
                dashed=kind != "box",
                dots=True,
            )
            for word, kind, curves in _curves(figures)
        ],
        path,
        title="How well things are placed",
        x_label="IoU threshold",
        y_label="average precision",
    )


def plot_confusion(confusion: ConfusionMatrix, path: Path) -> None:
    """The counts, shaded by their share of the row: of what is labelled, or of what was seen for nothing."""
    plot_counts(
        confusion.counts,
        path,
        rows=[*confusion.words[:-1], "nothing"],
        columns=[*confusion.categories[:-1], "missed"],
        title="What is taken for what",
        x_label="detected",
        y_label="labelled",
    )


def _curves(figures: SetFigures) -> Sequence[tuple[str, str, Any]]:
    return [
        (word, kind, curves)
        for (word, kind), curves in sorted(figures.curves.items())
        if curves.label_counts[0]
    ]


def _named(word: str, kind: str) -> str:
    return word if kind == "box" else f"{word}, pixels"


def _colour(figures: SetFigures, word: str) -> int:
    """One for each word, the same in every plot."""
    return sorted({name for name, _ in figures.curves}).index(word)
