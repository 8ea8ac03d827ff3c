"""How large heads are at the network's input, by zone: whether a rule can tell anything there at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from threading import Lock
from typing import Final

import numpy as np

#: Heights at which a look begins to count, and from which it counts fully (``rules.quality``).
TOO_SMALL_PX: Final = 10.0
LARGE_ENOUGH_PX: Final = 24.0

#: Heights are counted in bins, each larger than the one before by this factor, from the least up to the most.
_BIN_FACTOR: Final = 1.05
_LEAST_PX: Final = 2.0
_BINS: Final = 128

#: With so many looks all counts are halved: what was seen lately counts more.
_MOST_LOOKS: Final = 50_000.0


@dataclass(frozen=True, slots=True)
class ZoneHeads:
    """The heads seen in one zone (None: the whole picture).

    - ``looks``: heads counted, each at every look.
    - ``median_px``: their height at the network's input; None: there was none.
    - ``too_small``, ``small``: the part of them below the height at which a verdict begins to be possible, and below
      that at which a look counts fully.
    """

    zone: str | None
    looks: int
    median_px: float | None
    too_small: float
    small: float


class HeadSizes:
    """Counts the heads of one camera. The judging adds, anybody may read.

    ``zones``: names of its zones, in their order.
    """

    def __init__(self, zones: Iterable[str] = ()) -> None:
        self._lock = Lock()
        self._counts = {zone: np.zeros(_BINS) for zone in (None, *zones)}
        self._looks = dict.fromkeys(self._counts, 0)

    def add(self, height_px: float, zones: Iterable[str] = ()) -> None:
        """A head of this height at the network's input was seen, in these zones."""
        place = int(log(max(height_px, _LEAST_PX) / _LEAST_PX) / log(_BIN_FACTOR))
        with self._lock:
            for zone in (None, *zones):
                counts = self._counts.get(zone)
                if counts is None:
                    continue
                counts[min(place, _BINS - 1)] += 1
                self._looks[zone] += 1
                if counts.sum() > _MOST_LOOKS:
                    counts /= 2

    def report(self) -> tuple[ZoneHeads, ...]:
        """What was seen so far: the whole picture, then every zone."""
        with self._lock:
            return tuple(self._of(zone) for zone in self._counts)

    def _of(self, zone: str | None) -> ZoneHeads:
        counts = self._counts[zone]
        total = float(counts.sum())
        if total == 0:
            return ZoneHeads(zone, 0, None, 0.0, 0.0)
        middles = _LEAST_PX * _BIN_FACTOR ** (np.arange(_BINS) + 0.5)
        median = float(middles[np.searchsorted(np.cumsum(counts), total / 2)])
        too_small = float(counts[middles < TOO_SMALL_PX].sum() / total)
        small = float(counts[middles < LARGE_ENOUGH_PX].sum() / total)
        return ZoneHeads(zone, self._looks[zone], median, too_small, small)
