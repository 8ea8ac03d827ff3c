"""What one picture shows of its camera's fitness, by published methods. Pure functions of grey pictures.

Shapes: h, w of a small grey picture, uint8; orientation fields are complex64 (h, w).
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Field = NDArray[np.complex64]

#: Light that is doubled shifts logarithms by a constant, which no gradient sees. The offset keeps noise in the dark
#: from being taken for contrast.
_DARK_OFFSET: Final = 12.0
_LOGARITHMS: Final = np.log(np.arange(256) + _DARK_OFFSET).astype(np.float32)

#: Gradients of the logarithm, per pixel, from which there is an edge: a contrast of 5 %.
_LEAST_EDGE: Final = 0.05

#: Smoothing before orientations are taken, in pixels of the small picture.
_SMOOTHING_PX: Final = 1.0

#: Blur that is added to learn of the blur that was there, in pixels (Zhuo and Sim's sigma_0).
_REBLUR_PX: Final = 1.2
#: Edges that tell of blur: this part of the picture's pixels, with the steepest gradients ...
_TELLING_PART: Final = 0.03
#: ... of at least so many grey levels a pixel.
_LEAST_STEEPNESS: Final = 4.0
_LEAST_TELLING: Final = 60
#: ... as counted in every third row and column.
_EVERY: Final = 3
#: Steps into which a grey level is divided.
_FINER: Final = 64
#: The sharpest edges say where the focus is: what moves, and what is too near or too far, is blurred anyway.
_SHARPEST: Final = 0.25


@dataclass(frozen=True, slots=True)
class Light:
    """Grey levels of a picture, 0 to 255: its mean, and the levels below which 5, 50 and 95 of 100 pixels lie.

    ``white``: the part of its pixels, 0 to 1, that are as white as the stream can say.
    """

    mean: float
    low: float
    middle: float
    high: float
    white: float


def light_of(grey: Grey) -> Light:
    """The grey levels of a picture."""
    low, middle, high = np.percentile(grey, (5, 50, 95))
    return Light(float(grey.mean()), float(low), float(middle), float(high), float(np.mean(grey >= 235)))


def orientations(grey: Grey) -> Field:
    """Where the edges of a picture are and how they lie: unit numbers at twice the angle of the gradient, 0 elsewhere.

    Only the orientation counts, not the strength (A. J. Fitch, A. Kadyrov, W. J. Christmas, J. Kittler, Orientation
    correlation, BMVC 2002), and at twice the angle not the sign either: infrared light at night turns dark clothes,
    leaves and paint bright.
    """
    logarithms = cv2.GaussianBlur(_LOGARITHMS[grey], (0, 0), _SMOOTHING_PX, borderType=cv2.BORDER_REFLECT)
    right = cv2.Scharr(logarithms, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(logarithms, cv2.CV_32F, 0, 1, scale=1 / 32)
    size = np.hypot(right, down)
    field = ((right + 1j * down) / np.maximum(size, 1e-6)) ** 2
    field[size < _LEAST_EDGE] = 0
    return np.asarray(field, np.complex64)


def blur_px(grey: Grey) -> float | None:
    """The blur of a picture's sharpest edges as the sigma of a Gaussian, in its pixels; None where it has too few.

    An edge of blur b that is blurred once more by s keeps b / sqrt(b^2 + s^2) of its gradient, whatever its contrast
    (S. Zhuo, T. Sim, Defocus map estimation from a single image, Pattern Recognition 44, 2011).
    """
    # 16 bits keep what 8 would round away
    picture = grey.astype(np.uint16) * _FINER
    again = np.asarray(
        cv2.GaussianBlur(picture, (0, 0), _REBLUR_PX, borderType=cv2.BORDER_REFLECT), np.uint16
    )
    before, after = _steepness(picture), _steepness(again)
    # chosen by what is left after blurring: noise alone is not
    sample = after[::_EVERY, ::_EVERY].ravel()
    count = max(1, int(_TELLING_PART * sample.size))
    limit = max(float(np.partition(sample, -count)[-count]), _LEAST_STEEPNESS / 2)
    telling = after >= limit
    if np.count_nonzero(telling) < _LEAST_TELLING:
        return None
    ratios = before[telling] / after[telling]
    ratio = float(np.quantile(ratios, 1 - _SHARPEST))
    return _REBLUR_PX / float(np.sqrt(max(ratio * ratio - 1, 1e-3)))


def _steepness(picture: NDArray[np.uint16]) -> NDArray[np.float32]:
    right = cv2.Scharr(picture, cv2.CV_32F, 1, 0, scale=1 / (32 * _FINER))
    down = cv2.Scharr(picture, cv2.CV_32F, 0, 1, scale=1 / (32 * _FINER))
    return np.asarray(cv2.magnitude(right, down), np.float32)
