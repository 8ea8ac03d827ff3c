"""Optimal one-to-one assignment with a gate."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.linear_assignment import assignment_solver

#: Larger than any sum of real costs, so that a pair beyond the gate is never preferred to one within.
_FORBIDDEN = 1e6

_linear_sum_assignment = assignment_solver()


def optimal_pairs(costs: NDArray[Any]) -> list[tuple[int, int]]:
    """Pairs (row, column) of the assignment that makes the most pairs and, among those, costs least.

    ``costs`` is float (R, C) with ``inf`` where a pair is not allowed; allowed costs stay below 1e4. Each row and each
    column is used at most once (Hungarian method, ``scipy.optimize.linear_sum_assignment``). Sorted by row.
    """
    rows, columns = np.nonzero(np.isfinite(costs))
    return sorted(pair_up(rows, columns, costs[rows, columns]).items())


def pair_up(rows: NDArray[np.intp], columns: NDArray[np.intp], costs: NDArray[Any]) -> dict[int, int]:
    """The assignment of ``optimal_pairs``, column by row, from the allowed pairs (P,) alone, each named once.

    Pairs whose row and column allow nothing else are taken as they are; the rest is solved together.
    """
    pairs = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    if len(pairs) == len(rows) == len(set(pairs.values())):
        return pairs
    lone = lone_pairs(rows, columns)
    pairs = dict(zip(rows[lone].tolist(), columns[lone].tolist(), strict=True))
    if len(pairs) < len(rows):
        rest = ~lone
        pairs.update(_solved(rows[rest], columns[rest], costs[rest]))
    return pairs


def lone_pairs(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which of the pairs (P,) share neither row nor column with another."""
    return np.asarray((np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1))


def _solved(rows: NDArray[np.intp], columns: NDArray[np.intp], costs: NDArray[Any]) -> dict[int, int]:
    row_of, row_places = np.unique(rows, return_inverse=True)
    column_of, column_places = np.unique(columns, return_inverse=True)
    dense = np.full((len(row_of), len(column_of)), _FORBIDDEN)
    dense[row_places, column_places] = costs
    chosen = _linear_sum_assignment(dense)
    allowed = dense[chosen] < _FORBIDDEN
    return dict(zip(row_of[chosen[0][allowed]].tolist(), column_of[chosen[1][allowed]].tolist(), strict=True))
