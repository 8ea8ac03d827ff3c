"""Why zones are not changed.

StreamerError
└── ZoneEditError
    ├── WrongWishError     the settings would be wrong; tells where
    ├── ConflictError      the file has changed since it was read
    ├── NotWritableError   the file cannot be written, or not with the owner that it has
    └── BusyError          somebody else's change is under way
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.errors import StreamerError


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """What is wrong, and where on the page.

    - ``zone``: the zone's name as wished; ``rule``: position among the wished rules; both None: of neither.
    - ``field``: the key in the file (``coordinates``, ``anchor``, ``name``, ``dwell`` ...), or empty.
    """

    message: str
    zone: str | None = None
    rule: int | None = None
    field: str = ""


class ZoneEditError(StreamerError):
    """Root of the errors of ``streamer.zone_editor``."""


class WrongWishError(ZoneEditError):
    """The settings would be wrong."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class ConflictError(ZoneEditError):
    """The file has changed since it was read."""


class NotWritableError(ZoneEditError):
    """The file cannot be written, or not with the owner that it has."""


class BusyError(ZoneEditError):
    """Somebody else's change is under way."""
