"""Plots of a detector's figures as PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.errors import ModelError
from models.evaluation.coco_precision import IOU_THRESHOLDS, RECALLS
from models.evaluation.confusion import ConfusionMatrix
from models.evaluation.instance_figures import SetFigures

_SIZE_INCHES: Final = (5.6, 4.2)
_DPI: Final = 110

#: Okabe and Ito's colours, told apart by colour-blind readers too; one for each word, the same in every plot.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def plot_precision_recall(figures: SetFigures, path: Path) -> None:
    """Precision over recall of each word's boxes at IoU 0.5; dashed, of its pixels."""
    figure, axes = _figure()
    for word, kind, curves in _curves(figures):
        axes.plot(
            RECALLS,
            curves.precision[0, 0],
            color=_colour(figures, word),
            linestyle="-" if kind == "box" else "--",
            label=f"{_named(word, kind)}: {curves.average_precision[0, 0]:.3f}",
        )
    axes.set(
        xlabel="recall", ylabel="precision", title="Precision and recall at IoU 0.5 (AP50)", xlim=(0, 1.02)
    )
    _save(figure, axes, path)


def plot_iou_thresholds(figures: SetFigures, path: Path) -> None:
    """Average precision of each word over the IoU that a detection must reach."""
    figure, axes = _figure()
    for word, kind, curves in _curves(figures):
        axes.plot(
            IOU_THRESHOLDS,
            curves.average_precision[0],
            color=_colour(figures, word),
            linestyle="-" if kind == "box" else "--",
            marker=".",
            label=_named(word, kind),
        )
    axes.set(xlabel="IoU threshold", ylabel="average precision", title="How well things are placed")
    _save(figure, axes, path)


def plot_confusion(confusion: ConfusionMatrix, path: Path) -> None:
    """The counts, shaded by their share of the row: of what is labelled, or of what was seen for nothing."""
    figure, axes = _figure()
    shares = confusion.counts / np.maximum(confusion.counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*confusion.counts.shape):
        axes.text(
            column,
            row,
            str(confusion.counts[row, column]),
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.6 else "black",
        )
    axes.set_xticks(range(len(confusion.categories)), _column_names(confusion), rotation=25, ha="right")
    axes.set_yticks(range(len(confusion.words)), _row_names(confusion))
    axes.set(xlabel="detected", ylabel="labelled", title="What is taken for what")
    figure.savefig(path, dpi=_DPI)


def _figure() -> tuple[Any, Any]:
    try:
        # the object interface: no window system, nothing global
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra that only plots need
    except ImportError as error:
        raise ModelError("plots need matplotlib: install the extra `evaluate`") from error
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    return figure, figure.subplots()


def _save(figure: Any, axes: Any, path: Path) -> None:
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    if axes.has_data():
        axes.legend(loc="best", fontsize="small", framealpha=0.85)
    figure.savefig(path, dpi=_DPI)


def _curves(figures: SetFigures) -> Sequence[tuple[str, str, Any]]:
    return [
        (word, kind, curves)
        for (word, kind), curves in sorted(figures.curves.items())
        if curves.label_counts[0]
    ]


def _named(word: str, kind: str) -> str:
    return word if kind == "box" else f"{word}, pixels"


def _colour(figures: SetFigures, word: str) -> str:
    words = sorted({name for name, _ in figures.curves})
    return _COLOURS[words.index(word) % len(_COLOURS)]


def _row_names(confusion: ConfusionMatrix) -> list[str]:
    return [*confusion.words[:-1], "nothing"]


def _column_names(confusion: ConfusionMatrix) -> list[str]:
    return [*confusion.categories[:-1], "missed"]
