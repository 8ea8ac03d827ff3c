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
from rules.encounters import NOBODY, Candidates, Encounter, encounters
from rules.following import FollowedPerson, Following, alike, distance_in_heads, seen_head
from rules.geometry import Box, Edges, center, edges_of, height, ious, near_pairs
from rules.matching import optimal_pairs, pair_up
from rules.motion import log_spreads, mahalanobis, measures
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
        self._following = Following()

    @property
    def people(self) -> list[FollowedPerson]:
        """Everybody who is followed."""
        return self._following.people

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
        self._following.predict(passed_s, stop=is_outage)
        heads = [seen_head(person) for person in persons]
        pairs, candidates = self._assign(persons, heads, t)
        people = self._following.people
        met = encounters(people, heads, pairs, candidates, ambiguous_cost=self._tuning.ambiguous_cost)
        if len(pairs) < len(people):
            missed_s = max(interval_s if is_outage else passed_s, 1e-9)
            for row, followed in enumerate(people):
                if row not in pairs:
                    followed.unseen_s += missed_s
        self._following.see([(row, persons[column]) for row, column in pairs.items()], t)
        if len(pairs) < len(persons):
            self._begin(persons, set(pairs.values()), t)
        people = self._following.people
        for followed in people:
            if not followed.is_confirmed:
                followed.is_confirmed = followed.sightings >= self._tuning.confirm_looks
        ended = [followed for followed in people if self._is_over(followed, interval_s, image_hw)]
        if ended:
            self._following.keep([row for row, followed in enumerate(people) if followed not in ended])
        return Step([followed for followed in self.people if followed.unseen_s == 0], ended, met)

    def clear(self) -> list[FollowedPerson]:
        """Give all tracks up; returns them."""
        ended, self._following = self.people, Following()
        return ended

    def _begin(self, persons: Sequence[PersonObservation], taken: set[int], t: float) -> None:
        """Start tracks of those who are not ``taken`` by one, if they are sure enough."""
        begun = []
        for column, person in enumerate(persons):
            if column not in taken and person.score >= self._tuning.start_score:
                begun.append((FollowedPerson(self._next_id, person, t, t), person))
                self._next_id += 1
        if begun:
            self._following.begin(begun, t)

    def _is_over(self, followed: FollowedPerson, interval_s: float, image_hw: tuple[int, int]) -> bool:
        """Whether a track is given up: unseen for too long, or on its way out of the picture."""
        if followed.unseen_s == 0:
            return False
        x, y = center(followed.head_box)
        is_outside = not (0 <= x < image_hw[1] and 0 <= y < image_hw[0])
        if is_outside and followed.unseen_s > max(self._tuning.missed_look_s, 1.5 * interval_s):
            return True
        patience = self._tuning.lost_s if followed.is_confirmed else self._tuning.tentative_s
        return followed.unseen_s > max(patience, 2.5 * interval_s)

    def _assign(
        self, persons: Sequence[PersonObservation], heads: Sequence[Box], t: float
    ) -> tuple[dict[int, int], Candidates]:
        """Columns of ``persons`` by rows of ``people``, in their order, and the pairs within the gates."""
        if not persons or not self.people:
            return {}, NOBODY
        scores = np.array([person.score for person in persons])
        sure = scores >= self._tuning.high_score
        tentative_s = self._tuning.tentative_s
        fresh = np.array([followed.unseen_s <= tentative_s for followed in self.people], np.bool_)
        # who was lost is found again only by what would also start a track: near a lost person there is always some
        # thing that looks a little like a face
        strong = scores >= self._tuning.start_score
        rows, columns, costs = self._gated(persons, heads)
        allowed = fresh.take(rows) | strong.take(columns)
        if not allowed.all():
            rows, columns, costs = rows[allowed], columns[allowed], costs[allowed]
        free_rows, free_columns = np.ones(len(fresh), np.bool_), np.ones(len(scores), np.bool_)
        pairs: dict[int, int] = {}

        def take(found: dict[int, int]) -> None:
            pairs.update(found)
            free_rows[list(found)] = free_columns[list(found.values())] = False

        for allowed in (sure.take(columns), fresh.take(rows)):
            stage = allowed & free_rows.take(rows) & free_columns.take(columns)
            if stage.any():
                take(pair_up(rows[stage], columns[stage], costs[stage]))
        if len(pairs) < len(rows) or len(pairs) < len(scores):
            # rivals, or somebody new: those who are followed are looked at one by one
            self._following.show()
        last_rows, last_columns = free_rows.nonzero()[0], (strong & free_columns).nonzero()[0]
        if len(last_rows) and len(last_columns):
            reach = self._reach(last_rows.tolist(), [heads[column] for column in last_columns.tolist()], t)
            take({int(last_rows[row]): int(last_columns[column]) for row, column in optimal_pairs(reach)})
        return dict(sorted(pairs.items())), Candidates(rows, columns, costs)

    def _gated(self, persons: Sequence[PersonObservation], heads: Sequence[Box]) -> Candidates:
        """The pairs within the gates, by row, then column; by their bodies where a head is known of only one side."""
        following = self._following
        by_head = self._candidates(following.heads(), following.head_spreads(), edges_of(heads))
        faceless = np.array([person.head_xyxy is None for person in persons], np.bool_)
        if following.all_heads and not faceless.any():
            return by_head
        headless = np.array([not followed.has_head for followed in self.people], np.bool_)
        has_body = np.array([followed.has_body for followed in self.people], np.bool_)
        shows_body = np.array([not person.box_is_estimated for person in persons], np.bool_)
        by_bodies = has_body[:, None] & shows_body & (headless[:, None] | faceless)
        bodies = edges_of([person.box_xyxy for person in persons])
        by_body = self._candidates(following.bodies(), following.body_spreads(), bodies)
        chosen = ~by_bodies[by_head[:2]], by_bodies[by_body[:2]]
        rows, columns, costs = (
            np.concatenate([one[chosen[0]], other[chosen[1]]])
            for one, other in zip(by_head, by_body, strict=True)
        )
        order = np.lexsort((columns, rows))
        return Candidates(rows[order], columns[order], costs[order])

    def _candidates(self, predicted: Edges, spreads: NDArray[np.float64], found: Edges) -> Candidates:
        """Pairs of ``predicted`` boxes (4, T) and ``found`` ones (4, N) within the gate, with twice the negative
        log-likelihood up to a constant.
        """
        gate = self._tuning.gate
        means = measures(predicted)
        # a box whose middle lies beyond the gate counts only where the two overlap
        reach = np.sqrt(gate * spreads[:2]) + 1e-3
        first = np.minimum(predicted[:2], means[:2] - reach)
        last = np.maximum(predicted[2:], means[:2] + reach)
        rows, columns = near_pairs(np.concatenate([first, last]), found)
        distances = mahalanobis(
            means.take(rows, axis=1), spreads.take(rows, axis=1), measures(found).take(columns, axis=1)
        )
        costs = np.minimum(distances, gate) + log_spreads(means[3], spreads).take(rows)
        within = distances <= gate
        if np.count_nonzero(within) < len(within):
            far = (~within & (distances <= 40 * gate)).nonzero()[0]
            far_rows, far_columns = rows.take(far), columns.take(far)
            overlap = ious(predicted.take(far_rows, axis=1), found.take(far_columns, axis=1))
            within[far] = overlap >= _GATE_IOU
            rows, columns, costs = rows[within], columns[within], costs[within]
        return Candidates(rows, columns, costs)

    def _reach(self, rows: Sequence[int], heads: Sequence[Box], t: float) -> NDArray[np.float64]:
        """Distances in head heights, infinite where nobody could have gone since last seen."""
        costs = np.full((len(rows), len(heads)), np.inf)
        for position, row in enumerate(rows):
            followed = self.people[row]
            since = min(t - followed.last_seen_t, _MAX_REACH_S)
            for column, box in enumerate(heads):
                away = distance_in_heads(center(box), followed.last_point, followed.unit_px)
                if away <= self._tuning.near + self._tuning.max_speed / 2 * since and alike(
                    height(box), followed.unit_px
                ):
                    costs[position, column] = away
        return costs
