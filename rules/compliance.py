"""Counting compliance: how many persons, for how long, with, without, and for how long nobody could tell."""

from dataclasses import dataclass

from models.structures import Gear


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
