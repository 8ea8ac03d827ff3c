"""Optimal one-to-one assignment with a gate."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

#: Larger than any sum of real costs, so that a pair beyond the gate is never preferred to one within.
_FORBIDDEN = 1e6


def optimal_pairs(costs: NDArray[Any]) -> list[tuple[int, int]]:
    """Pairs (row, column) of the assignment that makes the most pairs and, among those, costs least.

    ``costs`` is float (R, C) with ``inf`` where a pair is not allowed; allowed costs stay below 1e4. Each row and each
    column is used at most once (Hungarian method, ``scipy.optimize.linear_sum_assignment``). Sorted by row.
    """
    allowed = np.isfinite(costs)
    if not allowed.any():
        return []
    rows, columns = linear_sum_assignment(np.where(allowed, costs, _FORBIDDEN))
    return [
        (int(row), int(column)) for row, column in zip(rows, columns, strict=True) if allowed[row, column]
    ]
