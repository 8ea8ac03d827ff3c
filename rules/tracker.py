"""Persons followed from frame to frame (ADR 0013).

Two stages as in ByteTrack (Zhang et al., ECCV 2022): sure detections choose their tracks first, doubtful ones only
continue what is left. Each stage is an optimal assignment by negative log-likelihood under the predictions of
constant velocity. A last stage looks for what is left within the reach of a person's speed, so that lost tracks are
found again near where they must be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot

import numpy as np
from numpy.typing import NDArray

from models.structures import PersonObservation
from rules.geometry import Box, Point, center, height, iou
from rules.matching import optimal_pairs
from rules.motion import BoxFilter, mahalanobis, measures
from rules.proportions import HEADS_PER_STATURE, body_from_head, head_from_body
from rules.tuning import Tuning

#: Standard deviations of detections, in head heights: a head's box, and a body's.
_HEAD_NOISE = 0.08
_BODY_NOISE = 0.35
#: A body box that was seen longer ago gives way to the estimate from the head.
_BODY_MEMORY_S = 1.0
#: Predictions reach no further ahead than this when something lost is sought.
_MAX_REACH_S = 2.0
#: Cost of such a pair where it is compared with others.
_BEYOND_GATE = 1e4
#: Overlap that makes up for a place beyond the gate.
_GATE_IOU = 0.3


@dataclass(eq=False, slots=True)
class FollowedPerson:
    """The tracker's side of one track. Times are seconds of the camera's timeline."""

    track_id: int
    observation: PersonObservation
    first_seen_t: float
    last_seen_t: float
    head: BoxFilter | None = None
    body: BoxFilter | None = None
    body_seen_t: float = float("-inf")
    sightings: int = 1
    #: time in which frames came and this person was not in them
    unseen_s: float = 0.0
    is_confirmed: bool = False
    last_point: Point = (0.0, 0.0)

    @property
    def is_seen(self) -> bool:
        """Whether the latest frame shows this person."""
        return self.unseen_s == 0

    @property
    def unit_px(self) -> float:
        """One head height in pixels."""
        return (self.head or self._any()).unit_px

    @property
    def head_box(self) -> Box:
        """The head as it is believed to be now."""
        return self.head.box if self.head is not None else head_from_body(self._any().box)

    @property
    def body_box(self) -> Box:
        """The body as it is believed to be now; estimated from the head unless it was itself seen just now."""
        if self.body is not None and (
            self.head is None or self.last_seen_t - self.body_seen_t <= _BODY_MEMORY_S
        ):
            return self.body.box
        return body_from_head(self.head_box)

    @property
    def speed(self) -> float:
        """Head heights per second."""
        return (self.head or self._any()).speed

    def ahead(self, dt_s: float) -> Point:
        """The middle of the head ``dt_s`` seconds from now, if the person goes on like this."""
        if self.head is not None:
            return self.head.ahead(dt_s)
        x, y = center(self.head_box)
        dx, dy = self._any().velocity[:2]
        return x + dt_s * float(dx), y + dt_s * float(dy)

    def predict(self, dt_s: float, *, stop: bool) -> None:
        """Move on by ``dt_s``; with ``stop`` the velocity is forgotten first."""
        for part in (self.head, self.body):
            if part is not None:
                if stop:
                    part.stop()
                part.predict(dt_s)

    def see(self, person: PersonObservation, t: float) -> None:
        """Take this person's sighting at ``t``."""
        if person.head_xyxy is not None:
            self.head = _corrected(self.head, person.head_xyxy, units_high=1.0, noise=_HEAD_NOISE)
        if not person.box_is_estimated:
            self.body = _corrected(
                self.body, person.box_xyxy, units_high=HEADS_PER_STATURE, noise=_BODY_NOISE
            )
            self.body_seen_t = t
        self.observation, self.last_seen_t, self.unseen_s = person, t, 0.0
        self.last_point = center(self.head_box)

    def _any(self) -> BoxFilter:
        part = self.body or self.head
        if part is None:
            raise ValueError("a followed person has been seen by head or by body")
        return part


@dataclass(frozen=True, slots=True)
class Step:
    """What one frame did to the tracks: those seen in it, those given up, and pairs that cannot be told apart."""

    seen: list[FollowedPerson] = field(default_factory=list)
    ended: list[FollowedPerson] = field(default_factory=list)
    doubtful: list[tuple[FollowedPerson, FollowedPerson]] = field(default_factory=list)


class Tracker:
    """Follows the persons of one camera."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._next_id = 1
        self.people: list[FollowedPerson] = []

    @property
    def next_id(self) -> int:
        """The id that the next new track gets."""
        return self._next_id

    @next_id.setter
    def next_id(self, value: int) -> None:
        self._next_id = max(self._next_id, value)

    def step(
        self,
        persons: Sequence[PersonObservation],
        *,
        t: float,
        passed_s: float,
        interval_s: float,
        is_outage: bool,
        image_hw: tuple[int, int],
    ) -> Step:
        """Take one frame's persons at time ``t``, ``passed_s`` after the frame before.

        After an outage velocities are forgotten and its time does not count as unseen: nobody looked.
        """
        for person in self.people:
            person.predict(passed_s, stop=is_outage)
        before = {person.track_id: person.last_point for person in self.people}
        pairs, costs = self._assign(persons, t)
        doubtful = self._doubtful(pairs, costs, persons, before)
        for row, column in pairs:
            followed = self.people[row]
            followed.see(persons[column], t)
            followed.sightings += 1
        matched_rows = {row for row, _ in pairs}
        for row, followed in enumerate(self.people):
            if row not in matched_rows:
                followed.unseen_s += max(interval_s, 1e-9) if is_outage else max(passed_s, 1e-9)
        taken = {column for _, column in pairs}
        for column, observation in enumerate(persons):
            if column not in taken and observation.score >= self._tuning.start_score:
                self._begin(observation, t)
        for followed in self.people:
            followed.is_confirmed = followed.is_confirmed or followed.sightings >= self._tuning.confirm_looks
        over = [self._is_over(followed, interval_s, image_hw) for followed in self.people]
        ended = [followed for followed, is_over in zip(self.people, over, strict=True) if is_over]
        self.people = [followed for followed, is_over in zip(self.people, over, strict=True) if not is_over]
        return Step([followed for followed in self.people if followed.is_seen], ended, doubtful)

    def clear(self) -> list[FollowedPerson]:
        """Give all tracks up; returns them."""
        ended, self.people = self.people, []
        return ended

    def _begin(self, person: PersonObservation, t: float) -> None:
        followed = FollowedPerson(self._next_id, person, t, t)
        followed.see(person, t)
        self._next_id += 1
        self.people.append(followed)

    def _is_over(self, followed: FollowedPerson, interval_s: float, image_hw: tuple[int, int]) -> bool:
        """Whether a track is given up: unseen for too long, or on its way out of the picture."""
        x, y = center(followed.head_box)
        is_outside = not (0 <= x < image_hw[1] and 0 <= y < image_hw[0])
        if is_outside and followed.unseen_s > max(self._tuning.missed_look_s, 1.5 * interval_s):
            return True
        patience = self._tuning.lost_s if followed.is_confirmed else self._tuning.tentative_s
        return followed.unseen_s > max(patience, 2.5 * interval_s)

    def _assign(
        self, persons: Sequence[PersonObservation], t: float
    ) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
        """Pairs (row of ``people``, column of ``persons``), and the costs they were chosen by."""
        costs = self._costs(persons)
        sure = [person.score >= self._tuning.high_score for person in persons]
        fresh = [followed.unseen_s <= self._tuning.tentative_s for followed in self.people]
        rows, columns = list(range(len(self.people))), list(range(len(persons)))
        pairs: list[tuple[int, int]] = []

        def match(stage_rows: list[int], stage_columns: list[int], by_reach: bool) -> None:
            if not stage_rows or not stage_columns:
                return
            stage = (
                self._reach(stage_rows, [persons[column] for column in stage_columns], t)
                if by_reach
                else costs[np.ix_(stage_rows, stage_columns)]
            )
            for row, column in optimal_pairs(stage):
                pairs.append((stage_rows[row], stage_columns[column]))
                rows.remove(stage_rows[row])
                columns.remove(stage_columns[column])

        match(list(rows), [column for column in columns if sure[column]], False)
        match([row for row in rows if fresh[row]], list(columns), False)
        match(list(rows), [column for column in columns if sure[column]], True)
        return sorted(pairs), costs

    def _costs(self, persons: Sequence[PersonObservation]) -> NDArray[np.float64]:
        """Twice the negative log-likelihood (T, N) up to a constant; infinite beyond the gate."""
        costs = np.full((len(self.people), len(persons)), np.inf)
        if not len(persons) or not self.people:
            return costs
        heads = [person.head_xyxy for person in persons]
        by_head = np.array([head is not None for head in heads], bool)
        has_head = np.array([followed.head is not None for followed in self.people], bool)
        has_body = np.array([followed.body is not None for followed in self.people], bool)
        by_body = np.array([not person.box_is_estimated for person in persons], bool)
        head_pairs = has_head[:, None] & by_head[None, :]
        body_pairs = has_body[:, None] & by_body[None, :] & ~head_pairs
        mixed_pairs = ~head_pairs & ~body_pairs
        seen_heads = [
            head_from_body(person.box_xyxy) if person.head_xyxy is None else person.head_xyxy
            for person in persons
        ]
        if head_pairs.any() or mixed_pairs.any():
            boxes = [followed.head_box for followed in self.people]
            spreads = np.array([_head_spread(followed) for followed in self.people])
            cost = self._gated(boxes, spreads, seen_heads)
            costs = np.where(head_pairs | mixed_pairs, cost, costs)
        if body_pairs.any():
            bodies = [followed.body_box for followed in self.people]
            spreads = np.array(
                [
                    followed.body.spread() if followed.body is not None else _head_spread(followed) * 60
                    for followed in self.people
                ]
            )
            costs = np.where(
                body_pairs, self._gated(bodies, spreads, [person.box_xyxy for person in persons]), costs
            )
        return costs

    def _gated(self, boxes: list[Box], spreads: NDArray[np.float64], seen: list[Box]) -> NDArray[np.float64]:
        distances, log_spread = mahalanobis(measures(boxes), spreads, measures(seen))
        costs = np.minimum(distances, self._tuning.gate) + log_spread[:, None]
        for row, column in zip(*np.nonzero(distances > self._tuning.gate), strict=True):
            near = distances[row, column] <= 40 * self._tuning.gate
            if not near or iou(boxes[row], seen[column]) < _GATE_IOU:
                costs[row, column] = np.inf
        return costs

    def _reach(
        self, rows: Sequence[int], persons: Sequence[PersonObservation], t: float
    ) -> NDArray[np.float64]:
        """Distances in head heights, infinite where nobody could have gone since last seen."""
        costs = np.full((len(rows), len(persons)), np.inf)
        for position, row in enumerate(rows):
            followed = self.people[row]
            since = min(t - followed.last_seen_t, _MAX_REACH_S)
            for column, person in enumerate(persons):
                box = person.head_xyxy if person.head_xyxy is not None else head_from_body(person.box_xyxy)
                away = distance_in_heads(center(box), followed.last_point, followed.unit_px)
                if away <= self._tuning.near + self._tuning.max_speed / 2 * since and alike(
                    height(box), followed.unit_px
                ):
                    costs[position, column] = away
        return costs

    def _doubtful(
        self,
        pairs: Sequence[tuple[int, int]],
        costs: NDArray[np.float64],
        persons: Sequence[PersonObservation],
        before: dict[int, Point],
    ) -> list[tuple[FollowedPerson, FollowedPerson]]:
        """Pairs of tracks that meet and whose exchange would be about as likely as what was assigned."""
        found = []
        column_of = dict(pairs)
        # pairs that only the last stage allowed lie beyond the gate
        bounded = np.where(np.isfinite(costs), costs, _BEYOND_GATE)
        for row, column in pairs:
            rivals = np.nonzero(np.isfinite(costs[:, column]))[0]
            for other in rivals.tolist():
                theirs = column_of.get(other)
                if other == row or (theirs is not None and other < row):
                    continue
                first, second = self.people[row], self.people[other]
                extra = bounded[other, column] - bounded[row, column]
                if theirs is not None:
                    extra += bounded[row, theirs] - bounded[other, theirs]
                if extra < self._tuning.ambiguous_cost and self._meet(
                    first, second, persons[column], None if theirs is None else persons[theirs], before
                ):
                    found.append((first, second))
        return found

    def _meet(
        self,
        first: FollowedPerson,
        second: FollowedPerson,
        seen_first: PersonObservation,
        seen_second: PersonObservation | None,
        before: dict[int, Point],
    ) -> bool:
        """Whether two heads came together since the frame before, on the ways assigned to them or on exchanged ones.

        People who stand side by side do not meet, however seldom the camera looks.
        """
        unit = max(first.unit_px, second.unit_px)
        a0, b0 = before[first.track_id], before[second.track_id]
        a1 = center(seen_first.head_xyxy or head_from_body(seen_first.box_xyxy))
        if seen_second is None:
            return distance_in_heads(a1, center(second.head_box), unit) < 1.2
        b1 = center(seen_second.head_xyxy or head_from_body(seen_second.box_xyxy))
        if distance_in_heads(a1, b1, unit) < 1.2:
            return True
        if max(first.speed, second.speed) < 1.0:
            return False
        return min(_closest(a0, a1, b0, b1), _closest(a0, b1, b0, a1)) < unit


def distance_in_heads(a: Point, b: Point, unit_px: float) -> float:
    """Distance of two points in head heights."""
    return hypot(a[0] - b[0], a[1] - b[1]) / max(unit_px, 1e-9)


def alike(height_px: float, other_px: float) -> bool:
    """Whether two heads may be one by their size."""
    return 0.6 <= (height_px + 1e-9) / (other_px + 1e-9) <= 1.67


def _corrected(part: BoxFilter | None, box: Box, *, units_high: float, noise: float) -> BoxFilter:
    if part is None:
        return BoxFilter(box, units_high=units_high, noise=noise)
    part.correct(box)
    return part


def _head_spread(followed: FollowedPerson) -> NDArray[np.float64]:
    """Variances (4,) of the next head box; wide where the head is only known from the body."""
    if followed.head is not None:
        return followed.head.spread()
    if followed.body is None:
        raise ValueError("a followed person has been seen by head or by body")
    spread = followed.body.spread().copy()
    spread[2:] = (0.3 * followed.unit_px) ** 2
    return spread + (0.5 * followed.unit_px) ** 2


def _closest(a0: Point, a1: Point, b0: Point, b1: Point) -> float:
    """Least distance of two points that move evenly from a0 to a1 and from b0 to b1 in the same time."""
    start = (a0[0] - b0[0], a0[1] - b0[1])
    change = (a1[0] - b1[0] - start[0], a1[1] - b1[1] - start[1])
    length_sq = change[0] ** 2 + change[1] ** 2
    share = 0.0 if length_sq == 0 else -(start[0] * change[0] + start[1] * change[1]) / length_sq
    share = min(1.0, max(0.0, share))
    return hypot(start[0] + share * change[0], start[1] + share * change[1])
