"""Prints, grain and folds of fabrics, at points of a surface in millimetres.

Shapes: N points.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

#: Numbers at N points.
Values = NDArray[np.floating[Any]]

_FIELD_SIDE: Final = 128


class NoiseField:
    """Noise of deviation 1 that repeats every ``_FIELD_SIDE`` cells; the same for the same ``rng``."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._cells = rng.normal(0, 1, (_FIELD_SIDE, _FIELD_SIDE)).astype(np.float32)

    def at(self, x: Values, y: Values) -> Values:
        """Values (N,) at points (N,) in cells, interpolated."""
        columns = np.mod(x, _FIELD_SIDE - 1).astype(np.float32)[None]
        rows = np.mod(y, _FIELD_SIDE - 1).astype(np.float32)[None]
        return _remapped(self._cells, columns, rows)


def folds(noise: NoiseField, x_mm: Values, y_mm: Values) -> Values:
    """Soft wrinkles (N,), about -1 to 1: noise that is drawn out across the face."""
    bent = y_mm + 6 * noise.at(x_mm / 40 + 31, y_mm / 40)
    return np.asarray(
        0.6 * noise.at(x_mm / 34, bent / 9) + 0.4 * noise.at(x_mm / 17 + 50, bent / 13), np.float32
    )


def plain(x_mm: Values, _y_mm: Values, _noise: NoiseField) -> Values:
    """Nothing of the second colour."""
    return np.zeros_like(x_mm)


def checked(x_mm: Values, y_mm: Values, _noise: NoiseField) -> Values:
    """Gingham: bands of half the strength both ways."""
    return np.asarray(0.5 * (np.mod(x_mm, 14) < 7) + 0.5 * (np.mod(y_mm, 14) < 7), np.float32)


def striped(_x_mm: Values, y_mm: Values, _noise: NoiseField) -> Values:
    """Stripes across."""
    return (np.mod(y_mm, 13) < 5).astype(np.float32)


def upright(x_mm: Values, _y_mm: Values, _noise: NoiseField) -> Values:
    """Stripes from top to bottom."""
    return (np.mod(x_mm, 11) < 4).astype(np.float32)


def dotted(x_mm: Values, y_mm: Values, _noise: NoiseField) -> Values:
    """Dots, every second row shifted."""
    row = np.floor(y_mm / 9)
    x = np.mod(x_mm + 5.5 * np.mod(row, 2), 11) - 5.5
    y = np.mod(y_mm, 9) - 4.5
    return (x * x + y * y < 7.5).astype(np.float32)


def floral(x_mm: Values, y_mm: Values, noise: NoiseField) -> Values:
    """Flowers of five petals, one a cell, each somewhere else in it and of another size."""
    pitch = 19.0
    column, row = np.floor(x_mm / pitch), np.floor(y_mm / pitch)
    shift_x, shift_y = noise.at(column * 7 + 3, row * 5), noise.at(column * 3, row * 11 + 60)
    x = x_mm - (column + 0.5) * pitch - 2.5 * np.clip(shift_x, -1.2, 1.2)
    y = y_mm - (row + 0.5) * pitch - 2.5 * np.clip(shift_y, -1.2, 1.2)
    radius = np.hypot(x, y)
    petals = 5.5 * (0.72 + 0.28 * np.cos(5 * np.arctan2(y, x) + 3 * shift_x))
    centre = radius < 1.7
    return np.where(centre, 0.35, radius < petals * (1 + 0.15 * np.clip(shift_y, -1, 1))).astype(np.float32)


def patched(x_mm: Values, y_mm: Values, noise: NoiseField) -> Values:
    """Camouflage: blotches of two strengths."""
    height = noise.at(x_mm / 16, y_mm / 11) + 0.5 * noise.at(x_mm / 7 + 40, y_mm / 6)
    return np.asarray(0.45 * (height > 0.1) + 0.55 * (height > 0.75), np.float32)


#: How much of the second colour a print shows (N,), at points in mm, by name.
PRINTS: Final[Mapping[str, Callable[[Values, Values, NoiseField], Values]]] = MappingProxyType(
    {function.__name__: function for function in (plain, checked, striped, upright, dotted, floral, patched)}
)


def _remapped(cells: NDArray[np.float32], columns: NDArray[np.float32], rows: NDArray[np.float32]) -> Values:
    """``cv2.remap`` of one long row, folded: its sides are limited to 32767 pixels."""
    count = columns.shape[1]
    width = min(count, 8192) or 1
    padded = -(-count // width) * width
    folded = [np.pad(a, ((0, 0), (0, padded - count))).reshape(-1, width) for a in (columns, rows)]
    values = cv2.remap(cells, folded[0], folded[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, np.float32).reshape(-1)[:count]
