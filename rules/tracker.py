"""Persons followed from frame to frame (ADR 0013).

Two stages as in ByteTrack (Zhang et al., ECCV 2022): sure detections choose their tracks first, doubtful ones only
continue what is left. Each stage is an optimal assignment by negative log-likelihood under the predictions of
constant velocity. A last stage looks for what is left within the reach of a person's speed, so that lost tracks are
found again near where they must be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.structures import PersonObservation
from rules.encounters import Encounter, encounters
from rules.following import (
    FollowedPerson,
    alike,
    body_spreads,
    distance_in_heads,
    head_spreads,
    predict_people,
    see_people,
    seen_head,
)
from rules.geometry import Box, center, height, ious
from rules.matching import optimal_pairs, pair_up
from rules.motion import mahalanobis, measures
from rules.tuning import Tuning

#: Predictions reach no further ahead than this when something lost is sought.
_MAX_REACH_S = 2.0
#: Overlap that makes up for a place beyond the gate.
_GATE_IOU = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """What one frame did to the tracks: those seen in it, those given up, and pairs that met."""

    seen: list[FollowedPerson] = field(default_factory=list)
    ended: list[FollowedPerson] = field(default_factory=list)
    met: list[Encounter] = field(default_factory=list)


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
        predict_people(self.people, passed_s, stop=is_outage)
        before = {person.track_id: person.last_point for person in self.people}
        pairs, costs = self._assign(persons, t)
        met = encounters(
            self.people,
            persons,
            pairs,
            costs=costs,
            before=before,
            ambiguous_cost=self._tuning.ambiguous_cost,
        )
        see_people([(self.people[row], persons[column]) for row, column in pairs], t)
        for row, _ in pairs:
            self.people[row].sightings += 1
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
        return Step([followed for followed in self.people if followed.is_seen], ended, met)

    def clear(self) -> list[FollowedPerson]:
        """Give all tracks up; returns them."""
        ended, self.people = self.people, []
        return ended

    def _begin(self, person: PersonObservation, t: float) -> None:
        followed = FollowedPerson(self._next_id, person, t, t)
        see_people([(followed, person)], t)
        self._next_id += 1
        self.people.append(followed)

    def _is_over(self, followed: FollowedPerson, interval_s: float, image_hw: tuple[int, int]) -> bool:
        """Whether a track is given up: unseen for too long, or on its way out of the picture."""
        if followed.is_seen:
            return False
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
        scores = np.array([person.score for person in persons])
        sure = scores >= self._tuning.high_score
        fresh = np.array([followed.unseen_s <= self._tuning.tentative_s for followed in self.people], bool)
        # who was lost is found again only by what would also start a track: near a lost person there is always some
        # thing that looks a little like a face
        strong = scores >= self._tuning.start_score
        costs[~fresh[:, None] & ~strong] = np.inf
        rows, columns = np.nonzero(np.isfinite(costs))
        free_rows, free_columns = np.ones(len(fresh), bool), np.ones(len(scores), bool)
        pairs: dict[int, int] = {}

        def take(found: dict[int, int]) -> None:
            pairs.update(found)
            free_rows[list(found)] = free_columns[list(found.values())] = False

        for allowed in (sure[columns], fresh[rows]):
            stage = allowed & free_rows[rows] & free_columns[columns]
            take(pair_up(rows[stage], columns[stage], costs[rows[stage], columns[stage]]))
        last_rows, last_columns = np.flatnonzero(free_rows), np.flatnonzero(strong & free_columns)
        if len(last_rows) and len(last_columns):
            reach = self._reach(last_rows.tolist(), [persons[column] for column in last_columns.tolist()], t)
            take({int(last_rows[row]): int(last_columns[column]) for row, column in optimal_pairs(reach)})
        return sorted(pairs.items()), costs

    def _costs(self, persons: Sequence[PersonObservation]) -> NDArray[np.float64]:
        """Twice the negative log-likelihood (T, N) up to a constant; infinite beyond the gate."""
        if not len(persons) or not self.people:
            return np.full((len(self.people), len(persons)), np.inf)
        has_head = np.array([followed.head is not None for followed in self.people], bool)
        has_body = np.array([followed.body is not None for followed in self.people], bool)
        by_head = np.array([person.head_xyxy is not None for person in persons], bool)
        by_body = np.array([not person.box_is_estimated for person in persons], bool)
        by_bodies = has_body[:, None] & by_body & ~(has_head[:, None] & by_head)
        costs = self._gated(
            [followed.head_box for followed in self.people],
            head_spreads(self.people),
            [seen_head(person) for person in persons],
        )
        if by_bodies.any():
            bodies = self._gated(
                [followed.body_box for followed in self.people],
                body_spreads(self.people),
                [person.box_xyxy for person in persons],
            )
            costs = np.where(by_bodies, bodies, costs)
        return costs

    def _gated(self, boxes: list[Box], spreads: NDArray[np.float64], seen: list[Box]) -> NDArray[np.float64]:
        predicted, found = np.array(boxes, np.float64), np.array(seen, np.float64)
        distances, log_spread = mahalanobis(measures(predicted), spreads, measures(found))
        costs = np.minimum(distances, self._tuning.gate) + log_spread[:, None]
        beyond = distances > self._tuning.gate
        rows, columns = np.nonzero(beyond & (distances <= 40 * self._tuning.gate))
        beyond[rows, columns] = ious(predicted[rows], found[columns]) < _GATE_IOU
        costs[beyond] = np.inf
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
                box = seen_head(person)
                away = distance_in_heads(center(box), followed.last_point, followed.unit_px)
                if away <= self._tuning.near + self._tuning.max_speed / 2 * since and alike(
                    height(box), followed.unit_px
                ):
                    costs[position, column] = away
        return costs
