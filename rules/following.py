"""One followed person: the filters of head and body, and when each was seen."""

from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from models.structures import PersonObservation
from rules.geometry import Box, Point, center
from rules.motion import BoxFilter
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


def seen_head(person: PersonObservation) -> Box:
    """The head of an observation, or where the head of its body must be."""
    return person.head_xyxy if person.head_xyxy is not None else head_from_body(person.box_xyxy)


def distance_in_heads(a: Point, b: Point, unit_px: float) -> float:
    """Distance of two points in head heights."""
    return hypot(a[0] - b[0], a[1] - b[1]) / max(unit_px, 1e-9)


def alike(height_px: float, other_px: float) -> bool:
    """Whether two heads may be one by their size."""
    return 0.6 <= (height_px + 1e-9) / (other_px + 1e-9) <= 1.67


def head_spread(followed: FollowedPerson) -> NDArray[np.float64]:
    """Variances (4,) of the next head box; wide where the head is only known from the body."""
    if followed.head is not None:
        return followed.head.spread()
    if followed.body is None:
        raise ValueError("a followed person has been seen by head or by body")
    spread = followed.body.spread().copy()
    spread[2:] = (0.3 * followed.unit_px) ** 2
    return spread + (0.5 * followed.unit_px) ** 2


def _corrected(part: BoxFilter | None, box: Box, *, units_high: float, noise: float) -> BoxFilter:
    if part is None:
        return BoxFilter(box, units_high=units_high, noise=noise)
    part.correct(box)
    return part
