"""What one rule says of one person at one moment."""

from collections.abc import Mapping
from typing import NamedTuple

from models.structures import Gear, GearState, PersonObservation
from rules.evidence import GearBelief
from rules.findings import NOTHING, Findings
from rules.person import Person
from rules.rule import Rule


class Ruling(NamedTuple):
    """The verdict of a rule, and what the latest look did to it.

    - ``verdict``: MISSING when any required gear is (INCORRECT counts, unless allowed), WORN when all are worn, else
      UNKNOWN.
    - ``missing``: that gear, in the order of the rule.
    - ``looked``: the latest frame holds a look that counts. ``supports``: it says that something is missing, for a
      MISSING verdict something of ``missing``.
    - ``is_run``: looks against the gear outweigh those for it since some moment.
    - ``worn_since``: the first look of the run that made the verdict WORN.
    - ``findings``: of a MISSING verdict, what is known of all that is required; ``NOTHING`` of another.
    """

    verdict: GearState
    missing: tuple[Gear, ...]
    looked: bool
    supports: bool
    is_run: bool
    worn_since: float | None
    findings: Findings


def rule_on(rule: Rule, beliefs: Mapping[Gear, GearBelief], observation: PersonObservation | None) -> Ruling:
    """Judge a person by what is believed and by the latest look; ``observation`` None: not in the latest frame."""
    missing: list[Gear] = []
    all_worn, is_run, looked = True, False, False
    # a look says that something is missing; that something is which is missing
    is_against = supports = False
    worn_since: float | None = None
    allow_incorrect = rule.allow_incorrect
    for gear in rule.require:
        says_missing = False
        evidence = None if observation is None else observation.gear.get(gear)
        if evidence is not None and evidence.quality > 0:
            looked = True
            probability = evidence.score + (evidence.incorrect_score if allow_incorrect else 0.0)
            if probability < 0.5:
                says_missing = is_against = True
        belief = beliefs.get(gear)
        if belief is None:
            all_worn = False
            continue
        balance = belief.present if allow_incorrect else belief.proper
        if balance.holds is not True:
            all_worn = False
            if balance.holds is False:
                missing.append(gear)
                supports = supports or says_missing
        if balance.false_since is not None:
            is_run = True
        since = balance.true_since
        if since is not None and (worn_since is None or since > worn_since):
            worn_since = since
    findings = NOTHING
    if missing:
        readings = {gear: beliefs[gear].reading() for gear in rule.require if gear in beliefs}
        findings = Findings(readings, tuple(missing))
    return Ruling(
        GearState.MISSING if missing else GearState.WORN if all_worn else GearState.UNKNOWN,
        tuple(missing),
        looked,
        supports if missing else is_against,
        is_run,
        worn_since,
        findings,
    )


def is_run(rule: Rule, beliefs: Mapping[Gear, GearBelief]) -> bool:
    """``Ruling.is_run`` alone."""
    for gear in rule.require:
        belief = beliefs.get(gear)
        if belief is not None:
            balance = belief.present if rule.allow_incorrect else belief.proper
            if balance.false_since is not None:
                return True
    return False


class Rulings(dict[int, Ruling]):
    """What a rule says of each of ``people`` by track, worked out when it is asked for: of most nobody does.

    ``suspects``: those of whom a clock runs, or against whose gear the looks speak.
    """

    def __init__(self, rule: Rule, people: Mapping[int, Person]) -> None:
        super().__init__()
        self._rule = rule
        self._people = people
        self.suspects = [
            people[track_id]
            for track_id in sorted(people)
            if people[track_id].clocks or is_run(rule, people[track_id].beliefs)
        ]

    def is_missing(self, track_id: int) -> bool:
        """Whether somebody is there whose gear is missing."""
        return track_id in self._people and self[track_id].verdict is GearState.MISSING

    def __missing__(self, track_id: int) -> Ruling:
        person = self._people[track_id]
        observation = person.followed.observation if person.is_seen else None
        ruling = self[track_id] = rule_on(self._rule, person.beliefs, observation)
        return ruling
