"""The ASGI app of the wizard: its fences, and the routes of its steps."""

import time
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streamer.errors import StreamerError
from streamer.first_run.web.access import OneBrowser, OneBrowserAccess
from streamer.first_run.web.camera_steps import CameraSteps
from streamer.first_run.web.form import Form
from streamer.first_run.web.pages import Pages
from streamer.first_run.web.site_steps import SiteSteps
from streamer.first_run.web.state import WizardState
from streamer.onvif.discovery import FoundDevice, discover
from streamer.web.access import LOOPBACK_NAMES, AccessControl
from streamer.web.body_limit import BodyLimit
from streamer.web.counters import RefusalCounters

#: Name, package and type of what pages load.
_ASSETS: Final = {
    "page.css": ("streamer.web", "text/css"),
    "icon.svg": ("streamer.web", "image/svg+xml"),
    "init.css": ("streamer.first_run.web", "text/css"),
    "init.js": ("streamer.first_run.web", "text/javascript"),
}

#: What changes something: takes what came in a form, answers with a page or leads to one.
Change = Callable[[Request, Form], Response]


class Activity:
    """When somebody last used the page, by the monotonic clock."""

    def __init__(self) -> None:
        self.last_s = time.monotonic()

    def note(self) -> None:
        """Now."""
        self.last_s = time.monotonic()


def create_wizard(
    browser: OneBrowser,
    state: WizardState,
    activity: Activity,
    *,
    force: bool,
    written: Callable[[], None],
    find: Callable[[], list[FoundDevice]] = discover,
) -> Starlette:
    """The app, for ``WebServer`` on loopback. ``written`` is called once the files are there and the last page is sent.

    ``force``: files that exist are replaced without a word. ``find``: who is there on the network.
    """
    pages = Pages.make(browser, state)
    counters = RefusalCounters()

    def show(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            activity.note()
            return handler(request)

        return answer

    def change(handler: Change) -> Callable[[Request], Awaitable[Response]]:
        def locked(request: Request, form: Form) -> Response:
            with state.lock:
                return handler(request, form)

        async def answer(request: Request) -> Response:
            form = Form.parse(await request.body(), browser.form)
            activity.note()
            response = await run_in_threadpool(locked, request, form)
            activity.note()
            return response

        return answer

    site = SiteSteps(pages, state, force=force, written=written)
    cameras = CameraSteps(pages, state, find)
    root = browser.root
    shown = {**site.shown(), **cameras.shown()}
    changed = {**site.changed(), **cameras.changed()}
    app = Starlette(
        routes=[
            *(Route(f"{root}/{path}", show(handler), methods=["GET"]) for path, handler in shown.items()),
            *(
                Route(f"{root}/{path}", change(handler), methods=["POST"])
                for path, handler in changed.items()
            ),
            Route("/assets/{name}", _asset, methods=["GET"]),
        ],
        # the outermost first: under which name, who, how much
        middleware=[
            Middleware(AccessControl, credentials=None, allowed_hosts=LOOPBACK_NAMES, counters=counters),
            Middleware(OneBrowserAccess, browser=browser, counters=counters),
            Middleware(BodyLimit, counters=counters),
        ],
        exception_handlers={HTTPException: _http_error, StreamerError: _unavailable},
    )
    app.router.redirect_slashes = False
    app.state.has_credentials = False
    app.state.counters = counters
    return app


def _asset(request: Request) -> Response:
    package, media_type = _ASSETS.get(request.path_params["name"], ("", ""))
    if not package:
        raise HTTPException(404, "no such file")
    data = resources.files(package).joinpath("assets", request.path_params["name"]).read_bytes()
    return Response(data, media_type=media_type, headers={"cache-control": "private, max-age=300"})


def _http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)


def _unavailable(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=503)
