"""What one rule says of one person at one moment."""

from collections.abc import Mapping
from typing import NamedTuple

from models.structures import Gear, GearState, PersonObservation
from rules.evidence import GearBelief
from rules.rule import Rule
from rules.violations import GearVerdict


class Ruling(NamedTuple):
    """The verdict of a rule, and what the latest look did to it.

    - ``verdict``: MISSING when any required gear is (INCORRECT counts, unless allowed), WORN when all are worn, else
      UNKNOWN.
    - ``missing``: that gear, in the order of the rule.
    - ``looked``: the latest frame holds a look that counts. ``supports``: it says that something is missing, for a
      MISSING verdict something of ``missing``.
    - ``is_run``: looks against the gear outweigh those for it since some moment.
    - ``worn_since``: the first look of the run that made the verdict WORN.
    """

    verdict: GearState
    missing: tuple[Gear, ...]
    looked: bool
    supports: bool
    is_run: bool
    worn_since: float | None


def rule_on(rule: Rule, beliefs: Mapping[Gear, GearBelief], observation: PersonObservation | None) -> Ruling:
    """Judge a person by what is believed and by the latest look; ``observation`` None: not in the latest frame."""
    missing: list[Gear] = []
    against: list[Gear] = []
    all_worn, is_run, looked = True, False, False
    worn_since: float | None = None
    for gear in rule.require:
        evidence = None if observation is None else observation.gear.get(gear)
        if evidence is not None and evidence.quality > 0:
            looked = True
            probability = evidence.score + (evidence.incorrect_score if rule.allow_incorrect else 0.0)
            if probability < 0.5:
                against.append(gear)
        belief = beliefs.get(gear)
        if belief is None:
            all_worn = False
            continue
        balance = belief.balance(allow_incorrect=rule.allow_incorrect)
        if balance.holds is False:
            missing.append(gear)
        if balance.holds is not True:
            all_worn = False
        if balance.false_since is not None:
            is_run = True
        since = balance.true_since
        if since is not None and (worn_since is None or since > worn_since):
            worn_since = since
    return Ruling(
        GearState.MISSING if missing else GearState.WORN if all_worn else GearState.UNKNOWN,
        tuple(missing),
        looked,
        any(gear in missing for gear in against) if missing else bool(against),
        is_run,
        worn_since,
    )


def verdicts(rule: Rule, beliefs: Mapping[Gear, GearBelief]) -> dict[Gear, GearVerdict]:
    """What is known of the gear that the rule requires."""
    return {gear: beliefs[gear].verdict() for gear in rule.require if gear in beliefs}
