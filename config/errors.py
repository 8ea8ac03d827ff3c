"""Errors of the settings.

Tree::

    ConfigError      everything that is wrong with one site file, all problems together
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong, and where.

    - ``line`` and ``column`` count from 1; None where the problem is that of the file as a whole.
    - ``key``: the path of the key as a user would say it, for example ``cameras.gate.zones.apron``; may be
      empty.
    - ``message``: one line, never holds the value of a secret.
    """

    file: str
    message: str
    key: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        text = f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"
        # keys are the file's own words: they must not steer the terminal that shows them, nor turn the line around
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class ConfigError(Exception):
    """A site file cannot be used. ``problems`` holds every problem found, in the order of the file.

    ``str()`` gives one line per problem: ``FILE:LINE:COLUMN: KEY: MESSAGE``.
    """

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class LocatedValueError(ValueError):
    """Raised by validators that look at several keys: each problem with its path below the model."""

    def __init__(self, problems: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(message for _, message in self.problems))
