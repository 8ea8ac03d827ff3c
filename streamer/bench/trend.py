"""Whether a figure grows: a straight line through samples, and how sure its slope is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Trend:
    """Least squares. ``slope``: units of y for each unit of x; ``standard_error`` of it."""

    slope: float
    standard_error: float


def trend(x: Sequence[float], y: Sequence[float]) -> Trend:
    """The line through ``y`` over ``x``. Raises ``ValueError`` for fewer than three samples, or all at one ``x``.

    Neighbouring samples of a process resemble each other, so the ordinary standard error is too small. It is widened
    by sqrt((1 + r) / (1 - r)) with the correlation ``r`` of neighbouring residuals, where that is above 0 (Bartlett).
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(xs) < 3 or np.ptp(xs) == 0:
        raise ValueError(f"a trend needs three samples at different places, got {len(xs)}")
    from_middle = xs - xs.mean()
    spread = float((from_middle**2).sum())
    slope = float((from_middle * (ys - ys.mean())).sum() / spread)
    residuals = ys - ys.mean() - slope * from_middle
    power = float((residuals**2).sum())
    error = (power / (len(xs) - 2) / spread) ** 0.5
    alike = 0.0 if power == 0 else float((residuals[1:] * residuals[:-1]).sum() / power)
    widened = ((1 + alike) / (1 - alike)) ** 0.5 if 0 < alike < 1 else 1.0
    return Trend(slope, error * widened)
