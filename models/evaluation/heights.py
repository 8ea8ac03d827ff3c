"""Groups of faces by their height, in original pixels or those of the network's input."""

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Lower ends of the groups.
HEIGHTS_PX: Final = (0, 12, 16, 20, 24, 32, 64)

#: Names of the groups, from small to large.
HEIGHT_GROUPS: Final = (
    *(f"{low} to {high} px" for low, high in pairwise(HEIGHTS_PX)),
    f"{HEIGHTS_PX[-1]} px and more",
)


def height_groups(heights_px: NDArray[np.floating[Any]]) -> list[str]:
    """The group of each height (N,)."""
    return [HEIGHT_GROUPS[index] for index in np.searchsorted(HEIGHTS_PX, heights_px, side="right") - 1]
