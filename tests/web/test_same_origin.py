"""No other site's page changes or reads anything through the browser of somebody who is logged in."""

import base64
from collections.abc import Iterator

import pytest
from http_client import ask
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from web_site import Site

from streamer.web.app import create_app
from streamer.web.body_limit import MAX_BODY_BYTES
from streamer.web.counters import Refusal
from streamer.web.credentials import Credentials
from streamer.web.same_origin import TOKEN_HEADER
from streamer.web.server import WebServer

BASIC = "Basic " + base64.b64encode(b"operator:password").decode()


class Changeable:
    """The app with a route that changes something, as a dashboard will have."""

    def __init__(self, site: Site, credentials: Credentials | None) -> None:
        self.changes: list[bytes] = []
        self.app = create_app(site, site_name="yard", version="1", credentials=credentials)
        self.app.router.routes.append(Route("/api/change", self._change, methods=["POST"]))

    async def _change(self, request: Request) -> PlainTextResponse:
        self.changes.append(await request.body())
        return PlainTextResponse("done")


@pytest.fixture
def changeable(site: Site) -> Iterator[tuple[WebServer, Changeable]]:
    made = Changeable(site, Credentials("operator", "password"))
    with WebServer(made.app, "127.0.0.1", 0) as running:
        yield running, made


def token_of(server: WebServer) -> str:
    return str(ask(server, "/api/token", authorization=BASIC).json["token"])


def post(server: WebServer, **headers: str) -> int:
    return ask(server, "/api/change", method="POST", authorization=BASIC, **headers).status


def test_our_own_page_and_programs_with_the_token_may_change(changeable) -> None:
    server, made = changeable
    own = server.address
    token = token_of(server)
    assert post(server, x_ppewatch_token=token) == 200, "a program, which says nothing of where it comes from"
    assert post(server, x_ppewatch_token=token, origin=own, sec_fetch_site="same-origin") == 200
    assert post(server, x_ppewatch_token=token, origin=own.replace("http:", "https:")) == 200, "a TLS proxy"
    assert len(made.changes) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_ppewatch_token": ""},
        {"x_ppewatch_token": "x" * 43},
        {"x_ppewatch_token": "\u00e4"},
        {"x_ppewatch_token": "TOKEN", "origin": "http://evil.example"},
        {"x_ppewatch_token": "TOKEN", "origin": "null"},
        {"x_ppewatch_token": "TOKEN", "origin": ""},
        {"x_ppewatch_token": "TOKEN", "origin": "http://["},
        {"x_ppewatch_token": "TOKEN", "origin": "file://127.0.0.1"},
        {"x_ppewatch_token": "TOKEN", "sec_fetch_site": "cross-site"},
        {"x_ppewatch_token": "TOKEN", "sec_fetch_site": "same-site"},
        {"x_ppewatch_token": "TOKEN", "sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin"},
    ],
)
def test_everything_else_is_refused(changeable, headers: dict[str, str]) -> None:
    server, made = changeable
    token = token_of(server)
    given = {name: token if text == "TOKEN" else text for name, text in headers.items()}
    assert post(server, **given) == 403
    assert not made.changes
    assert made.app.state.counters[Refusal.FOREIGN] == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "MADEUP"])
def test_whatever_the_method_and_the_path_the_default_is_no(changeable, method: str) -> None:
    server, _ = changeable
    for path in ("/", "/api/change", "/healthz", "/nothing"):
        assert ask(server, path, method=method, authorization=BASIC).status == 403, path


def test_the_token_is_for_those_who_log_in_and_new_each_time(changeable, site: Site) -> None:
    server, _ = changeable
    assert ask(server, "/api/token").status == 401
    foreign = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "cors"}
    assert ask(server, "/api/token", authorization=BASIC, **foreign).status == 403
    other = Changeable(site, Credentials("operator", "password"))
    with WebServer(other.app, "127.0.0.1", 0) as second:
        assert token_of(second) != token_of(server)


def test_without_credentials_nothing_can_be_changed(site: Site) -> None:
    made = Changeable(site, None)
    with WebServer(made.app, "127.0.0.1", 0) as server:
        token = token_of(server)
        assert ask(server, "/api/change", method="POST", x_ppewatch_token=token).status == 403
        assert ask(server, "/").status == 200
    assert not made.changes


@pytest.mark.parametrize("site_of", ["cross-site", "same-site"])
def test_other_sites_may_link_to_the_page_and_embed_nothing(changeable, site_of: str) -> None:
    server, _ = changeable
    embedded = {"sec_fetch_site": site_of, "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}
    framed = {"sec_fetch_site": site_of, "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}
    linked = {"sec_fetch_site": site_of, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    for headers, status in ((embedded, 403), (framed, 403), (linked, 200)):
        assert ask(server, "/", authorization=BASIC, **headers).status == status
    assert ask(server, "/api/alerts", authorization=BASIC, sec_fetch_site="same-origin").status == 200
    assert (
        ask(server, "/", authorization=BASIC, sec_fetch_site="none", sec_fetch_mode="navigate").status == 200
    )


def test_bodies_are_bounded_announced_or_not(changeable) -> None:
    server, made = changeable
    token = token_of(server)
    head = {"authorization": BASIC, TOKEN_HEADER: token}
    for body, status in ((b"a" * MAX_BODY_BYTES, 200), (b"a" * (MAX_BODY_BYTES + 1), 413)):
        assert send(server, head, body) == status
        assert send(server, head, iter([body])) == status, "in chunks"
    assert [len(body) for body in made.changes] == [MAX_BODY_BYTES] * 2
    assert made.app.state.counters[Refusal.BODY] == 2
    assert (
        ask(
            server,
            "/api/change",
            method="POST",
            content_length="9" * 15,
            **{"authorization": BASIC, "x_ppewatch_token": token},
        ).status
        == 413
    )


def send(server: WebServer, headers: dict[str, str], body: object) -> int:
    from http.client import HTTPConnection  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    place = urlsplit(server.address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("POST", "/api/change", body=body, headers=headers)  # type: ignore[arg-type]
        return connection.getresponse().status
    finally:
        connection.close()
