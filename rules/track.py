"""A person followed over time, as the rules show it to those who draw and count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from models.structures import Gear, PersonObservation
from rules.violations import GearVerdict


class TrackState(StrEnum):
    """TENTATIVE until seen often enough to be believed; LOST while it is not seen, for some seconds."""

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Track:
    """One person at the time of the latest frame.

    - ``track_id``: counts from 1 for each camera.
    - ``first_seen_at``, ``last_seen_at``: UTC epoch seconds.
    - ``observation``: the latest look, in the pixels of the frame of ``last_seen_at``.
    - ``gear``: the verdicts on the gear that rules ask of this person, here and now; empty where no rule holds.
    - ``zones``: names of the zones that the person is in, in the camera's order.
    - ``is_static``: it never moves and has no body, so it is no person.
    - ``is_relevant``: some rule holds where it is; others are drawn only for debugging.
    - ``violation_ids``: the open episodes of this person.
    """

    camera_id: str
    track_id: int
    state: TrackState
    first_seen_at: float
    last_seen_at: float
    observation: PersonObservation
    gear: Mapping[Gear, GearVerdict] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    is_static: bool = False
    is_relevant: bool = False
    violation_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "gear", MappingProxyType(dict(self.gear)))
