"""Numbers as text that comes back as the same float32 and is no longer than it must be."""

from collections.abc import Iterable

import numpy as np


def short(numbers: Iterable[float]) -> list[float]:
    """``numbers`` with the fewest digits that still tell their float32 apart; whole ones as integers."""
    result: list[float] = []
    for number in numbers:
        value = float(np.format_float_positional(np.float32(number), unique=True))
        result.append(int(value) if value.is_integer() else value)
    return result
