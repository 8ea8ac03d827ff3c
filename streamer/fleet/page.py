"""The fleet as a page: the look of a site's dashboard, renewed by the browser, without any script."""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from streamer.fleet.book import SiteState, SiteView, worst
from streamer.fleet.table import fleet_json
from streamer.web.access import LOOPBACK_NAMES, AccessControl
from streamer.web.counters import RefusalCounters

_RENEW_S: Final = 5
_TONES: Final[Mapping[SiteState, str]] = {
    SiteState.OFFLINE: "bad",
    SiteState.SILENT: "bad",
    SiteState.UNKNOWN: "busy",
    SiteState.UNREADY: "bad",
    SiteState.CAMERAS_DOWN: "busy",
    SiteState.STOPPED: "off",
    SiteState.ONLINE: "good",
}
_ASSETS: Final = {"page.css": "text/css", "icon.svg": "image/svg+xml"}


def create_fleet_app(views: Callable[[], Sequence[SiteView]], *, version: str) -> Starlette:
    """The app to be served by ``streamer.web.server.WebServer``, on loopback alone: it asks nobody for a password."""
    templates = Environment(loader=PackageLoader("streamer.fleet"), autoescape=True, trim_blocks=True)

    def page(_request: Request) -> Response:
        now = views()
        html = templates.get_template("fleet.html").render(
            views=now,
            bad=len(worst(now)),
            cameras=sum(view.cameras for view in now),
            down=sum(len(view.cameras_down) for view in now),
            alerts=sum(view.alerts_open for view in now),
            tones=_TONES,
            version=version,
            renew_s=_RENEW_S,
        )
        return HTMLResponse(html)

    def fleet(_request: Request) -> Response:
        return JSONResponse(fleet_json(views()))

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404, "no such file")
        data = resources.files("streamer.web").joinpath("assets", name).read_bytes()
        return Response(data, media_type=_ASSETS[name], headers={"cache-control": "private, max-age=300"})

    counters = RefusalCounters()
    app = Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            Route("/api/fleet", fleet, methods=["GET"]),
            Route("/assets/{name}", asset, methods=["GET"]),
        ],
        middleware=[
            Middleware(AccessControl, credentials=None, allowed_hosts=LOOPBACK_NAMES, counters=counters)
        ],
    )
    app.router.redirect_slashes = False
    app.state.has_credentials = False
    app.state.counters = counters
    return app
