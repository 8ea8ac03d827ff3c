"""What the rules that hold now ask for, and where."""

from collections.abc import Sequence

from models.structures import Gear
from rules.compliance import Place
from rules.rule import Rule


class Demands:
    """The ``rules`` of one camera that are active: positions among them.

    Answers are worked out once for each set of places: those are few, persons are many. ``gears``: all that some rule
    asks for, in the order of ``Gear``. ``first_rule``: the counts to keep by zone and gear, each with the first rule
    that asks for it.
    """

    def __init__(self, rules: Sequence[Rule], active: Sequence[int]) -> None:
        self.active = tuple(active)
        self._rules = [rules[index] for index in self.active]
        self.gears = _in_order({gear for rule in self._rules for gear in rule.require})
        self.first_rule: dict[Place, int] = {}
        self._places_of: dict[Place, list[str | None]] = {}
        for index, rule in zip(self.active, self._rules, strict=True):
            for place in rule.places:
                for gear in rule.require:
                    for zone in dict.fromkeys((None, place)):
                        self.first_rule.setdefault((zone, gear), index)
                        self._places_of.setdefault((zone, gear), []).append(place)
        self._gear_at: dict[frozenset[str | None], tuple[Gear, ...]] = {}
        self._sums_at: dict[frozenset[str | None], tuple[Place, ...]] = {}

    def gear_at(self, places: frozenset[str | None]) -> tuple[Gear, ...]:
        """The gear that rules ask of somebody who is in ``places``, in the order of ``Gear``."""
        found = self._gear_at.get(places)
        if found is None:
            here = [rule for rule in self._rules if not places.isdisjoint(rule.places)]
            found = self._gear_at[places] = _in_order({gear for rule in here for gear in rule.require})
        return found

    def sums_at(self, places: frozenset[str | None]) -> tuple[Place, ...]:
        """The counts to which somebody who is in ``places`` belongs, in the order of the rules."""
        found = self._sums_at.get(places)
        if found is None:
            found = self._sums_at[places] = tuple(
                sums for sums, asking in self._places_of.items() if not places.isdisjoint(asking)
            )
        return found


def _in_order(gears: set[Gear]) -> tuple[Gear, ...]:
    return tuple(gear for gear in Gear if gear in gears)
