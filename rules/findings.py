"""What was found of the gear of an episode's person: numbers and words that are made up when somebody asks for them.

An open episode takes the latest findings with every frame, and is told a few times in its life.
"""

from collections.abc import Mapping
from typing import Final, Self

from models.structures import Gear
from rules.evidence import Reading
from rules.violations import GearVerdict


class Findings:
    """The verdicts of one frame on the gear that a rule requires of one person.

    - ``readings``: of that gear. ``missing``: what of it is missing; where nothing is, there is no ``score``.
    """

    __slots__ = ("_evidence", "_missing", "_readings", "_score")

    def __init__(self, readings: Mapping[Gear, Reading], missing: tuple[Gear, ...]) -> None:
        self._readings = readings
        self._missing = missing
        self._evidence: dict[Gear, GearVerdict] | None = None
        self._score: float | None = None

    @classmethod
    def told(cls, evidence: dict[Gear, GearVerdict], score: float) -> Self:
        """Findings that were put into numbers and words before."""
        findings = cls({}, ())
        findings._evidence, findings._score = evidence, score
        return findings

    @property
    def evidence(self) -> dict[Gear, GearVerdict]:
        """The verdict on each gear."""
        if self._evidence is None:
            self._evidence = {gear: reading.verdict() for gear, reading in self._readings.items()}
        return self._evidence

    @property
    def score(self) -> float:
        """How probable it is that the surest of what is missing is missing, 0 to 1."""
        if self._score is None:
            self._score = max(self.evidence[gear].score for gear in self._missing)
        return self._score


#: Of somebody from whom nothing is missing.
NOTHING: Final = Findings({}, ())
