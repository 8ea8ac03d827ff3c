"""Alerts over HTTP: the feed with its filters, one alert, its picture."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from streamer.alerts.alert_search import AlertFilter
from streamer.alerts.payload import ALERT_ID_PATTERN, utc_iso
from streamer.web import api
from streamer.web.page import PageMaker
from streamer.web.status import AlertDetail, StatusSource
from streamer.web.thumbnails import Thumbnails

_NUMBER: Final = re.compile(r"[0-9]{1,15}")
#: Alerts of one page of the feed.
_ON_A_PAGE: Final = 24
_FILTERS: Final = ("camera", "zone", "rule", "since", "until")


@dataclass(frozen=True, slots=True)
class AlertRoutes:
    """The handlers; ``timezone`` is that of times without a zone in queries (what a browser's field gives)."""

    source: StatusSource
    pages: PageMaker
    timezone: ZoneInfo
    thumbnails: Thumbnails = field(default_factory=Thumbnails)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/alerts", self.feed, methods=["GET"]),
            Route("/part/alerts", self.feed_part, methods=["GET"]),
            Route("/alerts/{alert_id}", self.alert, methods=["GET"]),
            Route("/part/alerts/{alert_id}", self.alert_part, methods=["GET"]),
            Route("/api/alerts", self.alerts_json, methods=["GET"]),
            Route("/api/alerts/{alert_id}", self.alert_json, methods=["GET"]),
            Route("/api/alerts/{alert_id}/snapshot", self.snapshot, methods=["GET"]),
            Route("/api/alerts/{alert_id}/thumbnail", self.thumbnail, methods=["GET"]),
        ]

    def feed(self, request: Request) -> Response:
        """The feed's page."""
        return HTMLResponse(self.pages.render("alerts.html", request, **self._feed_values(request)))

    def feed_part(self, request: Request) -> Response:
        """The part of it that changes: what its script asks for."""
        return HTMLResponse(self.pages.render("part_alerts.html", request, **self._feed_values(request)))

    def alert(self, request: Request) -> Response:
        """One alert's page."""
        return HTMLResponse(self.pages.render("alert.html", request, alert=self._detail(request)))

    def alert_part(self, request: Request) -> Response:
        """The part of it that changes."""
        return HTMLResponse(self.pages.render("part_alert.html", request, alert=self._detail(request)))

    def alerts_json(self, request: Request) -> Response:
        """The feed as JSON."""
        query = request.query_params
        text = query.get("limit", str(api.DEFAULT_ALERTS))
        limit = int(text) if _NUMBER.fullmatch(text) else 0
        if not 1 <= limit <= api.MAX_ALERTS:
            raise HTTPException(400, f"limit must be a number from 1 to {api.MAX_ALERTS}")
        found = self.source.alerts(limit, self._filter(query), before_seq=_before(query))
        return Response(api.ALERTS.dump_json(tuple(found)), media_type="application/json")

    def alert_json(self, request: Request) -> Response:
        """One alert as JSON."""
        return Response(api.ALERT.dump_json(self._detail(request)), media_type="application/json")

    def snapshot(self, request: Request) -> Response:
        """Its latest picture."""
        return self._picture(request, lambda jpeg, _digest: jpeg)

    def thumbnail(self, request: Request) -> Response:
        """The same, small."""
        return self._picture(request, self.thumbnails.of)

    def _picture(self, request: Request, form: Callable[[bytes, str], bytes]) -> Response:
        alert_id = request.path_params["alert_id"]
        # the id becomes part of a file's name further in: nothing but an id's own characters goes on
        jpeg = self.source.snapshot(alert_id) if ALERT_ID_PATTERN.fullmatch(alert_id) else None
        if jpeg is None:
            raise HTTPException(404, "no such alert, or it has no snapshot")
        digest = sha256(jpeg).hexdigest()
        headers = {"etag": f'"{digest}"', "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(form(jpeg, digest), media_type="image/jpeg", headers=headers)

    def _detail(self, request: Request) -> AlertDetail:
        alert_id = request.path_params["alert_id"]
        found = self.source.alert(alert_id) if ALERT_ID_PATTERN.fullmatch(alert_id) else None
        if found is None:
            raise HTTPException(404, "there is no such alert, or no longer")
        return found

    def _feed_values(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        before = _before(query)
        # one more than is shown tells whether there are older ones
        found = self.source.alerts(_ON_A_PAGE + 1, self._filter(query), before_seq=before)
        shown = found[:_ON_A_PAGE]
        chosen = {name: query[name] for name in _FILTERS if query.get(name)}
        older = None if len(found) <= _ON_A_PAGE else urlencode({**chosen, "before": shown[-1].seq})
        places = self.source.alert_places()

        def names(field: str, found: set[str]) -> list[str]:
            # what is chosen stays so, though there may be no alert of it, or no longer
            return sorted(found | {chosen[field]} if field in chosen else found)

        return {
            "alerts": shown,
            "chosen": chosen,
            "query": urlencode({**chosen, **({} if before is None else {"before": before})}),
            "newest": urlencode(chosen) if before is not None else None,
            "older": older,
            "cameras": names("camera", {camera for camera, _, _ in places}),
            "zones": names("zone", {zone for _, zone, _ in places if zone is not None}),
            "rules": names("rule", {rule for _, _, rule in places}),
        }

    def _filter(self, query: Mapping[str, str]) -> AlertFilter:
        return AlertFilter(
            camera=query.get("camera") or None,
            zone=query.get("zone") or None,
            rule=query.get("rule") or None,
            since=self._moment(query.get("since")),
            until=self._moment(query.get("until")),
        )

    def _moment(self, text: str | None) -> float | None:
        """A time of a query as UTC epoch seconds: ISO 8601, of the site's zone where it names none."""
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            at = (moment if moment.tzinfo else moment.replace(tzinfo=self.timezone)).timestamp()
            # it is searched for as text in UTC, where it may lie beyond the calendar
            utc_iso(at)
        except (ValueError, OverflowError, OSError):
            raise HTTPException(
                400, "times are written as 2026-11-21T07:14, with or without a zone"
            ) from None
        return at


def _before(query: Mapping[str, str]) -> int | None:
    text = query.get("before", "")
    if text and not _NUMBER.fullmatch(text):
        raise HTTPException(400, "before must be the number of an alert")
    return int(text) if text else None
