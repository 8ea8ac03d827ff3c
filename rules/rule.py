"""What has to be worn, where and when, and how long until it is said."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from models.structures import Gear
from rules.schedules import Schedule


class AlertPer(StrEnum):
    """What one episode stands for: one person, or everybody in the zone, with a count."""

    PERSON = "person"
    ZONE = "zone"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it holds at one camera.

    - ``name``: unique; part of every ``violation_id``.
    - ``require``: gear that has to be worn, in the order in which it is reported.
    - ``zones``: names of the camera's zones where it holds; None among them is the whole picture, which takes in all
      the others.
    - ``dwell_s``: missing for this long before the episode opens.
    - ``clear_s``: worn, out of the zone or gone for this long before it closes.
    - ``cooldown_s``: no new episode near the same place for this long after one has closed.
    - ``update_s``: shortest time between two updates.
    - ``allow_incorrect``: a face mask that leaves nose or mouth free counts as worn.

    Raises ``ValueError`` on nothing required, no zone, or times that are negative or not finite.
    """

    name: str
    require: tuple[Gear, ...]
    zones: tuple[str | None, ...] = (None,)
    dwell_s: float = 2.0
    clear_s: float = 5.0
    cooldown_s: float = 60.0
    update_s: float = 10.0
    schedule: Schedule = field(default_factory=Schedule)
    allow_incorrect: bool = False
    alert_per: AlertPer = AlertPer.PERSON

    def __post_init__(self) -> None:
        if not self.require or len(set(self.require)) != len(self.require):
            raise ValueError(f"rule {self.name}: requires each gear once, and at least one")
        if not self.zones:
            raise ValueError(f"rule {self.name}: holds nowhere")
        for name in ("dwell_s", "clear_s", "cooldown_s", "update_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"rule {self.name}: {name} must be at least 0, got {value}")

    @property
    def places(self) -> tuple[str | None, ...]:
        """Where it holds, each once: the whole picture alone if it is among them, else the zones in order."""
        return (None,) if None in self.zones else tuple(dict.fromkeys(self.zones))
