"""What the engine keeps of one followed person."""

from dataclasses import dataclass, field
from typing import Final

from models.structures import Gear
from rules.dwell import DwellClock
from rules.episodes import Key
from rules.evidence import GearBelief
from rules.following import FollowedPerson
from rules.presence import Presence
from rules.stillness import Stillness

#: Where somebody is who is in no zone: in the picture.
EVERYWHERE: Final[frozenset[str | None]] = frozenset((None,))


@dataclass(eq=False, slots=True)
class Person:
    """A followed person with beliefs on gear, presence in zones and the dwell clocks of the rules.

    ``met`` holds the tracks that this one met, and when. ``places`` are the zones the person is in, and None: the whole
    picture. ``posts`` is the place where the person is for each rule that has several.
    ``is_static``: no person after all. ``rest``: how still it has been, for
    ``rules.areas``.
    """

    followed: FollowedPerson
    still: Stillness
    beliefs: dict[Gear, GearBelief] = field(default_factory=dict)
    presences: dict[str, Presence] = field(default_factory=dict)
    clocks: dict[Key, DwellClock] = field(default_factory=dict)
    met: dict[int, float] = field(default_factory=dict)
    places: frozenset[str | None] = EVERYWHERE
    posts: dict[int, str | None] = field(default_factory=dict)
    is_static: bool = False
    rest: Stillness | None = None

    @property
    def track_id(self) -> int:
        """The id of the track."""
        return self.followed.track_id

    @property
    def is_seen(self) -> bool:
        """Whether the latest frame shows this person."""
        return self.followed.unseen_s == 0

    def is_in(self, place: str | None) -> bool:
        """Whether the person is in a zone; None is the whole picture."""
        return place in self.places

    def settle(self) -> None:
        """Find ``places``, once a presence has changed."""
        self.places = EVERYWHERE.union(
            name for name, presence in self.presences.items() if presence.is_inside
        )

    def take_post(self, rule: int, places: tuple[str | None, ...]) -> None:
        """Find the one of several places of a rule where the person is: the one before while it lasts, else the first.

        So zones of one rule that overlap do not alarm twice.
        """
        if rule in self.posts and self.posts[rule] in self.places:
            return
        self.posts.pop(rule, None)
        for place in places:
            if self.is_in(place):
                self.posts[rule] = place
                return

    def is_posted(self, rule: int, place: str | None) -> bool:
        """Whether this is the place of the rule where the person is; a rule with one place has no other."""
        return place in self.places and self.posts.get(rule, place) == place

    def is_clearly_in(self, place: str | None) -> bool:
        """Whether the person is in a zone, and not just about to have left it."""
        presence = None if place is None else self.presences.get(place)
        return place is None or (presence is not None and presence.is_clearly_inside)

    def outside_since(self, place: str | None) -> float | None:
        """Since when the person is outside a zone, as far as known."""
        presence = None if place is None else self.presences.get(place)
        return None if presence is None else presence.outside_since
