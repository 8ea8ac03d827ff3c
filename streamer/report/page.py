"""A report as one HTML file that needs nothing beside it, and prints on paper."""

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from streamer.history.buckets import PersonSeconds, Place
from streamer.history.grouping import Period
from streamer.report.content import AlertCount, Report, ReportPart
from streamer.web.status import utc_text
from streamer.web.view import duration, percent, person_time


def report_page(report: Report, *, timezone: str, version: str, made_at: float | None = None) -> str:
    """The HTML; times are shown in ``timezone``, an IANA name. The same report made at the same time gives the same."""
    zone = ZoneInfo(timezone)
    environment = Environment(
        loader=PackageLoader("streamer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=duration,
        person_time=person_time,
        percent=percent,
        words=lambda text: str(text).replace("_", " "),
        moment=lambda at: f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M}",
        day=lambda at: f"{datetime.fromtimestamp(at, zone):%A %d %B %Y}",
    )
    return environment.get_template("report.html").render(
        report=report,
        timezone=timezone,
        version=version,
        made_at=time.time() if made_at is None else made_at,
    )


def report_json(report: Report) -> dict[str, Any]:
    """The same for machines."""
    return {
        "site": report.site,
        "whole": _part(report.whole),
        "shifts": [_part(part) for part in report.shifts],
    }


def _part(part: ReportPart) -> dict[str, Any]:
    return {
        **_period(part.period),
        "places": [
            {**_place(row.place), **_seconds(row.seconds), "alerts": _alerts(row.alerts)} for row in part.rows
        ],
        "rules": {name: _alerts(count) for name, count in part.rules.items()},
    }


def _period(period: Period) -> dict[str, Any]:
    bounds = {"since": period.since, "until": period.until}
    finite = {key: utc_text(at) if abs(at) != float("inf") else None for key, at in bounds.items()}
    return {"period": period.name, **finite}


def _place(place: Place) -> dict[str, Any]:
    return {"camera": place.camera, "zone": place.zone or None, "gear": place.gear}


def _seconds(seconds: PersonSeconds) -> dict[str, Any]:
    return {
        **{key: round(value, 1) for key, value in asdict(seconds).items()},
        "worn_share": seconds.worn_share,
        "unknown_share": seconds.unknown_share,
    }


def _alerts(count: AlertCount) -> dict[str, Any]:
    return {"count": count.count, "mean_s": count.mean_s}
