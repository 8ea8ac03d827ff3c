"""Adding the persons of each frame to the compliance counts."""

from collections.abc import Iterable, Sequence

from models.structures import Gear, GearState
from rules.compliance import ComplianceCounter
from rules.dwell import Moment, patience_s
from rules.person import Person
from rules.rule import Rule
from rules.shifts import Shifts
from rules.tuning import Tuning


def count_frame(
    counter: ComplianceCounter,
    people: Iterable[Person],
    active: Sequence[tuple[int, Rule]],
    *,
    shifts: Shifts,
    moment: Moment,
    tuning: Tuning,
) -> None:
    """Add a frame: who is there now, and the seconds since each was last seen.

    Counted are confirmed persons where an active rule asks for gear; time in which a person was hidden is UNKNOWN, time
    in which no frames came is nobody's.
    """
    counter.clear_now()
    asking = _asking(active)
    for (zone, gear), (first_rule, _) in asking.items():
        counter.begin(zone, gear, shifts.period_since(first_rule))
    patience = patience_s(moment, tuning)
    # few sets of places, many persons
    asked: dict[frozenset[str | None], list[tuple[str | None, Gear]]] = {}
    for person in people:
        followed = person.followed
        if not followed.is_confirmed or person.is_static or followed.unseen_s > patience:
            continue
        seconds = 0.0
        if person.is_seen:
            seconds = moment.interval_s if moment.is_outage else moment.passed_s + person.unseen_before_s
        was_hidden = person.unseen_before_s > patience
        states = {gear: belief.state() for gear, belief in person.beliefs.items()}
        if person.places not in asked:
            asked[person.places] = [
                sums for sums, (_, places) in asking.items() if not person.places.isdisjoint(places)
            ]
        for zone, gear in asked[person.places]:
            state = states.get(gear, GearState.UNKNOWN)
            counter.add(zone, gear, state, seconds, GearState.UNKNOWN if was_hidden else state)


def _asking(
    active: Sequence[tuple[int, Rule]],
) -> dict[tuple[str | None, Gear], tuple[int, list[str | None]]]:
    """By zone and gear: the first rule that asks for it, and all places where one does."""
    asking: dict[tuple[str | None, Gear], tuple[int, list[str | None]]] = {}
    for index, rule in active:
        for place in rule.places:
            for gear in rule.require:
                for zone in dict.fromkeys((None, place)):
                    asking.setdefault((zone, gear), (index, []))[1].append(place)
    return asking
