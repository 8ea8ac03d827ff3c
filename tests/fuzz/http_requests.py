"""Raw bytes at the status page's real server."""

import base64
import contextlib
import logging
import re
import socket
import time
import urllib.request
from pathlib import Path
from random import Random
from typing import Final

from fuzz.byte_mutation import BOUNDARIES, damaged
from fuzz.structured_mutation import damaged_text
from fuzz.target import CANARY, Case, Target, Unexpected
from web.web_site import busy_site

from streamer.web.access import Credentials
from streamer.web.app import create_app
from streamer.web.server import WebServer

_PATHS: Final = (
    *(
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/overview",
        "/api/openapi.json",
        "/api/cameras",
        "/api/alerts",
    ),
    *(
        "/api/alerts?limit=5",
        "/assets/page.js",
        "/api/stages",
        "/api/worker",
        "/api/outbox",
        "/assets/icon.svg",
    ),
    *(
        "/api/alerts/01JD3Z6Q8YB2M4T7VN5C9K0XWE/snapshot",
        "/assets/../../../etc/passwd",
        "/api/alerts/%2e%2e/snapshot",
    ),
    *(
        "//",
        "/%00",
        "/%ff%fe",
        "/api/alerts?limit=%00",
        "/api/alerts?limit=9999999999999",
        "*",
        "http://x/",
        "/\u00e9",
    ),
)
_METHODS: Final = (
    "GET",
    "GET",
    "GET",
    "HEAD",
    "POST",
    "OPTIONS",
    "PUT",
    "DELETE",
    "CONNECT",
    "PRI",
    "get",
    "A" * 200,
)
_FURTHER: Final = (
    *(
        "Connection: keep-alive",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x",
        "Range: bytes=0-",
    ),
    *(
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: 5",
        "Content-Length: -1",
    ),
    *(
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nContent-Length: 6",
        "Expect: 100-continue",
    ),
    *(
        'If-None-Match: "x"',
        "Cookie: a=b",
        "X: " + "y" * 3000,
        "X-Forwarded-For: 1.2.3.4",
        "Origin: null",
        "TE: trailers",
    ),
    *(
        "Accept-Encoding: gzip;q=NaN",
        "Host: a\r\nHost: b",
        "\x00: \x00",
        ": empty",
        "Name",
        " folded: x\r\n more",
    ),
)
_BODIES: Final = (
    b"",
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"-1\r\n\r\n",
    b"\0" * 5000,
)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})\b")

#: What the page may answer to anything.
_ALLOWED: Final = frozenset(
    {
        100,
        200,
        304,
        400,
        401,
        403,
        404,
        405,
        406,
        408,
        411,
        413,
        414,
        415,
        416,
        417,
        421,
        426,
        429,
        431,
        501,
        503,
        505,
    }
)
_ANSWER_LIMIT_S: Final = 10.0
#: Whoever has said nothing for so long has said all.
_SILENCE_S: Final = 0.5


def hostile_request(rng: Random, *, password: str | None = None) -> bytes:
    """A request that is damaged, huge, or odd."""
    method, path = rng.choice(_METHODS), rng.choice(_PATHS)
    lines = [f"{method} {path} HTTP/{rng.choice(('1.1', '1.1', '1.1', '1.0', '2.0', '0.9', '9' * 9))}"]
    hosts = (
        "localhost",
        "localhost",
        "localhost",
        "127.0.0.1:80",
        "[::1]",
        "evil.example",
        "",
        "a" * 300,
        "loc@l:99999",
    )
    lines.append(f"Host: {rng.choice(hosts)}")
    if password is not None:
        lines.append(_authorization(rng, password))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 5))):
        lines.append(rng.choice(_FURTHER))
    if rng.random() < 0.02:
        lines += [f"X-{number}: {'z' * 100}" for number in range(rng.choice((200, 2000)))]
    rng.shuffle(lines[1:])
    end = rng.choice(("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\0"))
    data = (end.join(lines) + end * 2).encode("utf-8") + rng.choice(_BODIES)
    match rng.randrange(8):
        case 0:
            data = damaged(data, rng)
        case 1:
            data = damaged_text(data, rng)
        case 2 if rng.random() < 0.1:
            data = data[: len(data) // 2] + b"A" * rng.choice((70_000, 400_000)) + data[len(data) // 2 :]
        case 3:
            data = data * rng.choice((1, 2, 5))
    return data


def _authorization(rng: Random, password: str) -> str:
    given = rng.choice(
        (
            *[f"viewer:{password}"] * 6,
            f"viewer:{password[:-1]}",
            f"viewer:{password}\0",
            "viewer",
            ":",
            "viewer:" + "x" * rng.choice((10, 5000)),
            f"Viewer:{password}",
            str(rng.choice(BOUNDARIES)),
        )
    )
    encoded = base64.b64encode(given.encode()).decode()
    if rng.random() < 0.3:
        encoded = damaged(encoded.encode(), rng, most=2).decode("latin-1")
    return f"Authorization: {rng.choice(('Basic', 'Basic', 'basic', 'Bearer', 'Digest', '', 'Basic Basic'))} {encoded}"


def exchange(port: int, data: bytes, *, pieces: int = 1, hang_up: bool = False) -> bytes:
    """Send raw bytes and read what comes until the other side closes or says no more.

    Raises ``Unexpected`` when the connection is held without a word although all was said.
    """
    with contextlib.closing(
        socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_LIMIT_S)
    ) as connection:
        step = max(1, -(-len(data) // pieces))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for at in range(0, len(data), step):
                connection.sendall(data[at : at + step])
            if hang_up:
                return b""
        got = b""
        # whoever says nothing further lets the server close: an incomplete request is answered by the end
        connection.settimeout(_SILENCE_S)
        said_all = False
        deadline = time.monotonic() + _ANSWER_LIMIT_S
        while time.monotonic() < deadline:
            try:
                piece = connection.recv(1 << 16)
            except TimeoutError:
                if said_all:
                    continue
                said_all = True
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                continue
            except ConnectionResetError:
                return got
            if not piece:
                return got
            got += piece
            connection.settimeout(_SILENCE_S / 8)
            if len(got) > 20_000_000:
                raise Unexpected("an answer without end")
        raise Unexpected(f"the connection stays open after {_ANSWER_LIMIT_S:g} s; so far: {got[:200]!r}")


def check_answer(answer: bytes, *, secret: str) -> bool:
    """Whether something was given; raises ``Unexpected`` where it must not look so."""
    if secret.encode() in answer or base64.b64encode(f"viewer:{secret}".encode()) in answer:
        raise Unexpected("an answer tells the password")
    if b"Traceback" in answer or b'File "' in answer:
        raise Unexpected(f"an answer shows a traceback: {answer[:500]!r}")
    statuses = [int(number) for number in _STATUS.findall(answer)]
    if answer and not statuses:
        raise Unexpected(f"an answer that is no HTTP: {answer[:200]!r}")
    if odd := set(statuses) - _ALLOWED:
        raise Unexpected(f"an answer with status {sorted(odd)}: {answer[:300]!r}")
    return 200 in statuses


class HttpRequests(Target):
    """The page as it is by default, on loopback and without a password."""

    title = "HTTP requests"
    cases = 3_000
    short = 40
    limit_s = 60.0
    most_mb = 256.0
    password: str | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        credentials = None if self.password is None else Credentials("viewer", self.password)
        app = create_app(busy_site(), site_name="north <yard>", version="1", credentials=credentials)
        # tracebacks of the server's own loop are ours to see
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        self._server = WebServer(app, "127.0.0.1", 0)
        self._server.start()
        self._port = int(self._server.address.rpartition(":")[2])
        self._cases = 0

    def make(self, rng: Random) -> Case:
        return Case(hostile_request(rng, password=self.password), ".http", rng.randrange(1 << 16))

    def run(self, case: Case) -> bool:
        rng = Random(case.options)
        pieces = rng.choice((1, 1, 1, 2, 7, 40))
        answer = exchange(self._port, case.data, pieces=pieces, hang_up=rng.random() < 0.1)
        accepted = check_answer(answer, secret=self.password or CANARY)
        self._cases += 1
        if self._cases % 10 == 0:
            self._check_service()
        return accepted

    def _check_service(self) -> None:
        """After all that, a plain request is answered."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/healthz", timeout=20) as answer:
            if answer.status != 200:
                raise Unexpected(f"/healthz answers {answer.status}")

    def close(self) -> None:
        self._server.stop()


class HttpRequestsWithCredentials(HttpRequests):
    """The page with a password, as it is served to other machines."""

    title = "HTTP requests, with a password"
    cases = 1_500
    short = 30
    password = CANARY
