"""Who is let in to the status page, over real HTTP."""

import base64
import logging
import socket

import pytest
from http_client import ask
from web_site import FIRST_ALERT, Site

from streamer.web.access import SECURITY_HEADERS, WebServerError, is_loopback
from streamer.web.app import create_app
from streamer.web.credentials import Credentials
from streamer.web.server import WebServer

USER = Credentials("operator", "correct horse: b\u00e4ttery")
PATHS = (
    "/",
    "/part/wall",
    "/alerts",
    "/compliance",
    "/system",
    "/api/live",
    "/api/compliance.csv",
    "/api/cameras",
    "/api/alerts",
    f"/api/alerts/{FIRST_ALERT}/snapshot",
    f"/api/alerts/{FIRST_ALERT}/thumbnail",
    "/api/openapi.json",
    "/metrics",
    "/readyz",
    "/assets/page.css",
)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.fixture
def guarded(site: Site):
    app = create_app(site, site_name="yard", version="1", credentials=USER)
    with WebServer(app, "127.0.0.1", 0) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_without_credentials_nothing_but_liveness_is_told(guarded: WebServer, path: str) -> None:
    answer = ask(guarded, path)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Basic realm="ppewatch"')
    assert answer.body == b"credentials are required\n"
    assert ask(guarded, path, authorization=basic(f"{USER.user}:{USER.password}")).status == 200
    assert ask(guarded, "/healthz").status == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Bearer " + base64.b64encode(f"{USER.user}:{USER.password}".encode()).decode(),
        basic(""),
        basic("operator"),
        basic("operator:"),
        basic("operator:correct horse"),
        basic(f"operator:{USER.password}x"),
        basic(f"Operator:{USER.password}"),
        basic(f"operatorc:{USER.password[1:]}"),
        basic("operator:\x00"),
        "Basic " + base64.b64encode(b"operator:\xff\xfe").decode(),
    ],
)
def test_near_misses_are_refused(guarded: WebServer, header: str) -> None:
    assert ask(guarded, "/api/alerts", authorization=header).status == 401


@pytest.mark.parametrize("path", [*PATHS, "/healthz", "/nothing", "/api/alerts/../../etc/passwd/snapshot"])
def test_every_answer_carries_the_fences(server: WebServer, path: str) -> None:
    answer = ask(server, path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "cache-control" in answer.headers
    assert "server" not in answer.headers
    assert "'unsafe" not in answer.headers["content-security-policy"]


def test_a_foreign_host_name_is_refused_on_an_open_page(server: WebServer) -> None:
    port = server.address.rpartition(":")[2]
    for name in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1.evil.example",
        "[",
        "",
        "localhost.evil",
        "x@localhost",
    ):
        assert ask(server, "/api/alerts", host=name).status in {400, 421}, name
    for name in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", "[::1]:80"):
        assert ask(server, "/api/alerts", host=name).status == 200, name


def test_a_proxy_on_this_host_may_use_its_own_name(site: Site) -> None:
    app = create_app(site, site_name="yard", version="1", allowed_hosts=("Watch.Example",))
    with WebServer(app, "127.0.0.1", 0) as running:
        assert ask(running, "/", host="watch.example").status == 200
        assert ask(running, "/", host="127.0.0.1").status == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(server: WebServer, method: str) -> None:
    for path in PATHS:
        assert ask(server, path, method=method).status == (405 if method == "OPTIONS" else 403)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_a_wide_address_needs_credentials(site: Site, host: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WebServerError, match="configure a user and a password"):
        WebServer(create_app(site, site_name="yard", version="1"), host, 0)
    app = create_app(site, site_name="yard", version="1", credentials=USER)
    try:
        with caplog.at_level(logging.WARNING), WebServer(app, host, 0) as running:
            port = int(running.address.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                pass
    except WebServerError as error:
        if host != "::":
            raise
        pytest.skip(f"no IPv6 here: {error}")
    assert "not encrypted" in caplog.text
    assert USER.password not in caplog.text


def test_loopback_is_told_from_everything_else() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "", "192.0.2.1", "fe80::1%lo"))
    with pytest.raises(WebServerError, match="cannot resolve"):
        is_loopback("no-such-host.invalid")


def test_the_password_is_not_shown() -> None:
    assert USER.password not in f"{USER!r} {USER}"
    for user, password in (("", "x"), ("x", ""), ("a:b", "x")):
        with pytest.raises(ValueError, match="must not"):
            Credentials(user, password)
