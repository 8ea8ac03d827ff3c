"""Person-seconds by camera, zone, gear and quarter of an hour, as values."""

from dataclasses import dataclass
from typing import Final

#: Length of a bucket. Every time zone is a multiple of it away from UTC, and shifts begin on it.
BUCKET_S: Final = 900


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Of what a bucket tells: one gear in one zone of a camera; ``zone`` empty: the camera as a whole."""

    camera: str
    zone: str
    gear: str


@dataclass(frozen=True, slots=True)
class PersonSeconds:
    """Person-seconds in which gear was worn, missing, worn incorrectly, and in which nobody could tell."""

    worn_s: float = 0.0
    missing_s: float = 0.0
    incorrect_s: float = 0.0
    unknown_s: float = 0.0

    def __add__(self, other: "PersonSeconds") -> "PersonSeconds":
        return PersonSeconds(
            self.worn_s + other.worn_s,
            self.missing_s + other.missing_s,
            self.incorrect_s + other.incorrect_s,
            self.unknown_s + other.unknown_s,
        )

    def __sub__(self, other: "PersonSeconds") -> "PersonSeconds":
        return PersonSeconds(
            self.worn_s - other.worn_s,
            self.missing_s - other.missing_s,
            self.incorrect_s - other.incorrect_s,
            self.unknown_s - other.unknown_s,
        )

    @property
    def observable_s(self) -> float:
        """Person-seconds in which it could be told."""
        return self.worn_s + self.missing_s + self.incorrect_s

    @property
    def total_s(self) -> float:
        """All person-seconds."""
        return self.observable_s + self.unknown_s

    @property
    def worn_share(self) -> float | None:
        """Part of the observable time in which it was worn. Never show it without ``unknown_share``."""
        return self.worn_s / self.observable_s if self.observable_s > 0 else None

    @property
    def unknown_share(self) -> float | None:
        """Part of all person-seconds in which nobody could tell."""
        return self.unknown_s / self.total_s if self.total_s > 0 else None

    @property
    def is_nothing(self) -> bool:
        """Whether nobody was there."""
        return self.total_s <= 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """The person-seconds of a place in the quarter of an hour that begins at ``starts_at``, UTC epoch seconds."""

    starts_at: int
    place: Place
    seconds: PersonSeconds


def bucket_start(at: float) -> int:
    """The start of the bucket that holds ``at`` (UTC epoch seconds)."""
    return int(at // BUCKET_S) * BUCKET_S
