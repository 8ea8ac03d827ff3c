"""How many looks per second each camera gets when there is not enough time for all that they ask for.

The elastic task model of Buttazzo, Lipari and Abeni (Elastic task model for adaptive rate control, RTSS
1998): rates shrink, in proportion to an elasticity, until the load fits. Here the elasticity is the priority,
and a water level ``x`` is sought such that each camera keeps ``min(1, x * weight)`` of its wish, never less
than the guaranteed share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Halvings of the interval in which the water level lies: more than a float can tell apart.
_BISECTIONS: Final = 60


@dataclass(frozen=True, slots=True)
class RateDemand:
    """A wish for ``fps`` looks a second that cost ``cost_s`` seconds each, with a priority ``weight``."""

    fps: float
    weight: float
    cost_s: float


def load_of(demands: Sequence[RateDemand]) -> float:
    """Share of the worker's time that ``demands`` ask for; above 1 they cannot all be met."""
    return sum(demand.fps * demand.cost_s for demand in demands)


def grant_rates(
    demands: Sequence[RateDemand], *, usable_share: float, guaranteed_share: float
) -> list[float]:
    """Looks per second granted to each of ``demands``, in their order, within ``usable_share`` of the
    worker's time.

    Nobody gets more than it asks for. While time is short each keeps a share of its wish in proportion to its
    weight, but at least ``guaranteed_share``; when not even the guaranteed shares fit, all of them shrink by
    one factor.
    """
    if load_of(demands) <= usable_share:
        return [demand.fps for demand in demands]
    floor_load = guaranteed_share * load_of(demands)
    if floor_load >= usable_share:
        shrink = guaranteed_share * usable_share / floor_load
        return [demand.fps * shrink for demand in demands]

    def shares(level: float) -> list[float]:
        return [min(1.0, max(guaranteed_share, level * demand.weight)) for demand in demands]

    low, high = 0.0, 1.0 / min(demand.weight for demand in demands)
    for _ in range(_BISECTIONS):
        level = (low + high) / 2
        load = sum(
            share * demand.fps * demand.cost_s for share, demand in zip(shares(level), demands, strict=True)
        )
        low, high = (level, high) if load <= usable_share else (low, level)
    return [share * demand.fps for share, demand in zip(shares(low), demands, strict=True)]
