"""Episodes that were not opened: counted, and the latest kept to be explained."""

from collections import deque
from typing import Final

from rules.violations import Suppression

#: How many are kept to be shown.
KEPT: Final = 200


class Suppressions:
    """Counts by reason since the engine began, and the latest ``KEPT`` in full."""

    def __init__(self) -> None:
        self._latest: deque[Suppression] = deque(maxlen=KEPT)
        self._untold: deque[Suppression] = deque(maxlen=KEPT)
        self._counts: dict[str, int] = {}

    def add(self, suppression: Suppression) -> None:
        """Count one."""
        self._latest.append(suppression)
        if suppression.reason == "area":
            self._untold.append(suppression)
        self._counts[suppression.reason] = self._counts.get(suppression.reason, 0) + 1

    def take_held(self) -> list[Suppression]:
        """What areas held back since the last call, oldest first."""
        held = list(self._untold)
        self._untold.clear()
        return held

    @property
    def latest(self) -> tuple[Suppression, ...]:
        """Oldest first."""
        return tuple(self._latest)

    @property
    def counts(self) -> dict[str, int]:
        """How many for each reason."""
        return dict(sorted(self._counts.items()))
