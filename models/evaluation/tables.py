"""Tables of figures, for the terminal and for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Stands where there is nothing to measure.
NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Texts in rows and columns.

    - ``title``: one line. ``head``: names of the columns; each of ``rows`` is as long.
    - ``names``: how many of the first columns hold names, which stand left; numbers stand right.
    - ``note``: what the columns mean.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1
    note: str = ""


def number(value: float | None, decimals: int = 3) -> str:
    """So many decimals, or a dash."""
    return NOTHING if value is None else f"{value:.{decimals}f}"


def columns_of(lines: Sequence[Sequence[str]], left: frozenset[int]) -> str:
    """Lines of equally many texts below each other; the columns ``left`` flush left, the others right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column in left else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_text(tables: Sequence[Table]) -> str:
    """The tables below each other, each under its title."""
    return "\n\n".join(
        f"{table.title}\n" + columns_of([table.head, *table.rows], frozenset(range(table.names)))
        for table in tables
    )
