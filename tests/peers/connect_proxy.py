"""A real HTTP proxy on 127.0.0.1 for tests: opens tunnels (CONNECT), or refuses them, and keeps what it was asked."""

import select
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ConnectProxy:
    """A context manager. ``asked`` are the request lines that came; ``refuses`` answers each with 403."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.asked: list[str] = []
        self._refuses = refuses
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ConnectProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                outer.asked.append(self.requestline)
                host, _, port = self.path.rpartition(":")
                if outer._refuses:
                    self.send_error(403)
                    return
                with socket.create_connection((host, int(port)), timeout=10) as other:
                    self.send_response(200)
                    self.end_headers()
                    _carry(self.connection, other)
                self.close_connection = True

            def do_POST(self) -> None:
                outer.asked.append(self.requestline)
                self.send_error(502)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _carry(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways, until one side ends."""
    with suppress(OSError):
        while True:
            for ready in select.select([one, other], [], [], 30)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                (other if ready is one else one).sendall(data)
