"""Small places where a rule was wrong again and again: what has stood still there all along is held back (ADR 0088)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from rules.geometry import Box, area, overlap
from rules.person import Person
from rules.stillness import Stillness
from rules.tuning import Tuning


@dataclass(frozen=True, slots=True)
class SuppressionArea:
    """One head's box in the picture of one camera, where one rule opens no episode until ``expires_at``.

    - ``rule``: its name; other rules are not held back.
    - ``head_xyxy``: relative to the picture, 0 to 1.
    - ``expires_at``: UTC epoch seconds.

    Raises ``ValueError`` for a box without area, or numbers that are not finite.
    """

    area_id: str
    rule: str
    head_xyxy: Box
    expires_at: float

    def __post_init__(self) -> None:
        if not all(map(isfinite, (*self.head_xyxy, self.expires_at))) or area(self.head_xyxy) <= 0:
            raise ValueError(f"area {self.area_id}: needs a box with area and an end")


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1; the same in pixels and relative to the picture."""
    shared = overlap(a, b)
    both = area(a) + area(b) - shared
    return shared / both if both > 0 else 0.0


class Areas:
    """The suppression areas of one camera.

    A person is held back who is without the rule's gear, whose head fills the area now (IoU of ``area_iou`` at least),
    and who has kept as still as a thing (``static_sway``) since first seen. Whoever came from elsewhere, and whoever
    moves, is not. It costs nothing while there are no areas.
    """

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._areas: tuple[SuppressionArea, ...] = ()

    @property
    def all(self) -> tuple[SuppressionArea, ...]:
        """Those that were set, expired ones too."""
        return self._areas

    def set(self, areas: Iterable[SuppressionArea]) -> None:
        """Go by these from now on. Who is followed already, and was not watched for it, is not held back."""
        self._areas = tuple(areas)

    def watch(self, seen: Sequence[Person], t: float) -> None:
        """Note how still those are who are seen in a frame at ``t``."""
        if not self._areas:
            return
        for person in seen:
            followed = person.followed
            if person.rest is None:
                if followed.first_seen_t == t:
                    person.rest = Stillness.of(followed.last_point, followed.unit_px, t)
            else:
                person.rest.update(
                    followed.last_point, followed.unit_px, t, has_body=False, tuning=self._tuning
                )

    def holding(
        self, rule: str, person: Person, *, at: float, image_hw: tuple[int, int]
    ) -> SuppressionArea | None:
        """The area that holds this person's episode back at ``at`` (UTC epoch seconds), if any."""
        if not self._areas or not self._is_at_rest(person):
            return None
        height, width = image_hw
        x1, y1, x2, y2 = person.followed.head_box
        head = (x1 / width, y1 / height, x2 / width, y2 / height)
        return next(
            (
                place
                for place in self._areas
                if place.rule == rule
                and at < place.expires_at
                and iou(place.head_xyxy, head) >= self._tuning.area_iou
            ),
            None,
        )

    @staticmethod
    def _is_at_rest(person: Person) -> bool:
        rest = person.rest
        # a move starts it over, so it began with the track or there was a move since
        return rest is not None and rest.since_t <= person.followed.first_seen_t
