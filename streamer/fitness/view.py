"""Whether a camera still shows the view that it showed, told from the edges that stay.

Each pixel's orientation (``measures.orientations``) is averaged over time: edges of what stands still add up, those of
what moves and shines cancel. How much of them a picture still has is looked at by tiles of the view, as the rate at
which edges disappear (G. Lee, M. Lee, J. Lim, Unified camera tamper detection based on edge and object information,
Sensors 15, 2015); tiles, so that a crowd in one half says nothing of the other.

Shapes: h, w of the small grey picture; R, C rows and columns of tiles.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import exp
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.fitness.measures import Field

#: Rows and columns of tiles.
_TILES_RC: Final = (5, 8)

#: The view is known after so many pictures; from half of them on their usual agreement is measured.
KNOWN_AFTER: Final = 30

#: What stays is taken into the reference with this time constant ...
_ABSORB_S: Final = 600.0
#: ... and sooner when only the light is another one.
_ABSORB_LIGHT_S: Final = 30.0

#: A tile tells something where edges stay: their mean strength, and the usual agreement with them.
_LEAST_STRENGTH: Final = 0.04
_LEAST_AGREEMENT: Final = 0.3
#: With fewer such tiles of the 40 nothing is told.
_LEAST_TILES: Final = 6

#: A tile is gone when it agrees with its reference by less than this part of what is usual.
_GONE: Final = 0.4

#: Less than this part of a view that is gone is somebody who stands there.
_WORTH_A_LOOK: Final = 0.35

#: Edges that a picture must have, over those that are usual, to be a view at all.
_LEAST_EDGES: Final = 0.4

#: The view is found elsewhere when it agrees there as well as this part of what is usual.
_FOUND: Final = 0.5
#: The highest agreement counts as being here within so many pixels of the small picture.
_HERE_PX: Final = 1
#: So many quarters of it, of four, that are found elsewhere are a view that was turned or zoomed. They fit worse: by
#: this part of what is usual; by chance it is half of that.
_QUARTER_FOUND: Final = 0.25
#: Quarters go no farther while the whole seems to be where it was; by chance they are found anywhere.
_QUARTER_PX: Final = 12
_MOVED_QUARTERS: Final = 2


class ViewChange(StrEnum):
    """What became of the part of a view that is gone."""

    NONE = "none"
    COVERED = "covered"
    MOVED = "moved"
    OTHER_LIGHT = "other_light"


@dataclass(frozen=True, slots=True)
class ViewMatch:
    """A picture beside the learned view.

    - ``gone``: part of the view, 0 to 1, that is not there.
    - ``change``: why, when it is more than ``_WORTH_A_LOOK``.
    - ``is_here``: whether what is left of it agrees best where it was.
    - ``shift_xy``: by how much of the picture's width and height it was found moved, or None.
    """

    gone: float
    change: ViewChange
    is_here: bool = True
    shift_xy: tuple[float, float] | None = None


class LearnedView:
    """The view of one camera. Takes orientation fields of one size; another size begins anew."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._mean: NDArray[np.complex64] | None = None
        self._count = 0
        self._usual = np.zeros(_TILES_RC, np.float32)
        self._edges = np.zeros(_TILES_RC, np.float32)

    @property
    def is_known(self) -> bool:
        """Whether enough was seen to compare with."""
        return self._count >= KNOWN_AFTER

    def match(self, field: Field) -> ViewMatch | None:
        """Compare a picture; None while the view is not known or has too little that stays."""
        mean = self._mean
        if mean is None or not self.is_known or mean.shape != field.shape:
            return None
        strength = _tiles(np.abs(mean))
        telling = (strength >= _LEAST_STRENGTH) & (self._usual >= _LEAST_AGREEMENT)
        if np.count_nonzero(telling) < _LEAST_TILES:
            return None
        agreement = _agreement(mean, field, strength)
        is_gone = telling & (agreement < _GONE * self._usual)
        gone = float(strength[is_gone].sum() / strength[telling].sum())
        if gone <= _WORTH_A_LOOK:
            return ViewMatch(gone, ViewChange.NONE)
        edges = float(_tiles(field != 0)[is_gone].sum() / max(float(self._edges[is_gone].sum()), 1e-6))
        if edges < _LEAST_EDGES:
            return ViewMatch(gone, ViewChange.COVERED, _is_here(_best_shift(mean, field)[0]))
        usual = float((self._usual * strength)[telling].sum() / strength[telling].sum())
        return _elsewhere(mean, field, gone, usual)

    def learn(self, field: Field, passed_s: float, *, is_other_light: bool = False) -> None:
        """Take a picture into the view; ``passed_s`` is the time since the one before."""
        if self._mean is None or self._mean.shape != field.shape:
            self.forget()
            self._mean, self._count = field.copy(), 1
            self._edges = _tiles(field != 0)
            return
        constant_s = _ABSORB_LIGHT_S if is_other_light else _ABSORB_S
        part = np.float32(max(1 / (self._count + 1), 1 - exp(-passed_s / constant_s)))
        if 2 * self._count >= KNOWN_AFTER:
            # before the picture is in the reference, with which it would agree
            seen = _agreement(self._mean, field, _tiles(np.abs(self._mean)))
            weight = np.float32(max(1 / (self._count - KNOWN_AFTER // 2 + 1), float(part)))
            self._usual += weight * (seen - self._usual)
        self._mean += part * (field - self._mean)
        self._edges += part * (_tiles(field != 0) - self._edges)
        self._count = min(self._count + 1, 1_000_000)


def _agreement(mean: Field, field: Field, strength: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of the mean's edges the field has, by tile (R, C): 1 all of them, 0 as by chance."""
    shared = _tiles(np.real(np.conj(mean) * field))
    return np.asarray(shared / np.maximum(strength, 1e-6), np.float32)


def _elsewhere(mean: Field, field: Field, gone: float, usual: float) -> ViewMatch:
    """Where the view is, when it is not where it was."""
    height, width = mean.shape
    shift, agreement = _best_shift(mean, field)
    if not _is_here(shift):
        found = (shift[0] / width, shift[1] / height) if agreement >= _FOUND * usual else None
        return ViewMatch(gone, ViewChange.MOVED, is_here=False, shift_xy=found)
    # turned or zoomed about its middle, each quarter is somewhere else
    moved_quarters = 0
    for rows in (slice(0, height // 2), slice(height // 2, height)):
        for columns in (slice(0, width // 2), slice(width // 2, width)):
            quarter = np.zeros_like(mean)
            quarter[rows, columns] = mean[rows, columns]
            shift, agreement = _best_shift(quarter, field)
            is_near = max(abs(shift[0]), abs(shift[1])) <= _QUARTER_PX
            moved_quarters += is_near and not _is_here(shift) and agreement >= _QUARTER_FOUND * usual
    if moved_quarters >= _MOVED_QUARTERS:
        return ViewMatch(gone, ViewChange.MOVED, is_here=False)
    # weaker, but where it was: lamps, the sun or infrared light show other sides of the same things
    return ViewMatch(gone, ViewChange.OTHER_LIGHT)


def _best_shift(mean: Field, field: Field) -> tuple[tuple[int, int], float]:
    """The shift (right, down) of all at which the field agrees best with the mean, and that agreement."""
    height, width = mean.shape
    spectrum = np.conj(np.fft.fft2(mean)) * np.fft.fft2(field)
    agreements = np.real(np.fft.ifft2(spectrum)) / max(float(np.abs(mean).sum()), 1e-6)
    peak = int(agreements.argmax())
    down, right = divmod(peak, width)
    shift = (right + width // 2) % width - width // 2, (down + height // 2) % height - height // 2
    return shift, float(agreements.flat[peak])


def _is_here(shift: tuple[int, int]) -> bool:
    return max(abs(shift[0]), abs(shift[1])) <= _HERE_PX


def _tiles(values: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32]:
    """Means of (h, w) by tile, float32 (R, C)."""
    rows, columns = _TILES_RC
    return np.asarray(
        cv2.resize(values.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA), np.float32
    )
