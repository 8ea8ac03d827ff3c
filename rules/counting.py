"""Adding the persons of each frame to the compliance counts."""

from collections.abc import Iterable

from models.structures import Gear, GearState
from rules.compliance import ComplianceCounter
from rules.demands import Demands
from rules.dwell import Moment, patience_s
from rules.person import Person
from rules.shifts import Shifts
from rules.tuning import Tuning

#: What makes persons count alike: places, states by gear, seconds since last seen, and whether nobody could tell.
_Alike = tuple[frozenset[str | None], tuple[tuple[Gear, GearState], ...], float, bool]


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
    alike: dict[_Alike, int] = {}
    for person in people:
        followed = person.followed
        if not followed.is_confirmed or person.is_static or followed.unseen_s > patience:
            continue
        seconds, hidden_s = 0.0, followed.unseen_before_s
        if followed.unseen_s == 0:
            seconds = moment.interval_s if moment.is_outage else moment.passed_s + hidden_s
        states = tuple([(gear, belief.state()) for gear, belief in person.beliefs.items()])
        one = (person.places, states, seconds, hidden_s > patience)
        alike[one] = alike.get(one, 0) + 1
    for (places, states, seconds, was_hidden), many in alike.items():
        for place in demands.sums_at(places):
            state = dict(states).get(place[1], GearState.UNKNOWN)
            counter.add(place, state, seconds, GearState.UNKNOWN if was_hidden else state, many)
