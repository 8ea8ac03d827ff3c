"""Keeps other sites' pages from using the browser of somebody who is logged in here.

Nothing may be changed but by a request that a browser says comes from our own page (``Sec-Fetch-Site``, ``Origin``)
and that carries the token, in a header that no form can set; programs, which say nothing of where they come from, need
the token alone. Other sites may not read through a browser either, what their answers' timing or size would tell
(``Sec-Fetch-Site``; W3C, "Fetch Metadata Request Headers"); to follow a link to the page is all that they may.
"""

import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from streamer.web.counters import Refusal, RefusalCounters

#: Methods that change nothing, by RFC 9110 and in this app.
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_HEADER: Final = "x-ppewatch-token"  # noqa: S105 - the name of a header
#: What a browser says of requests that no other site can cause.
_OWN: Final = frozenset({"same-origin", "none"})


class SameOriginGuard:
    """ASGI middleware that refuses (403) what another site may have caused. ``token`` is new with each start.

    ``may_change`` False refuses every method that is not safe, whoever asks.
    """

    def __init__(self, app: ASGIApp, *, token: str, may_change: bool, counters: RefusalCounters) -> None:
        self._app = app
        self._token = token
        self._may_change = may_change
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI
        if scope["type"] == "http":
            headers = HTTPConnection(scope).headers
            safe = scope["method"] in SAFE_METHODS
            problem = self._foreign_read(headers) if safe else self._unsafe(headers)
            if problem is not None:
                self._counters.add(Refusal.FOREIGN)
                await JSONResponse({"error": problem}, status_code=403)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _foreign_read(self, headers: Headers) -> str | None:
        site = headers.get("sec-fetch-site", "none")
        if site in _OWN:
            return None
        if headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document":
            return None
        return "another site's page asks"

    def _unsafe(self, headers: Headers) -> str | None:
        if not self._may_change:
            return "nothing can be changed without a user and a password in the settings"
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "another site's page asks"
        origin = headers.get("origin")
        if origin is not None and not _is_origin_of(origin, headers.get("host", "")):
            return "another site's page asks"
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            return f"needs the header {TOKEN_HEADER} with the token of /api/token"
        return None


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


def _is_origin_of(origin: str, host: str) -> bool:
    """Whether an ``Origin`` is ours. The scheme is left out: a proxy before us may speak TLS."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and parts.netloc.lower() == host.lower()
