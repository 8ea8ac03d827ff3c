"""Whether something moves in a camera's picture, told from a small grey copy of it.

The background is kept as local contrast: the logarithm of the grey value less its mean around the pixel. A light that
goes on, an exposure that jumps and a cloud multiply the values of whole regions, which adds a constant to their
logarithms and cancels; a person replaces the texture of the place where they stand, which does not.

- **Background.** A running average, in which what stays is absorbed with a time constant of ``_ABSORB_S``.
- **Noise.** What a pixel usually departs from its background: a sigma-delta estimate of the median departure (A.
  Manzanera, J. Richefeu, A new motion detection algorithm based on sigma-delta background estimation, Pattern
  Recognition Letters 28, 2007). The median, so that people who pass a place now and then do not make it blind; a
  leaf in the wind, a screen or a sensor's noise at night raise the threshold where they are.
- **Change.** Pixels beyond a multiple of their noise, of which most neighbours changed too.

Shapes: h, w of the small picture; all state is float32 (h, w).
"""

from math import exp
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

#: Added to grey values before the logarithm, so that noise in the dark is not taken for contrast.
_DARK_OFFSET: Final = 6.0

#: The mean around a pixel covers this part of the picture's width.
_SURROUNDINGS: Final = 0.25

_ABSORB_S: Final = 6.0

#: The noise estimate doubles or halves in this time at most.
_NOISE_DOUBLING_S: Final = 5.0
_NOISE_AT_FIRST: Final = 0.02
_LEAST_NOISE: Final = 0.002

#: A change is this many times the usual departure (about four standard deviations), within these bounds of contrast.
_THRESHOLD: Final = 6.0
_LEAST_CHANGE: Final = 0.08
_MOST_CHANGE: Final = 0.4

#: Pixels of the 3 x 3 around a changed pixel that must have changed, itself included: single ones are noise.
_NEIGHBOURS: Final = 4

#: When so much of the picture changed at once it is another scene, whose background begins anew.
_NEW_SCENE: Final = 0.25

_LOGARITHMS: Final = np.log(np.arange(256) + _DARK_OFFSET).astype(np.float32)


class MotionDetector:
    """The background of one connection's pictures. One thread only."""

    def __init__(self) -> None:
        self._background: NDArray[np.float32] | None = None
        self._noise = np.zeros((0, 0), np.float32)
        self._last_s = 0.0

    def changed_share(self, grey: NDArray[np.uint8], at_s: float) -> float:
        """The part of the picture, 0 to 1, that differs from the background, which then takes the picture in.

        ``grey`` is uint8 (h, w) and ``at_s`` its time in seconds of one clock. The first picture, and one of another
        size, is all new: 1.
        """
        contrast = _local_contrast(grey)
        background = self._background
        if background is None or background.shape != contrast.shape:
            self._background, self._last_s = contrast, at_s
            self._noise = np.full_like(contrast, _NOISE_AT_FIRST)
            return 1.0
        departure = contrast - background
        size = np.abs(departure)
        changed = (size > np.clip(_THRESHOLD * self._noise, _LEAST_CHANGE, _MOST_CHANGE)).astype(np.uint8)
        neighbours = cv2.boxFilter(changed, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        share = float(np.mean((changed > 0) & (neighbours >= _NEIGHBOURS)))
        # however long the pause, the background does not become the picture at once
        passed_s = min(max(0.0, at_s - self._last_s), _NOISE_DOUBLING_S)
        self._last_s = at_s
        if share > _NEW_SCENE:
            self._background = contrast
            return share
        background += np.float32(1 - exp(-passed_s / _ABSORB_S)) * departure
        step = np.float32(2 ** (passed_s / _NOISE_DOUBLING_S))
        self._noise *= np.where(size > self._noise, step, 1 / step)
        np.clip(self._noise, _LEAST_NOISE, _MOST_CHANGE / _THRESHOLD, out=self._noise)
        return share


def _local_contrast(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    logarithms: NDArray[np.float32] = _LOGARITHMS[grey]
    around = int(_SURROUNDINGS * grey.shape[1]) | 1
    logarithms -= cv2.blur(logarithms, (around, around), borderType=cv2.BORDER_REFLECT)
    return logarithms
