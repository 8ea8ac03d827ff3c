"""The persons who are followed: where their heads and bodies are, and when each was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from models.structures import PersonObservation
from rules.geometry import Box, Edges, Point, boxes_of, center, edges_of
from rules.motion import BoxFilters
from rules.proportions import HEADS_PER_STATURE, body_from_head, head_from_body

#: Standard deviations of detections, in head heights: a head's box, and a body's.
_HEAD_NOISE = 0.08
_BODY_NOISE = 0.35
#: A body box that was seen longer ago gives way to the estimate from the head.
_BODY_MEMORY_S = 1.0


@dataclass(eq=False, slots=True)
class FollowedPerson:
    """One track, as it is believed to be now. Times are seconds of the camera's timeline.

    - ``head_box``, ``body_box``: the one is estimated from the other where it was not seen, the body also when it was
      seen too long ago.
    - ``unit_px``: one head height in pixels. ``middle``, ``velocity``: of the head, pixels and pixels per second.
    - ``last_point``: the middle of the head when the person was last seen.
    """

    track_id: int
    observation: PersonObservation
    first_seen_t: float
    last_seen_t: float
    has_head: bool = False
    has_body: bool = False
    body_seen_t: float = float("-inf")
    sightings: int = 0
    #: time in which frames came and this person was not in them; and what it was until the latest sighting
    unseen_s: float = 0.0
    unseen_before_s: float = 0.0
    is_confirmed: bool = False
    last_point: Point = (0.0, 0.0)
    head_box: Box = (0.0, 0.0, 0.0, 0.0)
    body_box: Box = (0.0, 0.0, 0.0, 0.0)
    unit_px: float = 1.0
    middle: Point = (0.0, 0.0)
    velocity: Point = (0.0, 0.0)

    @property
    def is_seen(self) -> bool:
        """Whether the latest frame shows this person."""
        return self.unseen_s == 0

    @property
    def speed(self) -> float:
        """Head heights per second."""
        return hypot(*self.velocity) / self.unit_px


class Following:
    """Everybody who is followed, with the filters of their heads and bodies: 2 n and 2 n + 1 for person n.

    ``all_heads``: whether everybody's head has been seen.
    """

    def __init__(self) -> None:
        self.people: list[FollowedPerson] = []
        self.all_heads = True
        self._filters = BoxFilters()

    def predict(self, dt_s: float, *, stop: bool) -> None:
        """Move everybody on by ``dt_s``; with ``stop`` the velocities are forgotten first.

        Where that is shows in ``people`` once they are seen, or asked to ``show``.
        """
        self._filters.predict(dt_s, stop=stop)

    def begin(self, sightings: Sequence[tuple[FollowedPerson, PersonObservation]], t: float) -> None:
        """Follow new persons too."""
        many, first = len(sightings), len(self.people)
        self._filters.add(units_high=[1.0, HEADS_PER_STATURE] * many, noise=[_HEAD_NOISE, _BODY_NOISE] * many)
        self.people += [followed for followed, _ in sightings]
        self.see([(first + place, person) for place, (_, person) in enumerate(sightings)], t)

    def see(self, sightings: Sequence[tuple[int, PersonObservation]], t: float) -> None:
        """Give persons, by their rows, their sightings at ``t``."""
        known: dict[int, Box] = {}
        new: dict[int, Box] = {}
        people = self.people
        for row, person in sightings:
            followed = people[row]
            box, head, _, is_estimated, _ = person
            if head is not None:
                (known if followed.has_head else new)[2 * row] = head
                followed.has_head = True
            if not is_estimated:
                (known if followed.has_body else new)[2 * row + 1] = box
                followed.has_body, followed.body_seen_t = True, t
            followed.observation, followed.last_seen_t = person, t
            followed.unseen_before_s, followed.unseen_s = followed.unseen_s, 0.0
            followed.sightings += 1
        if new:
            self._filters.begin(list(new), edges_of(list(new.values())))
            self.all_heads = all(followed.has_head for followed in people)
        if known:
            self._filters.correct(list(known), edges_of(list(known.values())))
        self.show()
        for row, _ in sightings:
            x1, y1, x2, y2 = people[row].head_box
            people[row].last_point = (x1 + x2) / 2, (y1 + y2) / 2

    def keep(self, rows: Sequence[int]) -> None:
        """Follow the persons of these rows alone."""
        self.people = [self.people[row] for row in rows]
        self.all_heads = all(followed.has_head for followed in self.people)
        self._filters.keep((2 * np.array(rows, np.intp)[:, None] + (0, 1)).reshape(-1))

    def heads(self) -> Edges:
        """The heads (4, N), as ``head_box``."""
        if self.all_heads:
            return self._filters.edges[:, ::2]
        self.show()
        return edges_of([followed.head_box for followed in self.people])

    def bodies(self) -> Edges:
        """The bodies (4, N), as ``body_box``."""
        self.show()
        return edges_of([followed.body_box for followed in self.people])

    def head_spreads(self) -> NDArray[np.float64]:
        """Variances (4, N) of the next head boxes; wide where the head is only known from the body."""
        spreads = self._filters.spreads()
        found = spreads[:, ::2]
        if not self.all_heads:
            for row, followed in enumerate(self.people):
                if not followed.has_head:
                    unit_px = self._filters.units_px[2 * row + 1]
                    found[:, row] = spreads[:, 2 * row + 1]
                    found[2:, row] = (0.3 * unit_px) ** 2
                    found[:, row] += (0.5 * unit_px) ** 2
        return found

    def body_spreads(self) -> NDArray[np.float64]:
        """Variances (4, N) of the next body boxes; much wider where only the head is known."""
        spreads = self._filters.spreads()
        found = spreads[:, 1::2]
        for row, followed in enumerate(self.people):
            if not followed.has_body:
                found[:, row] = spreads[:, 2 * row] * 60
        return found

    def show(self) -> None:
        """Let ``people`` say where everybody is."""
        boxes, units = boxes_of(self._filters.edges), self._filters.units_px.tolist()
        places = list(zip(*self._filters.state[:2, :2].reshape(4, -1).tolist(), strict=True))
        for row, followed in enumerate(self.people):
            head, body = 2 * row, 2 * row + 1
            if followed.has_head:
                x, y, dx, dy = places[head]
                followed.head_box, followed.unit_px, followed.middle = boxes[head], units[head], (x, y)
                is_recent = followed.last_seen_t - followed.body_seen_t <= _BODY_MEMORY_S
            else:
                _, _, dx, dy = places[body]
                followed.head_box, followed.unit_px = head_from_body(boxes[body]), units[body]
                followed.middle, is_recent = center(followed.head_box), True
            followed.velocity = dx, dy
            shows_body = followed.has_body and is_recent
            followed.body_box = boxes[body] if shows_body else body_from_head(followed.head_box)


def seen_head(person: PersonObservation) -> Box:
    """The head of an observation, or where the head of its body must be."""
    return head_from_body(person.box_xyxy) if person.head_xyxy is None else person.head_xyxy


def distance_in_heads(a: Point, b: Point, unit_px: float) -> float:
    """Distance of two points in head heights."""
    return hypot(a[0] - b[0], a[1] - b[1]) / max(unit_px, 1e-9)


def alike(height_px: float, other_px: float) -> bool:
    """Whether two heads may be one by their size."""
    return 0.6 <= (height_px + 1e-9) / (other_px + 1e-9) <= 1.67
