"""Whether a camera is as sharp as it usually is."""

from math import exp, log
from typing import Final

#: Sharper than this (sigma in pixels of the examined picture) is no better: at night, noise looks like sharpness.
_SHARP_PX: Final = 0.6
#: What is usual is known after so many pictures.
_KNOWN_AFTER: Final = 20
#: It follows greater blur within an hour, and smaller blur within days: a noisy night does not make the next morning
#: look blurred.
_UP_S: Final = 1800.0
_DOWN_S: Final = 86_400.0
#: Blurred by so much more than usual is no example of what is usual.
_SUSPICIOUS: Final = 1.4
#: A camera that was never sharp: this blur counts as the most that may be usual. A picture 640 pixels wide then shows
#: nothing finer than 9 pixels; a head of 24 at the network's input is 12 high there.
_MOST_USUAL_PX: Final = 2.2


class Focus:
    """The usual blur of one camera, in pixels of the examined picture, as a mean of logarithms."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._usual = 0.0
        self._count = 0

    def ratio(self, blur_px: float, passed_s: float) -> float | None:
        """How many times the usual this blur is, which is then learned; None while what is usual is not known, unless
        it is too much for any camera. ``passed_s``: the time since the one before.
        """
        blur = log(max(blur_px, _SHARP_PX))
        limit = blur - log(_MOST_USUAL_PX)
        if self._count < _KNOWN_AFTER:
            if limit < log(_SUSPICIOUS):
                self._count += 1
                self._usual += (blur - self._usual) / self._count
            return exp(limit) if limit >= log(_SUSPICIOUS) else None
        beyond = max(blur - self._usual, limit)
        if beyond < log(_SUSPICIOUS):
            constant_s = _UP_S if blur > self._usual else _DOWN_S
            self._usual += (1 - exp(-passed_s / constant_s)) * (blur - self._usual)
        return exp(beyond)
