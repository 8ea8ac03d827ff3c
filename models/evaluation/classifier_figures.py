"""Figures of the mask-state classifier on one set of labelled faces.

Where a set labels no wrongly worn masks it knows two states, with a mask and without, however the mask is worn: the
likelier one of these two is then the answer.

Shapes: N faces, K states or kinds, P pictures.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.bootstrap import Interval, bootstrap_intervals
from models.evaluation.classification import (
    ClassificationReport,
    classification_report,
    expected_calibration_error,
)
from models.evaluation.classifier_faces import JudgedSet
from models.evaluation.heights import HEIGHT_GROUPS, height_groups
from models.evaluation.roc import RocCurve, roc_area, roc_curve
from models.evaluation.tables import Table, number
from models.mask_state.network import KINDS
from models.structures import FACE_MASK_CLASSES

_WITH_MASK, _WITHOUT_MASK, _INCORRECT = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierFigures:
    """Figures of a set.

    - ``classes``: K names. ``report``: of the likeliest one. ``roc_auc``: mean over the classes of each against the
      rest. ``roc``: unmasked (positive) against masked faces. ``ece``: expected calibration error.
    - ``kinds``: of faces whose kind of mask is labelled; None where none is, or the weights do not tell.
    - ``by_height``: faces, accuracy and macro F1 by height in original pixels.
    - ``not_located``: pictures of one face in which none was found.
    """

    name: str
    pictures: int
    classes: tuple[str, ...]
    report: ClassificationReport
    roc_auc: float | None
    roc: RocCurve | None
    ece: float
    kinds: ClassificationReport | None
    by_height: dict[str, tuple[int, float, float]]
    not_located: int
    intervals: dict[str, Interval]

    def to_mapping(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            "name": self.name,
            "pictures": self.pictures,
            "faces": int(self.report.support.sum()),
            "not_located": self.not_located,
            **_report_mapping(self.report, self.classes),
            "roc_auc": self.roc_auc,
            "roc_auc_unmasked": self.roc.area if self.roc else None,
            "ece": self.ece,
            "kinds": _report_mapping(self.kinds, KINDS) if self.kinds else None,
            "by_height_px": {
                name: {"faces": faces, "accuracy": accuracy, "macro_f1": macro_f1}
                for name, (faces, accuracy, macro_f1) in self.by_height.items()
            },
            "intervals": {name: asdict(interval) for name, interval in self.intervals.items()},
        }


def classifier_figures(name: str, judged: JudgedSet, *, samples: int, seed: int) -> ClassifierFigures:
    """The figures of ``judged``, at least one face; intervals from ``samples`` of the bootstrap over pictures."""
    labels, probs = judged.labels, judged.probs
    names = [category.label for category in FACE_MASK_CLASSES]
    if not (labels == _INCORRECT).any():
        names = names[:_INCORRECT]
        probs = probs[:, :_INCORRECT] / np.maximum(probs[:, :_INCORRECT].sum(axis=1, keepdims=True), 1e-12)
    answers = probs.argmax(axis=1)
    two = labels != _INCORRECT

    def sample(weights: NDArray[np.float64]) -> dict[str, float | None]:
        rows = np.repeat(np.arange(len(labels)), weights[judged.picture_of].astype(np.int64))
        if not len(rows):
            return {}
        report = classification_report(labels[rows], answers[rows], len(names))
        return {
            "accuracy": report.accuracy,
            "macro F1": report.macro_f1,
            "ROC AUC": _mean_area(probs[rows], labels[rows]),
        }

    return ClassifierFigures(
        name=name,
        pictures=judged.pictures,
        classes=tuple(names),
        report=classification_report(labels, answers, len(names)),
        roc_auc=_mean_area(probs, labels),
        roc=roc_curve(1 - judged.probs[two, _WITH_MASK], labels[two] == _WITHOUT_MASK),
        ece=expected_calibration_error(probs, labels),
        kinds=_kinds(judged),
        by_height=_by_height(judged.heights_px, labels, answers, len(names)),
        not_located=int((~judged.located).sum()),
        intervals=bootstrap_intervals(sample, judged.pictures, samples=samples, seed=seed),
    )


def classifier_tables(many: Sequence[ClassifierFigures]) -> list[Table]:
    """A summary of the sets, then each set's report, confusion, kinds and heights."""
    tables = [
        Table(
            title="Sets",
            head=(
                "set",
                "faces",
                "not located",
                "accuracy",
                "macro F1",
                "ROC AUC",
                "ROC AUC unmasked",
                "ECE",
                "kind",
            ),
            rows=tuple(
                (
                    one.name,
                    str(one.report.support.sum()),
                    str(one.not_located),
                    _with_interval(one.report.accuracy, one.intervals.get("accuracy")),
                    _with_interval(one.report.macro_f1, one.intervals.get("macro F1")),
                    _with_interval(one.roc_auc, one.intervals.get("ROC AUC")),
                    number(one.roc.area if one.roc else None),
                    number(one.ece),
                    number(one.kinds.accuracy if one.kinds else None),
                )
                for one in many
            ),
            note="In brackets: 95 % intervals over pictures. Where no wrongly worn masks are labelled, the "
            "likelier of the other two states is the answer. Kind: accuracy of the kind of mask.",
        )
    ]
    for one in many:
        tables.append(_report_table(f"{one.name}: states", one.report, one.classes))
        tables.append(_confusion_table(f"{one.name}: labelled (rows), answered", one.report, one.classes))
        if one.kinds is not None:
            tables.append(_report_table(f"{one.name}: kinds of masks", one.kinds, KINDS))
            tables.append(_confusion_table(f"{one.name}: kinds, labelled (rows), answered", one.kinds, KINDS))
        rows = tuple(
            (group, str(faces), number(accuracy), number(macro_f1))
            for group, (faces, accuracy, macro_f1) in one.by_height.items()
        )
        tables.append(
            Table(f"{one.name}: by height in the picture", ("height", "faces", "accuracy", "macro F1"), rows)
        )
    return tables


def _report_table(title: str, report: ClassificationReport, names: Sequence[str]) -> Table:
    rows = [
        (
            name,
            *(number(float(values[index])) for values in (report.precision, report.recall, report.f1)),
            str(report.support[index]),
        )
        for index, name in enumerate(names)
    ]
    total = str(report.support.sum())
    occurs = report.support > 0
    shares = report.support / max(1, report.support.sum())
    for name, f1, means in (
        ("macro avg", report.macro_f1, occurs / max(1, occurs.sum())),
        ("weighted avg", report.weighted_f1, shares),
    ):
        precision, recall = (float((values * means).sum()) for values in (report.precision, report.recall))
        rows.append((name, number(precision), number(recall), number(f1), total))
    rows.append(("accuracy", "", "", number(report.accuracy), total))
    return Table(title, ("class", "precision", "recall", "F1", "support"), tuple(rows))


def _confusion_table(title: str, report: ClassificationReport, names: Sequence[str]) -> Table:
    rows = tuple(
        (name, *(str(count) for count in report.confusion[index])) for index, name in enumerate(names)
    )
    return Table(title, ("labelled", *names), rows)


def _report_mapping(report: ClassificationReport, names: Sequence[str]) -> dict[str, Any]:
    return {
        "classes": list(names),
        "accuracy": report.accuracy,
        "macro_f1": report.macro_f1,
        "weighted_f1": report.weighted_f1,
        "precision": report.precision.tolist(),
        "recall": report.recall.tolist(),
        "f1": report.f1.tolist(),
        "support": report.support.tolist(),
        "confusion": report.confusion.tolist(),
    }


def _mean_area(probs: NDArray[np.float64], labels: NDArray[np.int64]) -> float | None:
    areas = [roc_area(probs[:, state], labels == state) for state in range(probs.shape[1])]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else None


def _kinds(judged: JudgedSet) -> ClassificationReport | None:
    known = judged.kinds >= 0
    if judged.kind_probs is None or not known.any():
        return None
    return classification_report(
        judged.kinds[known], judged.kind_probs[known].argmax(axis=1), judged.kind_probs.shape[1]
    )


def _by_height(
    heights_px: NDArray[np.float64], labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int
) -> dict[str, tuple[int, float, float]]:
    group_of = np.array(height_groups(heights_px), dtype=object)
    groups = {}
    for group in HEIGHT_GROUPS:
        rows = group_of == group
        if rows.any():
            report = classification_report(labels[rows], answers[rows], classes)
            groups[group] = (int(rows.sum()), report.accuracy, report.macro_f1)
    return groups


def _with_interval(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return number(value)
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
