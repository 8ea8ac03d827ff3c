"""Smooth L1, the loss of deltas of boxes and landmarks (Girshick 2015, arXiv:1504.08083, equation 3)."""

from typing import Any

import keras


def smooth_l1(difference: Any, beta: float = 1.0) -> Any:
    """Loss (...) of differences (..., D), summed over the last axis: below ``beta`` a square, above it a line of
    slope 1. The paper's ``beta`` is 1; what lies well below it is pulled the less.
    """
    size = keras.ops.abs(difference)
    return keras.ops.sum(keras.ops.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta), axis=-1)
