"""What is not a person: heads without a body that never move (ADR 0015)."""

from dataclasses import dataclass
from math import exp, hypot

from rules.geometry import Point
from rules.tuning import Tuning

#: Time constant over which the place of a head is smoothed: boxes tremble, posters do not.
_SMOOTHING_S = 1.0
#: Stillness that is worth remembering when the thing is hidden for a while.
_WORTH_S = 10.0


@dataclass(slots=True)
class Stillness:
    """For how long one head has kept still. Lengths in pixels, times in seconds of the timeline."""

    point: Point
    unit_px: float
    since_t: float
    last_t: float
    low: Point = (0.0, 0.0)
    high: Point = (0.0, 0.0)

    @classmethod
    def of(cls, point: Point, unit_px: float, t: float) -> "Stillness":
        """Begin at ``t``."""
        return cls(point, unit_px, t, t, point, point)

    def update(self, point: Point, unit_px: float, t: float, *, has_body: bool, tuning: Tuning) -> None:
        """Take the place of the head at ``t``; a body, or a move, starts it over."""
        share = 1 - exp(-max(0.0, t - self.last_t) / _SMOOTHING_S)
        (x, y), (to_x, to_y) = self.point, point
        self.point = x + share * (to_x - x), y + share * (to_y - y)
        self.last_t = t
        if has_body:
            self._begin_anew(unit_px, t)
            return
        self.low = (min(self.low[0], self.point[0]), min(self.low[1], self.point[1]))
        self.high = (max(self.high[0], self.point[0]), max(self.high[1], self.point[1]))
        sway = max(self.high[0] - self.low[0], self.high[1] - self.low[1]) / max(self.unit_px, 1e-9)
        grown = not 0.8 <= unit_px / max(self.unit_px, 1e-9) <= 1.25
        if sway > tuning.static_sway or grown:
            self._begin_anew(unit_px, t)

    def is_static(self, tuning: Tuning) -> bool:
        """Whether it is no person."""
        return self.last_t - self.since_t >= tuning.static_s

    def _begin_anew(self, unit_px: float, t: float) -> None:
        self.unit_px, self.since_t = unit_px, t
        self.low = self.high = self.point


class StillPlaces:
    """Where still things were last seen, so that one that was hidden need not prove itself again."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self.places: list[Stillness] = []

    def remember(self, still: Stillness) -> None:
        """Keep the place of a track that ends."""
        if still.last_t - still.since_t >= _WORTH_S:
            self.places.append(still)

    def recall(self, point: Point, unit_px: float, t: float) -> Stillness | None:
        """The remembered thing at this place, which is then taken from the memory."""
        memory = self._tuning.static_memory_s
        self.places = [place for place in self.places if t - place.last_t <= memory]
        for position, place in enumerate(self.places):
            away = hypot(place.point[0] - point[0], place.point[1] - point[1])
            if away <= self._tuning.static_sway * place.unit_px and 0.8 <= unit_px / place.unit_px <= 1.25:
                del self.places[position]
                return place
        return None
