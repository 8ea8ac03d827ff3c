"""Closed episodes hold back new ones near their places for a while (ADR 0014)."""

from collections.abc import Iterable
from dataclasses import dataclass

from rules.episodes import Episode, Key
from rules.following import distance_in_heads
from rules.geometry import Point
from rules.person import Person
from rules.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed episode while it cools down, until ``until_t`` on the camera's timeline."""

    violation_id: str
    key: Key
    owner: int
    point: Point
    unit_px: float
    until_t: float


class Cooldowns:
    """The closed episodes of one camera that are cooling down."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self.closed: list[Closed] = []

    def add(self, episode: Episode, t: float) -> None:
        """An episode has closed at ``t``."""
        if episode.rule.cooldown_s > 0:
            self.closed.append(_closed(episode, t + episode.rule.cooldown_s))

    def holding(
        self, key: Key, person: Person, *, t: float, is_per_zone: bool, open_episodes: Iterable[Episode]
    ) -> Closed | None:
        """What holds a new episode of this person back, if anything.

        A closed one near the same place, or of the same track, or anywhere in the zone for a rule that alerts per zone;
        and an open one whose person has been gone for too long to be inherited.
        """
        self.closed = [entry for entry in self.closed if entry.until_t > t]
        gone = [
            _closed(episode, float("inf"))
            for episode in open_episodes
            if episode.unseen_s > self._tuning.lost_s and not episode.is_silent
        ]
        for entry in (*self.closed, *gone):
            if entry.key != key:
                continue
            away = distance_in_heads(person.followed.last_point, entry.point, entry.unit_px)
            if is_per_zone or entry.owner == person.track_id or away <= self._tuning.cooldown_near:
                return entry
        return None


def _closed(episode: Episode, until_t: float) -> Closed:
    return Closed(episode.violation_id, episode.key, episode.owner, episode.point, episode.unit_px, until_t)
