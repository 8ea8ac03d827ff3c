"""Tracks that meet, and those of them that cannot be told apart (ADR 0013)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.following import FollowedPerson, distance_in_heads
from rules.geometry import Box, Point, center

#: Cost of a pair that lies beyond the gate, where it is compared with others.
_BEYOND_GATE = 1e4
#: Heads nearer than this, in head heights, have met.
_MET = 1.2
#: Ways cross only of people who move, in head heights per second; neighbours stay neighbours.
_MOVING = 1.0


@dataclass(frozen=True, slots=True)
class Encounter:
    """Two tracks whose heads came together; ``is_doubtful``: nobody can say which is which since."""

    first: FollowedPerson
    second: FollowedPerson
    is_doubtful: bool


class Candidates(NamedTuple):
    """Pairs within the gates: rows of tracks, columns of persons, and costs, all (P,)."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    costs: NDArray[np.float64]


#: No pair at all.
NOBODY: Final = Candidates(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))


def encounters(
    people: Sequence[FollowedPerson],
    heads: Sequence[Box],
    pairs: Mapping[int, int],
    candidates: Candidates,
    *,
    ambiguous_cost: float,
) -> list[Encounter]:
    """Pairs of tracks that meet, where an exchange lies within the gates; before the tracks take what is seen.

    ``pairs`` are the assigned (row of ``people`` to column of ``heads``) out of the ``candidates``; an exchange
    that costs less than ``ambiguous_cost`` more is about as likely as what was assigned, and the pair doubtful.
    """
    rows, columns, _ = candidates
    owners = np.full(len(heads), -1)
    owners[list(pairs.values())] = list(pairs)
    owners = owners.take(columns)
    rival = ((owners >= 0) & (owners != rows)).nonzero()[0]
    if not len(rival):
        return []
    found = []
    costs = _by_pair(candidates)
    for row, column, other in sorted(
        zip(owners.take(rival).tolist(), columns.take(rival).tolist(), rows.take(rival).tolist(), strict=True)
    ):
        theirs = pairs.get(other)
        if theirs is not None and other < row:
            continue
        first, second = people[row], people[other]
        if _meet(first, second, heads[column], None if theirs is None else heads[theirs]):
            # pairs that only the last stage of the assignment allowed lie beyond the gate
            extra = costs[other, column] - costs.get((row, column), _BEYOND_GATE)
            if theirs is not None:
                extra += costs.get((row, theirs), _BEYOND_GATE) - costs.get((other, theirs), _BEYOND_GATE)
            found.append(Encounter(first, second, extra < ambiguous_cost))
    return found


def _by_pair(candidates: Candidates) -> dict[tuple[int, int], float]:
    rows, columns, costs = (values.tolist() for values in candidates)
    return dict(zip(zip(rows, columns, strict=True), costs, strict=True))


def _meet(first: FollowedPerson, second: FollowedPerson, head_first: Box, head_second: Box | None) -> bool:
    """Whether two heads came together since the frame before, on the ways assigned to them or on exchanged ones."""
    unit = max(first.unit_px, second.unit_px)
    a0, b0 = first.last_point, second.last_point
    a1 = center(head_first)
    if head_second is None:
        return distance_in_heads(a1, center(second.head_box), unit) < _MET
    b1 = center(head_second)
    if distance_in_heads(a1, b1, unit) < _MET:
        return True
    if max(first.speed, second.speed) < _MOVING:
        return False
    return min(_closest(a0, a1, b0, b1), _closest(a0, b1, b0, a1)) < unit


def _closest(a0: Point, a1: Point, b0: Point, b1: Point) -> float:
    """Least distance of two points that move evenly from a0 to a1 and from b0 to b1 in the same time."""
    start = (a0[0] - b0[0], a0[1] - b0[1])
    change = (a1[0] - b1[0] - start[0], a1[1] - b1[1] - start[1])
    length_sq = change[0] ** 2 + change[1] ** 2
    share = 0.0 if length_sq == 0 else -(start[0] * change[0] + start[1] * change[1]) / length_sq
    share = min(1.0, max(0.0, share))
    return hypot(start[0] + share * change[0], start[1] + share * change[1])
