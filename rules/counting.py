"""Adding the persons of each frame to the compliance counts."""

from collections.abc import Iterable

from models.structures import GearState
from rules.compliance import ComplianceCounter
from rules.demands import Demands
from rules.dwell import Moment, patience_s
from rules.person import Person
from rules.shifts import Shifts
from rules.tuning import Tuning


def count_frame(
    counter: ComplianceCounter,
    people: Iterable[Person],
    demands: Demands,
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
    for (zone, gear), first_rule in demands.first_rule.items():
        counter.begin(zone, gear, shifts.period_since(first_rule))
    patience = patience_s(moment, tuning)
    for person in people:
        followed = person.followed
        if not followed.is_confirmed or person.is_static or followed.unseen_s > patience:
            continue
        seconds = 0.0
        if person.is_seen:
            seconds = moment.interval_s if moment.is_outage else moment.passed_s + followed.unseen_before_s
        was_hidden = followed.unseen_before_s > patience
        states = {gear: belief.state() for gear, belief in person.beliefs.items()}
        for sums in demands.sums_at(person.places):
            state = states.get(sums[1], GearState.UNKNOWN)
            counter.add(sums, state, seconds, GearState.UNKNOWN if was_hidden else state)
