"""What one rule says of one person at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.structures import Gear, GearState, PersonObservation
from rules.evidence import GearBelief
from rules.rule import Rule
from rules.violations import GearVerdict


@dataclass(frozen=True, slots=True)
class Ruling:
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
    balances = {
        gear: beliefs[gear].balance(allow_incorrect=rule.allow_incorrect)
        for gear in rule.require
        if gear in beliefs
    }
    missing = tuple(gear for gear, balance in balances.items() if balance.holds is False)
    all_worn = len(balances) == len(rule.require) and all(
        balance.holds is True for balance in balances.values()
    )
    looked, against = _latest_look(rule, observation)
    supports = any(gear in missing for gear in against) if missing else bool(against)
    starts = [balance.true_since for balance in balances.values() if balance.true_since is not None]
    return Ruling(
        verdict=GearState.MISSING if missing else GearState.WORN if all_worn else GearState.UNKNOWN,
        missing=missing,
        looked=looked,
        supports=supports,
        is_run=any(balance.false_since is not None for balance in balances.values()),
        worn_since=max(starts) if starts else None,
    )


def verdicts(rule: Rule, beliefs: Mapping[Gear, GearBelief]) -> dict[Gear, GearVerdict]:
    """What is known of the gear that the rule requires."""
    return {gear: beliefs[gear].verdict() for gear in rule.require if gear in beliefs}


def _latest_look(rule: Rule, observation: PersonObservation | None) -> tuple[bool, tuple[Gear, ...]]:
    if observation is None:
        return False, ()
    looked = False
    against = []
    for gear in rule.require:
        evidence = observation.gear.get(gear)
        if evidence is None or evidence.quality <= 0:
            continue
        looked = True
        probability = evidence.score + (evidence.incorrect_score if rule.allow_incorrect else 0.0)
        if probability < 0.5:
            against.append(gear)
    return looked, tuple(against)
