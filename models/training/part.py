"""Learning from a part of the data: quick, and enough to see whether a command still does what it did.

The part is the same on every machine and in every run.
"""

import argparse
import hashlib
from typing import Final

from models.errors import TrainingError

_STEPS: Final = 10_000


def checked_part(part: float) -> float:
    """``part`` itself. Raises ``TrainingError`` unless it is above 0 and at most 1."""
    if not 0 < part <= 1:
        raise TrainingError(f"part must be above 0 and at most 1, not {part}")
    return part


def is_in_part(name: str, part: float) -> bool:
    """Whether what is called ``name`` (a group of pictures, an example) belongs to the ``part`` (0 to 1) of all.

    A larger part holds every smaller one.
    """
    number = int(hashlib.sha256(f"part of {name}".encode()).hexdigest(), 16)
    return number % _STEPS < part * _STEPS


def part_of_rounds(rounds: int, part: float) -> int:
    """So many rounds for the ``part`` of the data, at least one."""
    return max(1, round(rounds * part))


def add_part_argument(parser: argparse.ArgumentParser) -> None:
    """The option that both trainings take."""
    parser.add_argument(
        "--part",
        type=float,
        default=1.0,
        metavar="P",
        help="learn from this part of the pictures only, in as much fewer rounds; 0.1 shows soon what a run is like",
    )
