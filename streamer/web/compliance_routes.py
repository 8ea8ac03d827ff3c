"""Compliance over HTTP: charts by zone, hour and shift, and the same as CSV and JSON."""

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from streamer.history.buckets import Bucket
from streamer.history.grouping import Period, Shift, by_period, by_place, days, hours, shifts_of
from streamer.web import api
from streamer.web.compliance_rows import ComplianceRow, by_hour_of_day, row_of
from streamer.web.page import PageMaker

#: Longest span of one page or file.
_MOST_DAYS: Final = 366
_DEFAULT_DAYS: Final = 7


class HistorySource(Protocol):
    """Where person-seconds come from; ``streamer.history.store.ComplianceHistory`` is one."""

    def between(self, since: float, until: float, *, camera: str | None = None) -> list[Bucket]:
        """The buckets that begin in a span, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """Local days, both included."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def since(self) -> float:
        """Start of the first day, UTC epoch seconds."""
        return datetime.combine(self.first, clock_time(0), self.zone).timestamp()

    @property
    def until(self) -> float:
        """End of the last day, UTC epoch seconds."""
        return datetime.combine(self.last + timedelta(days=1), clock_time(0), self.zone).timestamp()


@dataclass(frozen=True, slots=True)
class ComplianceRoutes:
    """The handlers. ``shifts`` gives those of the site's rules; without any, days take their place."""

    history: HistorySource
    pages: PageMaker
    timezone: ZoneInfo
    shifts: Callable[[], Sequence[Shift]] = tuple

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/compliance", self.page, methods=["GET"]),
            Route("/api/compliance", self.json, methods=["GET"]),
            Route("/api/compliance.csv", self.csv, methods=["GET"]),
        ]

    def page(self, request: Request) -> Response:
        """The charts."""
        span = self._span(request.query_params)
        buckets = self.history.between(span.since, span.until)
        hour_of_day = by_hour_of_day(buckets, self.timezone)
        return HTMLResponse(
            self.pages.render(
                "compliance.html",
                request,
                first=span.first.isoformat(),
                last=span.last.isoformat(),
                zones=list(by_place(buckets).items()),
                hours=hour_of_day,
                shifts=list(by_period(buckets, shifts_of(self.shifts(), self.timezone)).items()),
            )
        )

    def json(self, request: Request) -> Response:
        """``?by=zone|hour|shift|day&from=DATE&to=DATE``."""
        return Response(api.COMPLIANCE.dump_json(tuple(self._rows(request))), media_type="application/json")

    def csv(self, request: Request) -> Response:
        """The same as a file for a spreadsheet."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(ComplianceRow.__dataclass_fields__)
        for row in api.COMPLIANCE.dump_python(tuple(self._rows(request))):
            writer.writerow([_cell(value) for value in row.values()])
        span = self._span(request.query_params)
        name = f"compliance-{span.first}-{span.last}.csv"
        return Response(
            text.getvalue(),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    def _rows(self, request: Request) -> list[ComplianceRow]:
        span = self._span(request.query_params)
        buckets = self.history.between(span.since, span.until)
        by = request.query_params.get("by", "zone")
        whole = Period(span.since, span.until, f"{span.first} to {span.last}")
        finders = {
            "zone": lambda _at: whole,
            "hour": hours(self.timezone),
            "shift": shifts_of(self.shifts(), self.timezone),
            "day": days(self.timezone),
        }
        if by not in finders:
            raise HTTPException(400, f"by must be one of {', '.join(finders)}")
        return [
            row_of(period, place, seconds)
            for period, places in by_period(buckets, finders[by]).items()
            for place, seconds in places.items()
        ]

    def _span(self, query: Mapping[str, str]) -> Span:
        today = datetime.fromtimestamp(time.time(), self.timezone).date()
        try:
            last = date.fromisoformat(query["to"]) if query.get("to") else today
            first = (
                date.fromisoformat(query["from"])
                if query.get("from")
                else last - timedelta(days=_DEFAULT_DAYS - 1)
            )
            span = Span(first, last, self.timezone)
            span.until  # noqa: B018 - days at the end of the calendar have no next one
        except (ValueError, OverflowError, OSError):
            raise HTTPException(400, "from and to are days such as 2026-11-21") from None
        if not timedelta(0) <= last - first < timedelta(days=_MOST_DAYS):
            raise HTTPException(400, f"from comes before to, at most {_MOST_DAYS} days")
        return span


def _cell(value: Any) -> Any:
    # a spreadsheet takes what begins so for a formula
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
