"""Receiver operating characteristic of scores. Numpy only; agrees with scikit-learn.

Shapes: N examples, T thresholds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Rates at falling thresholds, from (0, 0) to (1, 1).

    - ``false_positive_rate``, ``true_positive_rate``: float64 (T,), rising.
    - ``thresholds``: float64 (T,): at each, examples that score as much or more count as positive; the first is
      infinite.
    """

    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the curve: how often a positive example scores above a negative one, ties counting half."""
        return float(np.trapezoid(self.true_positive_rate, self.false_positive_rate))

    def at(self, threshold: float) -> tuple[float, float]:
        """False and true positive rate where examples of ``threshold`` and more count as positive."""
        place = int(np.flatnonzero(self.thresholds >= threshold)[-1])
        return float(self.false_positive_rate[place]), float(self.true_positive_rate[place])


def roc_curve(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    weights: NDArray[np.floating] | None = None,
) -> RocCurve | None:
    """The curve of ``scores`` (N,), finite; None without examples of either kind.

    ``weights`` (N,), 0 and above: how often each example counts.
    """
    counts = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)
    if not counts[positive].sum() > 0 or not counts[~positive].sum() > 0:
        return None
    order = np.argsort(-scores, kind="stable")
    ordered = np.asarray(scores, np.float64)[order]
    # examples of one score pass together
    last = np.append(ordered[1:] != ordered[:-1], True)
    true = np.cumsum(np.where(positive, counts, 0.0)[order])[last]
    false = np.cumsum(np.where(positive, 0.0, counts)[order])[last]
    return RocCurve(
        false_positive_rate=np.append(0.0, false / false[-1]),
        true_positive_rate=np.append(0.0, true / true[-1]),
        thresholds=np.append(np.inf, ordered[last]),
    )


def roc_area(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    weights: NDArray[np.floating] | None = None,
) -> float | None:
    """Area under ``roc_curve``; None without examples of either kind."""
    curve = roc_curve(scores, positive, weights)
    return None if curve is None else curve.area
