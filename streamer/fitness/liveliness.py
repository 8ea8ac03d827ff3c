"""Whether a picture lives: even of a still scene no two pictures are the same, for sensors are noisy.

A camera, recorder or relay that hangs repeats its last picture. Between two key frames an encoder repeats a still
picture too, to the bit; but the next key frame of a living camera shows other noise, while that of a picture that hangs
is coded as the one before was. So a part of the picture lives when it differs from all of the last pictures, not from
the last alone. A burnt-in clock goes on in a picture that hangs; it covers little of it.

Measured through x264: of a frozen picture at constant quality every part was the same to the bit as one of the last
twelve; of a still scene with noise of 0.7 grey levels at least 0.38 differed (docs/adr/0084-camera-fitness.md).

Shapes: h, w of the small grey picture; R, C rows and columns of cells.
"""

from collections import deque
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_CELLS_RC: Final = (9, 16)

#: Pictures, one a second, with which each is compared: as many as key frames are seconds apart at most.
_REMEMBERED: Final = 12

#: Root mean square difference of a cell, in grey levels of the small picture, from which it is another one.
_ANOTHER: Final = 0.1

#: Pictures are remembered in so many steps a grey level, in 16 bits: a third of a megabyte a camera.
_STEPS: Final = 64.0


class Liveliness:
    """Follows one camera's small pictures, float32 (h, w) of one size; another size begins anew.

    ``window_s``: so long a cell counts as living after it last was another one.
    """

    def __init__(self, *, window_s: float) -> None:
        self._window_s = window_s
        self._before: deque[NDArray[np.uint16]] = deque(maxlen=_REMEMBERED)
        self._lived_s = np.zeros(_CELLS_RC)
        self._began_s = 0.0

    def forget_picture(self, at_s: float) -> None:
        """A new connection: what came before says nothing of how long the picture has stood still."""
        self._before.clear()
        self._lived_s[:] = self._began_s = at_s

    def living_share(self, small: NDArray[np.float32], at_s: float) -> float | None:
        """The part of the picture, 0 to 1, that lived within the window; None before a window has passed."""
        picture = np.rint(small * _STEPS).astype(np.uint16)
        if not self._before or self._before[-1].shape != small.shape:
            self.forget_picture(at_s)
            self._before.append(picture)
            return None
        rows, columns = _CELLS_RC
        is_another = np.ones(_CELLS_RC, np.bool_)
        now = picture.astype(np.float32)
        for before in reversed(self._before):
            squares = cv2.resize((now - before) ** 2, (columns, rows), interpolation=cv2.INTER_AREA)
            is_another &= squares > (_ANOTHER * _STEPS) ** 2
            if not is_another.any():
                break
        self._before.append(picture)
        self._lived_s[is_another] = at_s
        if at_s - self._began_s < self._window_s:
            return None
        return float(np.mean(at_s - self._lived_s < self._window_s))
