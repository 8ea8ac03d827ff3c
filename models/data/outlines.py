"""What follows from an outline's corners. Shapes: P corners."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import Box


def box_around(outlines: Sequence[NDArray[Any]]) -> Box | None:
    """The smallest box around ``outlines``, each (P, 2) with P >= 1; None when it has no area."""
    corners = np.concatenate(outlines).astype(np.float64)
    x1, y1 = (float(value) for value in corners.min(axis=0))
    x2, y2 = (float(value) for value in corners.max(axis=0))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
