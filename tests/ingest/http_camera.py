"""HTTP cameras for the tests, on the standard library's server: MJPEG by multipart, and a file."""

import base64
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
from ingest_clips import picture

BOUNDARY = "frame"


class HttpCamera:
    """Serves ``/video.mjpg`` for ever, ``/clip.mp4`` whole, ``/status/503`` and so on, ``/stall`` and
    ``/page``.

    With ``user`` and ``password`` everything asks for them (Basic).
    """

    def __init__(  # noqa: C901 - the handler class lives inside
        self, *, user: str | None = None, password: str = "", clip: Path | None = None, fps: float = 20.0
    ) -> None:
        wanted = None
        if user is not None:
            wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.closing = threading.Event()
        closing = self.closing
        pictures = [
            cv2.imencode(".jpg", cv2.cvtColor(picture(n), cv2.COLOR_RGB2BGR))[1].tobytes() for n in range(8)
        ]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if wanted is not None and self.headers.get("Authorization") != wanted:
                    self.answer(401, {"WWW-Authenticate": 'Basic realm="camera"'})
                elif self.path.startswith("/status/"):
                    self.answer(int(self.path.removeprefix("/status/")), {})
                elif self.path == "/page":
                    self.answer(200, {"Content-Type": "text/html"}, b"<html><body>Log in</body></html>" * 50)
                elif self.path == "/clip.mp4" and clip is not None:
                    self.answer(200, {"Content-Type": "video/mp4"}, clip.read_bytes())
                else:
                    self.send_pictures(stall_after=5 if self.path == "/stall" else None)

            def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def send_pictures(self, stall_after: int | None) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
                self.end_headers()
                number = 0
                try:
                    while not closing.is_set():
                        if stall_after is None or number < stall_after:
                            data = pictures[number % len(pictures)]
                            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}"
                            self.wfile.write(head.encode() + b"\r\n\r\n" + data + b"\r\n")
                        number += 1
                        time.sleep(1 / fps)
                except OSError:
                    return  # the viewer went away

            def log_message(self, *_args: object) -> None:
                """Nothing: stderr is watched by the tests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, path: str = "/video.mjpg") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
