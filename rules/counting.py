"""Adding the persons of each frame to the compliance counts."""

from collections.abc import Iterable, Sequence

from models.structures import Gear, GearState
from rules.compliance import ComplianceCounter
from rules.dwell import Moment, patience_s
from rules.episodes import Key
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
    asking: dict[tuple[str | None, Gear], list[Key]] = {}
    for index, rule in active:
        for place in rule.places:
            for gear in rule.require:
                for zone in dict.fromkeys((None, place)):
                    asking.setdefault((zone, gear), []).append((index, place))
    for (zone, gear), keys in asking.items():
        counter.begin(zone, gear, shifts.period_since(keys[0][0]))
    patience = patience_s(moment, tuning)
    for person in people:
        followed = person.followed
        if not followed.is_confirmed or person.is_static or followed.unseen_s > patience:
            continue
        seconds = moment.interval_s if moment.is_outage else moment.passed_s + person.unseen_before_s
        for (zone, gear), keys in asking.items():
            if any(person.is_in(place) for _, place in keys):
                belief = person.beliefs.get(gear)
                state = GearState.UNKNOWN if belief is None else belief.state()
                counter.add(
                    zone,
                    gear,
                    now=state,
                    seconds=seconds if person.is_seen else 0.0,
                    seconds_state=GearState.UNKNOWN if person.unseen_before_s > patience else state,
                )
