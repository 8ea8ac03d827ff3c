"""The ASGI app: the page, the JSON, health and metrics over one ``StatusSource``.

Every handler is a plain function, so Starlette runs it in a thread and a source that reads a file blocks no
other request.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any, Final

from jinja2 import Environment
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from streamer.alerts.payload import ALERT_ID_PATTERN
from streamer.errors import StreamerError
from streamer.web import api
from streamer.web.access import LOOPBACK_NAMES, AccessControl, Credentials
from streamer.web.metrics import exposition, metrics_registry
from streamer.web.status import StatusSource
from streamer.web.view import headline, template_environment

_ASSETS: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_LIMIT: Final = re.compile(r"[0-9]{1,4}")


def create_app(
    source: StatusSource,
    *,
    site_name: str,
    version: str,
    timezone: str = "UTC",
    credentials: Credentials | None = None,
    allowed_hosts: tuple[str, ...] = LOOPBACK_NAMES,
) -> Starlette:
    """The app to be served by ``WebServer``.

    - ``timezone``: IANA name in which the page shows times.
    - ``credentials``: asked for on every path but ``/healthz``. Without them the app answers only under
      ``allowed_hosts``, and ``WebServer`` refuses to listen wider than loopback.

    Raises ``zoneinfo.ZoneInfoNotFoundError`` for an unknown zone.
    """
    pages = _Pages(
        source=source,
        site_name=site_name,
        version=version,
        templates=template_environment(timezone),
        registry=metrics_registry(source, version),
    )
    app = Starlette(
        routes=[
            Route("/", pages.page, methods=["GET"]),
            Route("/api/overview", pages.overview, methods=["GET"]),
            Route("/assets/{name}", _asset, methods=["GET"]),
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/readyz", pages.readyz, methods=["GET"]),
            Route("/metrics", pages.metrics, methods=["GET"]),
            Route("/api/openapi.json", pages.openapi, methods=["GET"]),
            Route("/api/cameras", _json(api.CAMERAS, source.cameras), methods=["GET"]),
            Route("/api/stages", _json(api.STAGES, source.stages), methods=["GET"]),
            Route("/api/worker", _json(api.WORKER, source.worker), methods=["GET"]),
            Route("/api/outbox", _json(api.OUTBOX, source.outbox), methods=["GET"]),
            Route("/api/alerts", pages.alerts, methods=["GET"]),
            Route("/api/alerts/{alert_id}/snapshot", pages.snapshot, methods=["GET"]),
        ],
        middleware=[Middleware(AccessControl, credentials=credentials, allowed_hosts=allowed_hosts)],
        exception_handlers={HTTPException: _http_error, StreamerError: _unavailable},
    )
    app.state.has_credentials = credentials is not None
    return app


@dataclass(frozen=True, slots=True)
class _Pages:
    """The handlers that need more than one value of the source."""

    source: StatusSource
    site_name: str
    version: str
    templates: Environment
    registry: CollectorRegistry

    def page(self, _request: Request) -> Response:
        return HTMLResponse(self._rendered("page.html"))

    def overview(self, _request: Request) -> Response:
        """The part of the page that changes, as HTML: what its script asks for every two seconds."""
        return HTMLResponse(self._rendered("overview.html"))

    def readyz(self, _request: Request) -> Response:
        stages = self.source.stages()
        late = [stage.name for stage in stages if stage.late]
        if stages and not late:
            return JSONResponse({"status": "ready", "late": []})
        return JSONResponse({"status": "late" if late else "starting", "late": late}, status_code=503)

    def metrics(self, _request: Request) -> Response:
        return Response(exposition(self.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def openapi(self, _request: Request) -> Response:
        return JSONResponse(api.openapi(self.version))

    def alerts(self, request: Request) -> Response:
        text = request.query_params.get("limit", str(api.DEFAULT_ALERTS))
        limit = int(text) if _LIMIT.fullmatch(text) else 0
        if not 1 <= limit <= api.MAX_ALERTS:
            raise HTTPException(400, f"limit must be a number from 1 to {api.MAX_ALERTS}")
        return _json_response(api.ALERTS, self.source.alerts(limit))

    def snapshot(self, request: Request) -> Response:
        alert_id = request.path_params["alert_id"]
        # the id becomes part of a file's name further in: nothing but an id's own characters goes on
        jpeg = self.source.snapshot(alert_id) if ALERT_ID_PATTERN.fullmatch(alert_id) else None
        if jpeg is None:
            raise HTTPException(404, "no such alert, or it has no snapshot")
        headers = {"etag": f'"{sha256(jpeg).hexdigest()}"', "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    def _rendered(self, template: str) -> str:
        cameras, stages = self.source.cameras(), self.source.stages()
        alerts = self.source.alerts(api.DEFAULT_ALERTS)
        return self.templates.get_template(template).render(
            site_name=self.site_name,
            version=self.version,
            now=time.time(),
            headline=headline(stages, cameras, alerts),
            cameras=cameras,
            alerts=alerts,
            stages=stages,
            worker=self.source.worker(),
            outbox=self.source.outbox(),
        )


def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    media_type = _ASSETS.get(name)
    if media_type is None:
        raise HTTPException(404, "no such file")
    data = resources.files("streamer.web").joinpath("assets", name).read_bytes()
    return Response(data, media_type=media_type, headers={"cache-control": "private, max-age=300"})


def _json_response(adapter: TypeAdapter[Any], value: object) -> Response:
    return Response(adapter.dump_json(adapter.validate_python(value)), media_type="application/json")


def _json(adapter: TypeAdapter[Any], read: Callable[[], object]) -> Callable[[Request], Response]:
    def handler(_request: Request) -> Response:
        return _json_response(adapter, read())

    return handler


def _http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


def _unavailable(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=503)
