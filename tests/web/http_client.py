"""Asks the status page over real HTTP."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from streamer.web.server import WebServer


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


def ask(
    server: WebServer, path: str, *, method: str = "GET", content: bytes | None = None, **headers: str
) -> Answer:
    """One request; underscores in header names become hyphens. The path goes out as it is, not normalised."""
    place = urlsplit(server.address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request(
            method, path, content, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )
        response = connection.getresponse()
        lower = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lower, response.read())
    finally:
        connection.close()
