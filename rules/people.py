"""Everybody whom one camera follows: from the steps of the tracker to persons with places and beliefs."""

from rules.demands import Demands
from rules.dwell import Moment
from rules.evidence import GearBelief, left_after
from rules.following import FollowedPerson
from rules.person import Person
from rules.stillness import Stillness, StillPlaces
from rules.tracker import Step
from rules.tuning import Tuning


class People:
    """The persons of one camera by the id of their track, and the places of things that proved to be none."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._still_places = StillPlaces(tuning)
        self.by_id: dict[int, Person] = {}

    @property
    def still(self) -> list[Stillness]:
        """What keeps still, remembered or followed now, for the export."""
        return [*self._still_places.places, *(person.still for person in self.by_id.values())]

    def remember_still(self, places: list[Stillness]) -> None:
        """Take what was exported."""
        self._still_places.places = places

    def clear(self) -> None:
        """Give everybody up."""
        for person in self.by_id.values():
            self._still_places.remember(person.still)
        self.by_id.clear()

    def take(self, step: Step, moment: Moment) -> list[Person]:
        """Take what a frame did to the tracks; returns those who are seen in it."""
        for followed in step.ended:
            person = self.by_id.pop(followed.track_id, None)
            if person is not None:
                self._still_places.remember(person.still)
        seen = [self._seen(followed, moment.t) for followed in step.seen]
        for pair in step.met:
            for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
                person = self.by_id.get(one.track_id)
                if person is None:
                    continue
                person.met[other.track_id] = moment.t
                if pair.is_doubtful:
                    for belief in person.beliefs.values():
                        belief.doubt()
        return seen

    def believe(self, moment: Moment, demands: Demands) -> None:
        """Let evidence fade, and take the looks at those of whom a rule asks something where they are."""
        t = moment.t
        left = left_after(moment.passed_s, moment.interval_s, self._tuning)
        for person in self.by_id.values():
            beliefs, followed = person.beliefs, person.followed
            for belief in beliefs.values():
                belief.fade(left)
            if followed.unseen_s > 0 or person.is_static:
                continue
            looks = followed.observation.gear
            for gear in demands.gear_at(person.places):
                look = looks.get(gear)
                if look is not None:
                    held = beliefs.get(gear)
                    if held is None:
                        held = beliefs[gear] = GearBelief(self._tuning)
                    held.look(t, look)

    def _seen(self, followed: FollowedPerson, t: float) -> Person:
        person = self.by_id.get(followed.track_id)
        has_body = not followed.observation.box_is_estimated
        if person is None:
            still = self._still_places.recall(followed.last_point, followed.unit_px, t)
            still = still or Stillness.of(followed.last_point, followed.unit_px, t)
            person = self.by_id[followed.track_id] = Person(followed, still)
        person.still.update(followed.last_point, followed.unit_px, t, has_body=has_body, tuning=self._tuning)
        person.is_static = person.still.is_static(self._tuning)
        return person
