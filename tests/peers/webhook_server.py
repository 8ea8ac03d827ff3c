"""A real HTTP server on 127.0.0.1 that is posted to, for tests: answers as it is told, and keeps what it got."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request as it came in. ``number`` counts from 1."""

    number: int
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass(frozen=True)
class Reply:
    """``status`` 0 breaks the connection off without an answer; ``raw`` is sent in place of an answer, a byte at a time
    with ``pause_s`` between, until the other side has enough.
    """

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes | None = None
    pause_s: float = 0.0


TAKEN = Reply()


class WebhookServer:
    """A context manager. ``reply`` decides each answer; ``taken`` are the requests that were answered with 2xx.

    ``tls``: the server's context. ``port`` 0 takes a free one.
    """

    def __init__(
        self,
        reply: Callable[[Posted], Reply] = lambda _posted: TAKEN,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self.reply = reply
        self.posted: list[Posted] = []
        self.taken: list[Posted] = []
        self._arrived = threading.Condition()
        self._tls = tls
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> "WebhookServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Nobody listens on the port any more."""
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        """The first true value of ``condition``, asked again when something arrives; fails after the time."""
        end_s = time.monotonic() + timeout_s
        with self._arrived:
            while not (value := condition()):
                left_s = end_s - time.monotonic()
                if left_s <= 0:
                    raise AssertionError(f"not within {timeout_s:.0f} s; {len(self.posted)} posts came")
                self._arrived.wait(min(left_s, 0.2))
            return value

    def wait_taken(self, count: int, timeout_s: float = 30.0) -> list[Posted]:
        """Wait until so many requests were taken."""
        self.wait_for(lambda: len(self.taken) >= count, timeout_s)
        return list(self.taken)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with outer._arrived:
                    posted = Posted(len(outer.posted) + 1, self.path, headers, body, time.time())
                    outer.posted.append(posted)
                reply = outer.reply(posted)
                # before the answer: the next post may be here before this thread goes on
                with outer._arrived:
                    if 200 <= reply.status < 300 and reply.raw is None:
                        outer.taken.append(posted)
                    outer._arrived.notify_all()
                try:
                    self._send(reply)
                except OSError:
                    self.close_connection = True

            def _send(self, reply: Reply) -> None:
                self.close_connection = True
                if reply.raw is not None:
                    for position in range(len(reply.raw)):
                        self.wfile.write(reply.raw[position : position + 1])
                        self.wfile.flush()
                        time.sleep(reply.pause_s)
                    return
                if reply.status == 0:
                    return
                time.sleep(reply.pause_s)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
