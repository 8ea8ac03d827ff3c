"""One followed person: the filters of head and body, and when each was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from models.structures import PersonObservation
from rules.geometry import Box, Point, center
from rules.motion import BoxFilter, correct_all, predict_all, spreads_of
from rules.proportions import HEADS_PER_STATURE, body_from_head, head_from_body

#: Standard deviations of detections, in head heights: a head's box, and a body's.
_HEAD_NOISE = 0.08
_BODY_NOISE = 0.35
#: A body box that was seen longer ago gives way to the estimate from the head.
_BODY_MEMORY_S = 1.0


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
    #: time in which frames came and this person was not in them; and what it was until the latest sighting
    unseen_s: float = 0.0
    unseen_before_s: float = 0.0
    is_confirmed: bool = False
    last_point: Point = (0.0, 0.0)

    @property
    def is_seen(self) -> bool:
        """Whether the latest frame shows this person."""
        return self.unseen_s == 0

    @property
    def unit_px(self) -> float:
        """One head height in pixels."""
        return (self.head or self.known).unit_px

    @property
    def head_box(self) -> Box:
        """The head as it is believed to be now."""
        return self.head.box if self.head is not None else head_from_body(self.known.box)

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
        return (self.head or self.known).speed

    def ahead(self, dt_s: float) -> Point:
        """The middle of the head ``dt_s`` seconds from now, if the person goes on like this."""
        if self.head is not None:
            return self.head.ahead(dt_s)
        x, y = center(self.head_box)
        dx, dy = self.known.velocity[:2].tolist()
        return x + dt_s * dx, y + dt_s * dy

    @property
    def known(self) -> BoxFilter:
        """The filter of the body, or where there is none of the head."""
        part = self.body or self.head
        if part is None:
            raise ValueError("a followed person has been seen by head or by body")
        return part


def predict_people(people: Sequence[FollowedPerson], dt_s: float, *, stop: bool) -> None:
    """Move everybody on by ``dt_s``; with ``stop`` the velocities are forgotten first."""
    filters = [part for followed in people for part in (followed.head, followed.body) if part is not None]
    predict_all(filters, dt_s, stop=stop)


def see_people(sightings: Sequence[tuple[FollowedPerson, PersonObservation]], t: float) -> None:
    """Give each followed person its sighting at ``t``."""
    filters: list[BoxFilter] = []
    boxes: list[Box] = []
    for followed, person in sightings:
        if person.head_xyxy is not None:
            if followed.head is None:
                followed.head = BoxFilter(person.head_xyxy, units_high=1.0, noise=_HEAD_NOISE)
            else:
                filters.append(followed.head)
                boxes.append(person.head_xyxy)
        if not person.box_is_estimated:
            if followed.body is None:
                followed.body = BoxFilter(person.box_xyxy, units_high=HEADS_PER_STATURE, noise=_BODY_NOISE)
            else:
                filters.append(followed.body)
                boxes.append(person.box_xyxy)
            followed.body_seen_t = t
    correct_all(filters, boxes)
    for followed, person in sightings:
        followed.observation, followed.last_seen_t = person, t
        followed.unseen_before_s, followed.unseen_s = followed.unseen_s, 0.0
        followed.last_point = center(followed.head_box)


def seen_head(person: PersonObservation) -> Box:
    """The head of an observation, or where the head of its body must be."""
    return person.head_xyxy if person.head_xyxy is not None else head_from_body(person.box_xyxy)


def distance_in_heads(a: Point, b: Point, unit_px: float) -> float:
    """Distance of two points in head heights."""
    return hypot(a[0] - b[0], a[1] - b[1]) / max(unit_px, 1e-9)


def alike(height_px: float, other_px: float) -> bool:
    """Whether two heads may be one by their size."""
    return 0.6 <= (height_px + 1e-9) / (other_px + 1e-9) <= 1.67


def head_spreads(people: Sequence[FollowedPerson]) -> NDArray[np.float64]:
    """Variances (N, 4) of the next head boxes; wide where the head is only known from the body."""
    spreads = spreads_of([followed.head or followed.known for followed in people])
    for row, followed in enumerate(people):
        if followed.head is None:
            spreads[row, 2:] = (0.3 * followed.unit_px) ** 2
            spreads[row] += (0.5 * followed.unit_px) ** 2
    return spreads


def body_spreads(people: Sequence[FollowedPerson]) -> NDArray[np.float64]:
    """Variances (N, 4) of the next body boxes; much wider where only the head is known."""
    spreads = spreads_of([followed.body or followed.known for followed in people])
    for row, followed in enumerate(people):
        if followed.body is None:
            spreads[row] *= 60
    return spreads
