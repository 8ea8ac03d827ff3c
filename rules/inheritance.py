"""Who goes on with an open episode whose person is gone, or who changed places with another (ADR 0014)."""

from collections.abc import Callable, Mapping

from rules.episodes import Episode
from rules.following import alike, distance_in_heads
from rules.geometry import Point
from rules.person import Person
from rules.tuning import Tuning

#: Where somebody who is gone must be is not predicted further ahead than this.
_AHEAD_S = 2.0


def heir_of(
    person: Person,
    open_episodes: Mapping[int, Episode],
    *,
    t: float,
    image_hw: tuple[int, int],
    is_still_missing: Callable[[int], bool],
    tuning: Tuning,
) -> tuple[Episode, str] | None:
    """The open episode of a rule and place, by owner, that this person, who has none there and whose gear is missing,
    goes on with, and why.

    Either its track met this one a short while ago and now has its gear, or is gone; or its person
    is gone and this one began where it must be. The nearest is taken.
    """
    found: list[tuple[float, int, Episode, str]] = []
    for owner, episode in open_episodes.items():
        if owner == person.track_id:
            continue
        met = person.met.get(owner)
        if met is not None and t - met <= tuning.swap_s and not is_still_missing(owner):
            found.append((_away(episode, person, t), owner, episode, "they met and changed places"))
        elif may_be(episode, person, t=t, image_hw=image_hw, tuning=tuning):
            found.append((_away(episode, person, t), owner, episode, "it began where the other was lost"))
    if not found:
        return None
    _, _, episode, why = min(found, key=lambda entry: entry[:2])
    return episode, why


def may_be(episode: Episode, person: Person, *, t: float, image_hw: tuple[int, int], tuning: Tuning) -> bool:
    """Whether a person may be the one of an episode who is not seen: began since, near, and as large."""
    followed = person.followed
    if episode.unseen_s <= 0 or followed.first_seen_t <= episode.last_seen_t:
        return False
    if episode.unseen_s - (t - followed.first_seen_t) > tuning.inherit_s:
        return False
    x, y = _expected(episode, t)
    if not (0 <= x <= image_hw[1] and 0 <= y <= image_hw[0]):
        return False
    reach = tuning.near + tuning.max_speed / 2 * min(t - episode.last_seen_t, _AHEAD_S)
    return _away(episode, person, t) <= reach and alike(followed.unit_px, episode.unit_px)


def _expected(episode: Episode, t: float) -> Point:
    """Where the person of an episode must be by now, going on as last seen."""
    ahead_s = min(t - episode.last_seen_t, _AHEAD_S)
    return episode.point[0] + ahead_s * episode.heading[0], episode.point[1] + ahead_s * episode.heading[1]


def _away(episode: Episode, person: Person, t: float) -> float:
    """Distance in head heights of a person from where the episode's was last seen, or must be by now."""
    followed = person.followed
    return min(
        distance_in_heads(followed.last_point, point, episode.unit_px)
        for point in (episode.point, _expected(episode, t))
    )
