"""Who may read the page: listen addresses, credentials, host names and the browser's fences."""

import base64
import binascii
import hmac
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.errors import StreamerError

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
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class WebServerError(StreamerError):
    """The status page cannot be served at the wanted address, or not safely."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One user of the page. Neither ``repr`` nor comparison shows the password."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.user or not self.password or ":" in self.user:
            raise ValueError("user and password must not be empty, and the user must not contain a colon")

    def match(self, headers: Headers) -> bool:
        """Whether the request carries these credentials (RFC 7617), in a time that tells nothing of them."""
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self.user}:{self.password}".encode())


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
    """ASGI middleware: refuses foreign host names and missing credentials, and adds the security headers.

    Without credentials only ``allowed_hosts`` may stand in the Host header.
    """

    def __init__(
        self, app: ASGIApp, *, credentials: Credentials | None, allowed_hosts: tuple[str, ...]
    ) -> None:
        self._app = app
        self._credentials = credentials
        self._allowed_hosts = frozenset(name.lower() for name in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_fenced(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._app)(scope, receive, send_fenced)

    def _refusal(self, request: HTTPConnection) -> PlainTextResponse | None:
        if self._credentials is None:
            # from the header itself: Starlette's URL falls back to the socket's address when it is malformed
            named = _HOST.fullmatch(request.headers.get("host", ""))
            if named and (named["name"] or named["ipv6"]).lower() in self._allowed_hosts:
                return None
            return PlainTextResponse("this address is not served under that host name\n", status_code=421)
        if request.url.path in OPEN_PATHS or self._credentials.match(request.headers):
            return None
        return PlainTextResponse(
            "credentials are required\n",
            status_code=401,
            headers={"www-authenticate": 'Basic realm="ppewatch", charset="UTF-8"'},
        )
