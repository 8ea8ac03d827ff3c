"""The persons who are followed: where their heads and bodies are, and when each was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from models.structures import PersonObservation
from rules.geometry import Box, Point, center
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
    sightings: int = 1
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

    def ahead(self, dt_s: float) -> Point:
        """The middle of the head ``dt_s`` seconds from now, if the person goes on like this."""
        return self.middle[0] + dt_s * self.velocity[0], self.middle[1] + dt_s * self.velocity[1]


class Following:
    """Everybody who is followed, with the filters of their heads and bodies: rows 2 n and 2 n + 1 for person n."""

    def __init__(self) -> None:
        self.people: list[FollowedPerson] = []
        self._filters = BoxFilters()

    def predict(self, dt_s: float, *, stop: bool) -> None:
        """Move everybody on by ``dt_s``; with ``stop`` the velocities are forgotten first.

        Where that is shows in ``people`` once they are seen, or asked to ``show``.
        """
        self._filters.predict(dt_s, stop=stop)

    def begin(self, sightings: Sequence[tuple[FollowedPerson, PersonObservation]], t: float) -> None:
        """Follow new persons too."""
        if sightings:
            many = len(sightings)
            self._filters.add(
                units_high=[1.0, HEADS_PER_STATURE] * many, noise=[_HEAD_NOISE, _BODY_NOISE] * many
            )
            first = len(self.people)
            self.people += [followed for followed, _ in sightings]
            self.see([(first + place, person) for place, (_, person) in enumerate(sightings)], t)

    def see(self, sightings: Sequence[tuple[int, PersonObservation]], t: float) -> None:
        """Give persons, by their rows, their sightings at ``t``."""
        known: dict[int, Box] = {}
        new: dict[int, Box] = {}
        for row, person in sightings:
            followed = self.people[row]
            if person.head_xyxy is not None:
                (known if followed.has_head else new)[2 * row] = person.head_xyxy
                followed.has_head = True
            if not person.box_is_estimated:
                (known if followed.has_body else new)[2 * row + 1] = person.box_xyxy
                followed.has_body, followed.body_seen_t = True, t
            followed.observation, followed.last_seen_t = person, t
            followed.unseen_before_s, followed.unseen_s = followed.unseen_s, 0.0
        self._filters.begin(list(new), list(new.values()))
        self._filters.correct(list(known), list(known.values()))
        self.show()
        for row, _ in sightings:
            self.people[row].last_point = center(self.people[row].head_box)

    def keep(self, rows: Sequence[int]) -> None:
        """Follow the persons of these rows alone."""
        self.people = [self.people[row] for row in rows]
        heads = 2 * np.array(rows, np.intp)
        self._filters.keep(np.stack([heads, heads + 1], axis=1).reshape(-1))

    def head_boxes(self) -> NDArray[np.float64]:
        """The heads (N, 4), as ``head_box``."""
        if all(followed.has_head for followed in self.people):
            return self._filters.boxes[::2]
        self.show()
        return np.array([followed.head_box for followed in self.people], np.float64)

    def body_boxes(self) -> NDArray[np.float64]:
        """The bodies (N, 4), as ``body_box``."""
        self.show()
        return np.array([followed.body_box for followed in self.people], np.float64)

    def head_spreads(self) -> NDArray[np.float64]:
        """Variances (N, 4) of the next head boxes; wide where the head is only known from the body."""
        spreads = self._filters.spreads().reshape(-1, 2, 4)
        found = spreads[:, 0]
        units_px = self._filters.units_px
        for row, followed in enumerate(self.people):
            if not followed.has_head:
                unit_px = units_px[2 * row + 1, 0]
                found[row] = spreads[row, 1]
                found[row, 2:] = (0.3 * unit_px) ** 2
                found[row] += (0.5 * unit_px) ** 2
        return found

    def body_spreads(self) -> NDArray[np.float64]:
        """Variances (N, 4) of the next body boxes; much wider where only the head is known."""
        spreads = self._filters.spreads().reshape(-1, 2, 4)
        found = spreads[:, 1]
        for row, followed in enumerate(self.people):
            if not followed.has_body:
                found[row] = spreads[row, 0] * 60
        return found

    def show(self) -> None:
        """Let ``people`` say where everybody is."""
        boxes, units = self._filters.boxes.tolist(), self._filters.units_px[:, 0].tolist()
        places = np.concatenate(list(self._filters.state[:2, :, :2]), axis=1).tolist()
        for row, followed in enumerate(self.people):
            head, body = 2 * row, 2 * row + 1
            if followed.has_head:
                followed.head_box, known = tuple(boxes[head]), head
            else:
                followed.head_box, known = head_from_body(tuple(boxes[body])), body
            is_recent = not followed.has_head or followed.last_seen_t - followed.body_seen_t <= _BODY_MEMORY_S
            if followed.has_body and is_recent:
                followed.body_box = tuple(boxes[body])
            else:
                followed.body_box = body_from_head(followed.head_box)
            followed.unit_px = units[known]
            x, y, dx, dy = places[known]
            followed.middle = (x, y) if followed.has_head else center(followed.head_box)
            followed.velocity = dx, dy


def seen_head(person: PersonObservation) -> Box:
    """The head of an observation, or where the head of its body must be."""
    return person.head_xyxy if person.head_xyxy is not None else head_from_body(person.box_xyxy)


def distance_in_heads(a: Point, b: Point, unit_px: float) -> float:
    """Distance of two points in head heights."""
    return hypot(a[0] - b[0], a[1] - b[1]) / max(unit_px, 1e-9)


def alike(height_px: float, other_px: float) -> bool:
    """Whether two heads may be one by their size."""
    return 0.6 <= (height_px + 1e-9) / (other_px + 1e-9) <= 1.67
