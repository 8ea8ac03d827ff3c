"""Who may read the page: listen addresses, credentials, host names and the browser's fences."""

import ipaddress
import math
import re
import socket
from typing import Final

import anyio
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.errors import StreamerError
from streamer.web.counters import Refusal, RefusalCounters
from streamer.web.credentials import Credentials
from streamer.web.guessing import (
    DEVICE_COOKIE,
    DEVICE_COOKIE_AGE_S,
    DeviceCookies,
    GuessLimiter,
    client_of_address,
)

#: The names under which a page on loopback may be asked for. Any other name would be a foreign site's that
#: was pointed at 127.0.0.1 (DNS rebinding) to let its script read the pictures.
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")

_HOST: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:@/?#\[\]\s]+))(?::[0-9]{1,5})?")

#: Answered without credentials: liveness probes carry none, and it tells nothing.
OPEN_PATHS: Final = frozenset({"/healthz"})

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": (
        "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), display-capture=(), geolocation=(), "
        "gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"
    ),
    "x-permitted-cross-domain-policies": "none",
}


class WebServerError(StreamerError):
    """The status page cannot be served at the wanted address, or not safely."""


def is_loopback(host: str) -> bool:
    """Whether all addresses of ``host`` are loopback; ``WebServerError`` for a name that is not known."""
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise WebServerError(f"http: cannot resolve the listen address {host!r}: {error.strerror}") from error
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


class AccessControl:
    """ASGI middleware: refuses foreign host names, missing and guessed credentials, and adds the security headers.

    ``allowed_hosts`` are the names that may stand in the Host header; None: with credentials any may, for no other site
    has them.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        credentials: Credentials | None,
        allowed_hosts: tuple[str, ...] | None,
        counters: RefusalCounters,
        limiter: GuessLimiter | None = None,
    ) -> None:
        if credentials is None and allowed_hosts is None:
            raise ValueError("without credentials the host names that are answered must be given")
        self._app = app
        self._credentials = credentials
        self._allowed_hosts = (
            None if allowed_hosts is None else frozenset(name.lower() for name in allowed_hosts)
        )
        self._counters = counters
        self._limiter = limiter or GuessLimiter()
        self._cookies = DeviceCookies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cookie: list[str] = []

        async def send_fenced(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
                for value in cookie:
                    headers.append("set-cookie", value)
            await send(message)

        request = HTTPConnection(scope)
        refusal = self._foreign_host(request) or await self._refused(request, cookie)
        await (refusal or self._app)(scope, receive, send_fenced)

    def _foreign_host(self, request: HTTPConnection) -> PlainTextResponse | None:
        # from the header itself: Starlette's URL falls back to the socket's address when it is malformed
        named = _HOST.fullmatch(request.headers.get("host", ""))
        if self._allowed_hosts is None or (
            named and (named["name"] or named["ipv6"]).lower() in self._allowed_hosts
        ):
            return None
        self._counters.add(Refusal.HOST)
        return PlainTextResponse("this address is not served under that host name\n", status_code=421)

    async def _refused(self, request: HTTPConnection, cookie: list[str]) -> PlainTextResponse | None:
        """The refusal, or None; then ``cookie`` may hold one to set."""
        given = request.headers.get("authorization")
        if self._credentials is None or request.url.path in OPEN_PATHS:
            return None
        if given is None:
            self._counters.add(Refusal.CREDENTIALS)
            return _unauthorised()
        device = self._cookies.client(request.cookies.get(DEVICE_COOKIE))
        client = device or client_of_address(request.client.host if request.client else "")
        # taken before it is known whether it was one: many at once must not be more than many in a row
        wait_s = self._limiter.take(client)
        if wait_s > 0.0:
            self._counters.add(Refusal.GUESSING)
            return PlainTextResponse(
                "too many wrong credentials\n",
                status_code=429,
                headers={"retry-after": str(math.ceil(wait_s))},
            )
        if self._credentials.is_quick:
            right = self._credentials.match(given)
        else:
            right = await anyio.to_thread.run_sync(self._credentials.match, given)
        if not right:
            self._counters.add(Refusal.CREDENTIALS)
            return _unauthorised()
        self._limiter.give_back(client)
        if device is None:
            secure = "; Secure" if request.url.scheme == "https" else ""
            cookie.append(
                f"{DEVICE_COOKIE}={self._cookies.make()}; Path=/; Max-Age={DEVICE_COOKIE_AGE_S}; HttpOnly; "
                f"SameSite=Strict{secure}"
            )
        return None


def _unauthorised() -> PlainTextResponse:
    return PlainTextResponse(
        "credentials are required\n",
        status_code=401,
        headers={"www-authenticate": 'Basic realm="ppewatch", charset="UTF-8"'},
    )
