"""Figures of a classifier: confusion, precision, recall, F1, calibration error. Numpy only.

Shapes: N examples, K classes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationReport:
    """``confusion``: int64 (K, K), rows the truth, columns the answer; the others float64 (K,), 0 where
    undefined."""

    confusion: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]

    @property
    def accuracy(self) -> float:
        """Share of right answers; 0 when there are none."""
        return float(np.trace(self.confusion) / max(1, self.confusion.sum()))

    @property
    def support(self) -> NDArray[np.int64]:
        """Examples of each class, (K,)."""
        return np.asarray(self.confusion.sum(1))

    @property
    def weighted_f1(self) -> float:
        """Mean F1, each class as often as it occurs; 0 when none does."""
        return float((self.f1 * self.support).sum() / max(1, self.support.sum()))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur in the truth."""
        occurs = self.confusion.sum(1) > 0
        return float(self.f1[occurs].mean()) if occurs.any() else 0.0


def classification_report(
    labels: NDArray[np.integer[Any]], answers: NDArray[np.integer[Any]], classes: int
) -> ClassificationReport:
    """Compare ``answers`` (N,) with ``labels`` (N,), both 0 to ``classes`` - 1."""
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, answers), 1)
    hits = np.diag(confusion).astype(np.float64)
    precision = hits / np.maximum(confusion.sum(0), 1)
    recall = hits / np.maximum(confusion.sum(1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return ClassificationReport(confusion, precision, recall, f1)


def expected_calibration_error(
    probs: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], bins: int = 15
) -> float:
    """ECE of Guo et al. 2017 (arXiv:1706.04599): mean distance of confidence from accuracy in equal-width
    bins.

    ``probs`` (N, K), each row summing to 1; ``labels`` (N,). 0 when there are no examples.
    """
    if not len(labels):
        return 0.0
    confidence = probs.max(1)
    right = probs.argmax(1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(right[which == b].mean()) - float(confidence[which == b].mean()))
        * float((which == b).mean())
        for b in np.unique(which)
    ]
    return float(sum(gaps))
