"""Who may use the page: the browser that came with the printed address, and nobody else.

The address holds a token that is good once. It is exchanged for a cookie, and for a path that nobody can guess: cookies
do not tell the ports of a machine apart, so this one goes to no other page of it. What changes something must come from
our own page besides, which browsers say (``Sec-Fetch-Site``, ``Origin``), and carry a token that stands in its forms.
"""

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from streamer.web.counters import Refusal, RefusalCounters
from streamer.web.guessing import GuessLimiter, client_of_address
from streamer.web.same_origin import SAFE_METHODS, new_token

START: Final = "/start"
ASSETS: Final = "/assets/"
_COOKIE: Final = "ppewatch_init"


class OneBrowser:
    """The secrets of one run: ``entry`` in the printed address, ``cookie``, ``form`` in every form, and the ``root`` of
    all paths.
    """

    def __init__(self) -> None:
        self.entry = new_token()
        self.cookie = new_token()
        self.form = new_token()
        self.root = f"/{secrets.token_urlsafe(16)}"
        self._entered = False

    def enter(self, given: str) -> bool:
        """Whether ``given`` is the entry's token, the first time that it comes."""
        right = hmac.compare_digest(given.encode(), self.entry.encode()) and not self._entered
        self._entered = self._entered or right
        return right

    def knows(self, cookie: str) -> bool:
        """Whether this is the browser that came in."""
        return self._entered and hmac.compare_digest(cookie.encode(), self.cookie.encode())


class OneBrowserAccess:
    """ASGI middleware that lets ``OneBrowser`` in and refuses everybody else (403), slower and slower."""

    def __init__(self, app: ASGIApp, *, browser: OneBrowser, counters: RefusalCounters) -> None:
        self._app = app
        self._browser = browser
        self._counters = counters
        self._limiter = GuessLimiter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI
        if scope["type"] == "http":
            answer = self._answer(HTTPConnection(scope), scope["method"])
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _answer(self, request: HTTPConnection, method: str) -> Response | None:
        path = request.url.path
        if path.startswith(ASSETS) and method in SAFE_METHODS:
            return None
        if path == START and method == "GET":
            given = parse_qs(request.url.query, max_num_fields=4).get("token", [""])[0]
            return self._entered() if self._browser.enter(given) else self._refused(request)
        if not path.startswith(f"{self._browser.root}/") or not self._browser.knows(
            _cookie_of(request.headers)
        ):
            return self._refused(request)
        if method not in SAFE_METHODS and is_foreign(request.headers):
            self._counters.add(Refusal.FOREIGN)
            return PlainTextResponse("another site's page asks\n", status_code=403)
        return None

    def _entered(self) -> Response:
        response = RedirectResponse(f"{self._browser.root}/site", status_code=303)
        # Lax: the address may be followed from a terminal that is a page itself
        response.set_cookie(
            _COOKIE, self._browser.cookie, path=self._browser.root, httponly=True, samesite="lax"
        )
        return response

    def _refused(self, request: HTTPConnection) -> Response:
        client = client_of_address(request.client.host if request.client else "")
        if self._limiter.take(client) > 0.0:
            self._counters.add(Refusal.GUESSING)
            return PlainTextResponse("too many wrong addresses\n", status_code=429)
        self._counters.add(Refusal.CREDENTIALS)
        return PlainTextResponse(
            "This page is for the browser that first opened the address that ppewatch init has printed.\n"
            "To use another one, end it (Ctrl-C) and start it again.\n",
            status_code=403,
        )


def is_foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page asks. ``Origin: null`` says nothing: it stands there because our
    pages tell nobody where a request comes from (``Referrer-Policy``); then the form's token decides.
    """
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return True
    origin = headers.get("origin", "null")
    if origin == "null":
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True


def _cookie_of(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")[:8192]).get(_COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""
