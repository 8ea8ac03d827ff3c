"""Plots of face pipelines as PNG files."""

from collections.abc import Sequence
from pathlib import Path

from models.evaluation.coco_precision import IOU_THRESHOLDS, RECALLS
from models.evaluation.pipeline_figures import PipelineFigures
from models.evaluation.pipeline_table import label_of
from models.evaluation.plots import Line, plot_counts, plot_lines
from models.structures import FACE_MASK_CLASSES


def plot_rocs(many: Sequence[PipelineFigures], path: Path) -> None:
    """True over false negative rate of every pipeline; dashed, of its classifier alone."""
    lines = [
        Line(
            curve.false_positive_rate,
            curve.true_positive_rate,
            f"{' '.join(label_of(one))}{', found faces' if dashed else ''}: {curve.area:.3f}",
            colour=index,
            dashed=dashed,
        )
        for index, one in enumerate(many)
        for dashed, curve in ((False, one.roc), (True, one.classifier_roc))
        if curve is not None
    ]
    plot_lines(
        lines,
        path,
        title="Unmasked faces; missed ones counted as masked (area)",
        x_label="masked faces called unmasked (FNR)",
        y_label="unmasked faces called so (TNR)",
        x_range=(-0.02, 1.02),
    )


def plot_state_thresholds(figures: PipelineFigures, path: Path) -> None:
    """Average precision of each state, and of faces, over the IoU that a detection must reach."""
    lines = [
        Line(IOU_THRESHOLDS, one.by_threshold, category.label, colour=index, dots=True)
        for index, (category, one) in enumerate(zip(FACE_MASK_CLASSES, figures.states, strict=True))
        if one.labels
    ]
    lines.append(Line(IOU_THRESHOLDS, figures.faces.by_threshold, "face", colour=6, dashed=True, dots=True))
    plot_lines(
        lines,
        path,
        title=f"How well faces are placed: {' '.join(label_of(figures))}",
        x_label="IoU threshold",
        y_label="average precision",
    )


def plot_state_precision(figures: PipelineFigures, path: Path) -> None:
    """Precision over recall of each state at IoU 0.5."""
    plot_lines(
        [
            Line(
                RECALLS,
                one.curves.precision[0, 0],
                f"{category.label}: {one.by_threshold[0]:.3f}",
                colour=index,
            )
            for index, (category, one) in enumerate(zip(FACE_MASK_CLASSES, figures.states, strict=True))
            if one.labels
        ],
        path,
        title="Precision and recall at IoU 0.5 (AP50)",
        x_label="recall",
        y_label="precision",
        x_range=(0, 1.02),
    )


def plot_states(figures: PipelineFigures, path: Path) -> None:
    """What labelled faces are called, and how many are missed."""
    names = [category.label for category in FACE_MASK_CLASSES]
    plot_counts(
        figures.confusion,
        path,
        rows=names,
        columns=[*names, "missed"],
        title=f"What is taken for what: {' '.join(label_of(figures))}",
        x_label="called",
        y_label="labelled",
    )
