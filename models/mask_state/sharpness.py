"""How much detail a face crop holds, whatever its contrast and size.

The normalised Laplacian energy (the energy of the Laplacian is focus measure LAP1 of Pertuz, Puig and Garcia
2013, doi:10.1016/j.patcog.2012.11.011; divided by the variance of the luminance it does not depend on
contrast) on a grid of 32 x 32 cells: a face that fills it as crops do covers some 22 of them, and detail
finer than that, as noise and block edges of the codec are, does not count.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

_GRID_PX: Final = 32
_LUMA_WEIGHTS: Final = (0.299, 0.587, 0.114)
# Grey values: below this spread there is nothing to measure (a covered lens, a white wall).
_LEAST_SPREAD: Final = 2.0

#: Normalised Laplacian energies that stand for 0 and for 1; see the card of the weights for how they were
#: chosen.
BLURRED_ENERGY: Final = 0.01
SHARP_ENERGY: Final = 0.10


def laplacian_energy(crop_rgb: NDArray[np.uint8]) -> float:
    """Mean squared Laplacian of the luminance over its variance on the 32 x 32 grid; 0 where nothing is to be
    seen.

    ``crop_rgb``: uint8 (S, S, 3), a square around a face, at any scale.
    """
    shrinks = crop_rgb.shape[0] > _GRID_PX
    grid = cv2.resize(
        crop_rgb, (_GRID_PX, _GRID_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    luma = grid.astype(np.float64) @ np.array(_LUMA_WEIGHTS)
    spread = float(luma.std())
    if spread < _LEAST_SPREAD:
        return 0.0
    laplacian = cv2.Laplacian(luma, cv2.CV_64F, ksize=1, borderType=cv2.BORDER_REFLECT_101)
    return float(np.mean(np.square(laplacian)) / spread**2)


def sharpness(crop_rgb: NDArray[np.uint8]) -> float:
    """0 (too blurred to tell) to 1 (as sharp as the classifier can use), linear in the logarithm of the
    energy.
    """
    energy = laplacian_energy(crop_rgb)
    if energy <= BLURRED_ENERGY:
        return 0.0
    share = np.log(energy / BLURRED_ENERGY) / np.log(SHARP_ENERGY / BLURRED_ENERGY)
    return float(min(1.0, share))


def sharpness_of(crops: Any) -> NDArray[np.float32]:
    """``sharpness`` of each of N crops, float32 (N,)."""
    return np.array([sharpness(crop) for crop in crops], np.float32).reshape(-1)
