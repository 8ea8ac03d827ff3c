"""Confidence intervals by the bootstrap over pictures (Efron 1979): faces of one picture are not independent.

Shapes: P pictures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Statistics = Callable[[NDArray[np.float64]], Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class Interval:
    """``low`` and ``high``: bounds that hold with ``confidence``."""

    low: float
    high: float
    confidence: float = 0.95


def bootstrap_intervals(
    statistics: Statistics, pictures: int, *, samples: int, seed: int, confidence: float = 0.95
) -> dict[str, Interval]:
    """Percentile intervals of what ``statistics`` says, by name.

    ``statistics`` is asked ``samples`` times with float64 (P,): how often each picture is in a sample drawn with
    replacement. Samples of which it says None (a share of nothing) are left out; what is None in more than half of
    them has no interval. The same seed gives the same intervals.
    """
    draw = np.random.default_rng(seed)
    values: dict[str, list[float]] = {}
    for _ in range(samples if pictures else 0):
        drawn = draw.integers(0, pictures, pictures)
        weights = np.bincount(drawn, minlength=pictures).astype(np.float64)
        for name, value in statistics(weights).items():
            if value is not None and np.isfinite(value):
                values.setdefault(name, []).append(value)
    tail = 50 * (1 - confidence)
    intervals = {}
    for name, many in values.items():
        if 2 * len(many) > samples:
            low, high = np.percentile(many, [tail, 100 - tail])
            intervals[name] = Interval(float(low), float(high), confidence)
    return intervals
