"""The ASGI app: the dashboard, the JSON behind it, health and metrics over one ``StatusSource``.

Every handler but one is a plain function, so Starlette runs it in a thread and a source that reads a file blocks no
other request. ``/healthz`` is answered by the event loop itself, whatever holds those threads.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from streamer.errors import StreamerError
from streamer.history.buckets import Bucket
from streamer.history.grouping import Shift
from streamer.live.look import LivePicture
from streamer.web import api
from streamer.web.access import LOOPBACK_NAMES, AccessControl
from streamer.web.alert_routes import AlertRoutes
from streamer.web.body_limit import BodyLimit
from streamer.web.change_routes import ChangeDesk, change_routes
from streamer.web.compliance_routes import ComplianceRoutes, HistorySource
from streamer.web.counters import RefusalCounters
from streamer.web.credentials import Credentials
from streamer.web.live_routes import LiveSource, live_routes
from streamer.web.metrics import exposition, metrics_registry
from streamer.web.page import PageMaker
from streamer.web.same_origin import SameOriginGuard, new_token
from streamer.web.site_routes import SiteRoutes, ZoneOutlines
from streamer.web.status import StatusSource
from streamer.web.view import template_environment
from streamer.web.zone_routes import ZoneRoutes
from streamer.zone_editor.editor import ZoneEditor

_ASSETS: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "wall.js": "text/javascript",
    "changes.js": "text/javascript",
    "zones.css": "text/css",
    "zones.js": "text/javascript",
    "zone_canvas.js": "text/javascript",
    "zone_draft.js": "text/javascript",
    "zone_forms.js": "text/javascript",
    "zone_picture.js": "text/javascript",
    "requests.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class _NoPictures:
    def watch(self, _camera_id: str) -> LivePicture | None:
        return None


class _NoHistory:
    def between(self, _since: float, _until: float, *, camera: str | None = None) -> list[Bucket]:  # noqa: ARG002
        return []


def create_app(
    source: StatusSource,
    *,
    site_name: str,
    version: str,
    timezone: str = "UTC",
    credentials: Credentials | None = None,
    allowed_hosts: tuple[str, ...] | None = None,
    live: LiveSource | None = None,
    history: HistorySource | None = None,
    shifts: Callable[[], Sequence[Shift]] = tuple,
    zones: Callable[[], ZoneOutlines] = dict,
    changes: ChangeDesk | None = None,
    zone_editor: ZoneEditor | None = None,
) -> Starlette:
    """The app to be served by ``WebServer``.

    - ``timezone``: IANA name in which the pages show times.
    - ``credentials``: asked for on every path but ``/healthz``. Without them nothing can be changed, and ``WebServer``
      refuses to listen wider than loopback.
    - ``allowed_hosts``: the names under which the app answers; by default every name with credentials, and those of
      loopback without.
    - ``live``: pictures of the cameras; ``history``: person-seconds; None: there are none.
    - ``changes``: who carries out what people change on the pages; None: nothing can be changed.
    - ``zone_editor``: who changes zones and rules; None, or no credentials: nobody does.
    - ``shifts``: parts of the day by which compliance is summed up; ``zones``: what is outlined on the pictures.

    Raises ``zoneinfo.ZoneInfoNotFoundError`` for an unknown zone.
    """
    zone = ZoneInfo(timezone)
    may_change = changes is not None and credentials is not None
    if credentials is None:
        zone_editor = None
    pages = PageMaker(source, site_name, version, template_environment(timezone), may_change, timezone)
    counters = RefusalCounters()

    def names() -> list[str]:
        return [camera.camera for camera in source.cameras()]

    def online() -> list[str]:
        return [camera.camera for camera in source.cameras() if camera.state == "online"]

    token = new_token()
    if allowed_hosts is None and credentials is None:
        allowed_hosts = LOOPBACK_NAMES
    app = Starlette(
        routes=[
            *SiteRoutes(source, pages, zones, edits_zones=zone_editor is not None).routes(),
            *AlertRoutes(source, pages, zone).routes(),
            *ComplianceRoutes(history or _NoHistory(), pages, zone, shifts).routes(),
            *live_routes(live or _NoPictures(), online),
            *ZoneRoutes(zone_editor, pages, names).routes(),
            *(change_routes(changes) if changes is not None else ()),
            *_service_routes(source, version, counters, zone_editor is not None),
            Route("/assets/{name}", _asset, methods=["GET"]),
            Route("/api/token", _json_value({"token": token}), methods=["GET"]),
        ],
        # the outermost first: who asks, from where, and how much
        middleware=[
            Middleware(
                AccessControl, credentials=credentials, allowed_hosts=allowed_hosts, counters=counters
            ),
            Middleware(SameOriginGuard, token=token, may_change=credentials is not None, counters=counters),
            Middleware(BodyLimit, counters=counters),
        ],
        exception_handlers=_error_handlers(pages),
    )
    # a redirect would be built from what the request calls this host
    app.router.redirect_slashes = False
    app.state.has_credentials = credentials is not None
    app.state.counters = counters
    return app


def _service_routes(
    source: StatusSource, version: str, counters: RefusalCounters, edits_zones: bool
) -> list[Route]:
    """What programs ask for: health, metrics, the description of the API."""
    registry = metrics_registry(source, version)
    registry.register(counters)

    async def healthz(_request: Request) -> Response:
        """Live unless a fresh process is needed; whoever may ask without credentials learns a code and no more."""
        health = source.health()
        if health.hopeless:
            return JSONResponse({"status": health.state, "reason": health.reason}, status_code=503)
        return JSONResponse({"status": "ok"})

    def readyz(_request: Request) -> Response:
        """Ready when every stage beats and the models are there; says what is not."""
        health, stages = source.health(), source.stages()
        late = [stage for stage in stages if stage.late]
        ready = health.state == "ready" and bool(stages) and not late
        body = {
            "status": "ready" if ready else "late" if late and not health.hopeless else health.state,
            "reason": health.reason,
            "detail": health.detail,
            "late": [stage.name for stage in late],
            "stages": {stage.name: {"state": stage.state, "reason": stage.reason} for stage in late},
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    def metrics(_request: Request) -> Response:
        return Response(exposition(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def openapi(_request: Request) -> Response:
        return JSONResponse(api.openapi(version, edits_zones=edits_zones))

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/api/openapi.json", openapi, methods=["GET"]),
    ]


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    media_type = _ASSETS.get(name)
    if media_type is None:
        raise HTTPException(404, "no such file")
    data = resources.files("streamer.web").joinpath("assets", name).read_bytes()
    return Response(data, media_type=media_type, headers={"cache-control": "private, max-age=300"})


def _json_value(value: dict[str, str]) -> Callable[[Request], Response]:
    def handler(_request: Request) -> Response:
        return JSONResponse(value)

    return handler


def _error_handlers(pages: PageMaker) -> dict[Any, Callable[[Request, Exception], Response]]:
    """A page for people who follow a link or send a form, JSON for all others."""

    def answer(request: Request, words: str, status: int, headers: Mapping[str, str] | None) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        if wants_page and not request.url.path.startswith(("/api/", "/assets/", "/part/")):
            return HTMLResponse(pages.render_error(request, words), status, headers)
        return JSONResponse({"error": words}, status, headers)

    def http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        return answer(request, error.detail, error.status_code, error.headers)

    def unavailable(request: Request, error: Exception) -> Response:
        return answer(request, str(error), 503, None)

    return {HTTPException: http_error, StreamerError: unavailable}
