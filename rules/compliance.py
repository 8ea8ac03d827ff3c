"""Counting compliance: how many persons, for how long, with, without, and for how long nobody could tell."""

from dataclasses import dataclass
from typing import Any

from models.structures import Gear, GearState


@dataclass(frozen=True, slots=True)
class Compliance:
    """One gear in one zone (``zone`` None: wherever a rule asks for it at this camera) over one period.

    - ``since``: start of the period, UTC epoch seconds: the start of the shift, or the local midnight for rules that
      always hold.
    - ``with_now``, ``without_now``, ``indeterminate_now``: persons at the latest frame. ``without_now`` takes in
      ``incorrect_now``.
    - ``worn_s``, ``missing_s``, ``incorrect_s``: person-seconds in which it could be told. ``unknown_s``: the rest.
    """

    zone: str | None
    gear: Gear
    since: float
    with_now: int = 0
    without_now: int = 0
    incorrect_now: int = 0
    indeterminate_now: int = 0
    worn_s: float = 0.0
    missing_s: float = 0.0
    incorrect_s: float = 0.0
    unknown_s: float = 0.0

    @property
    def observable_s(self) -> float:
        """Person-seconds in which it could be told."""
        return self.worn_s + self.missing_s + self.incorrect_s

    @property
    def worn_share(self) -> float | None:
        """Part of the observable time in which it was worn; None when there was none. Never show it without
        ``observable_share``.
        """
        return self.worn_s / self.observable_s if self.observable_s > 0 else None

    @property
    def observable_share(self) -> float | None:
        """Part of all person-seconds in which it could be told; None when nobody was there."""
        total = self.observable_s + self.unknown_s
        return self.observable_s / total if total > 0 else None


#: A zone, or None for the whole picture, and a gear that some rule asks for there.
Place = tuple[str | None, Gear]
#: Nobody, in any state.
_NOBODY = dict.fromkeys(GearState, 0)


@dataclass(slots=True)
class _Sums:
    since: float
    seconds: dict[GearState, float]
    now: dict[GearState, int]


class ComplianceCounter:
    """Adds up person-seconds by zone and gear, anew from each start of a period."""

    def __init__(self) -> None:
        self._sums: dict[Place, _Sums] = {}

    def begin(self, zone: str | None, gear: Gear, since: float) -> None:
        """A period that began at ``since`` (UTC epoch seconds) holds here; a later one starts the sums over."""
        sums = self._sums.get((zone, gear))
        if sums is None or since > sums.since:
            self._sums[zone, gear] = _Sums(since, dict.fromkeys(GearState, 0.0), _NOBODY.copy())

    def clear_now(self) -> None:
        """Forget who is there; a new frame is counted."""
        for sums in self._sums.values():
            sums.now = _NOBODY.copy()

    def add(
        self, place: Place, state: GearState, seconds: float, seconds_state: GearState, many: int
    ) -> None:
        """So ``many`` persons are there in ``state``, and have been for ``seconds`` each in ``seconds_state``."""
        sums = self._sums[place]
        sums.now[state] += many
        sums.seconds[seconds_state] += many * seconds

    def report(self) -> tuple[Compliance, ...]:
        """All counts: the camera's first, then by zone and gear."""
        return tuple(
            Compliance(
                zone=zone,
                gear=gear,
                since=sums.since,
                with_now=sums.now[GearState.WORN],
                without_now=sums.now[GearState.MISSING] + sums.now[GearState.INCORRECT],
                incorrect_now=sums.now[GearState.INCORRECT],
                indeterminate_now=sums.now[GearState.UNKNOWN],
                worn_s=sums.seconds[GearState.WORN],
                missing_s=sums.seconds[GearState.MISSING],
                incorrect_s=sums.seconds[GearState.INCORRECT],
                unknown_s=sums.seconds[GearState.UNKNOWN],
            )
            for (zone, gear), sums in sorted(
                self._sums.items(), key=lambda item: (item[0][0] is not None, item[0][0] or "", item[0][1])
            )
        )

    def export(self) -> list[dict[str, Any]]:
        """For JSON."""
        return [
            {
                "zone": zone,
                "gear": gear.value,
                "since": sums.since,
                "seconds": {state.value: value for state, value in sums.seconds.items()},
            }
            for (zone, gear), sums in self._sums.items()
        ]

    def restore(self, rows: list[dict[str, Any]]) -> None:
        """Take what ``export`` gave."""
        for row in rows:
            seconds = dict.fromkeys(GearState, 0.0) | {
                GearState(state): float(value) for state, value in row["seconds"].items()
            }
            key = (row["zone"], Gear(row["gear"]))
            self._sums[key] = _Sums(float(row["since"]), seconds, _NOBODY.copy())
