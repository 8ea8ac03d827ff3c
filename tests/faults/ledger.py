"""One row of the campaign's table: a fault, and what became of the alerts under it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from streamer.soak.ledger import Comparison

COLUMNS = (
    "fault",
    "injected",
    "expected",
    "delivered",
    "lost",
    "duplicated",
    "repeats",
    "dropped",
    "worst delay",
)

LEGEND = """\
`expected` are the messages of the outbox, read from its database beside the daemon, and those that the daemon's log
tells of and the outbox never held. `delivered` are those that a subscriber (QoS 1, a session that the broker keeps) has
by (`alert_id`, `seq`, `type`), `lost` the others. `duplicated` is what a subscriber that leaves out repeats of these
three would take for two: a second `new` or `end` of an alert, a number with two messages, a repeat that says something
else, a message that the outbox does not know. `repeats` are deliveries beyond the first, which it can tell. `dropped`
were given up by a stated limit: counted, logged, and seen as a gap. Every row also requires that first deliveries come
in order of `seq`, and no message before the picture that it names. The delay is from the outbox to the subscriber,
outage included.\
"""


@dataclass(frozen=True)
class Row:
    """What became of the alerts under ``fault``, which was injected ``injected`` times.

    ``problems`` is what went wrong beside the counts: an exit code, a wait that was in vain.
    """

    fault: str
    injected: int
    comparison: Comparison
    seconds: float
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was lost or duplicated, and nothing else went wrong."""
        return self.comparison.clean and not self.problems

    def cells(self) -> tuple[str, ...]:
        """In the order of ``COLUMNS``."""
        counts = self.comparison
        return (
            self.fault,
            str(self.injected),
            str(counts.expected),
            str(counts.delivered),
            str(counts.lost),
            str(counts.duplicated),
            str(counts.repeats),
            str(counts.dropped),
            f"{counts.worst_delay_s:.1f} s",
        )

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "clean": self.clean}


def as_markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    return "\n".join(lines) + "\n"


def as_text(rows: Sequence[Row]) -> str:
    """The table in columns, with what went wrong below it."""
    table = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[number]) for line in table) for number in range(len(COLUMNS))]
    lines = []
    for first, *others in table:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    for row in rows:
        counts = row.comparison
        wrong = [*row.problems, *counts.examples]
        if counts.out_of_order:
            wrong.append(f"{counts.out_of_order} out of order")
        if counts.without_picture:
            wrong.append(f"{counts.without_picture} before their picture")
        lines += [f"{row.fault}: {text}" for text in wrong]
    return "\n".join(lines) + "\n"
