"""A fleet as people and machines read it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from models.printable import printable
from streamer.fleet.book import SiteView, worst

_LONGEST_CELL: Final = 48
_NAMED_CAMERAS: Final = 3
_REVISION_CHARS: Final = 8


def fleet_json(views: Sequence[SiteView]) -> dict[str, Any]:
    """For machines."""
    return {
        "sites": len(views),
        "cameras": sum(view.cameras for view in views),
        "cameras_down": sum(len(view.cameras_down) for view in views),
        "alerts_open": sum(view.alerts_open for view in views),
        "by_state": dict(Counter(str(view.state) for view in views)),
        "each": [
            {**asdict(view), "state": str(view.state), "cameras_down": list(view.cameras_down)}
            for view in views
        ],
    }


def fleet_lines(views: Sequence[SiteView]) -> list[str]:
    """For people: a line for each site, those that stand worst first, and one for all."""
    rows: list[tuple[str, ...]] = [
        ("site", "state", "version", "config", "cameras", "open", "lag", "heard", "")
    ]
    rows += [_row(view) for view in views]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
    cameras, down = sum(view.cameras for view in views), sum(len(view.cameras_down) for view in views)
    lines.append(
        f"{len(views)} sites, {len(worst(views))} not as they should be; {cameras} cameras, {down} down; "
        f"{sum(view.alerts_open for view in views)} alerts open"
    )
    return lines


def _row(view: SiteView) -> tuple[str, ...]:
    down = len(view.cameras_down)
    cells = (
        view.name,
        str(view.state),
        view.version or "-",
        view.config_revision.removeprefix("sha256:")[:_REVISION_CHARS] or "-",
        f"{view.cameras - down}/{view.cameras}",
        str(view.alerts_open),
        "-" if view.lag_s is None else f"{view.lag_s:.0f} s",
        "never" if view.age_s is None else f"{view.age_s:.0f} s",
        _why(view),
    )
    return tuple(printable(cell)[:_LONGEST_CELL] for cell in cells)


def _why(view: SiteView) -> str:
    named = ", ".join(view.cameras_down[:_NAMED_CAMERAS])
    more = len(view.cameras_down) - _NAMED_CAMERAS
    cameras = f"{named} and {more} more" if more > 0 else named
    return "; ".join(part for part in (view.reason, cameras) if part)
