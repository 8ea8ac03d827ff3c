"""The fleet as a page: what it shows, to whom, and nothing of what sites write as HTML."""

import http.client
import json

import pytest

from streamer.fleet.book import FleetBook
from streamer.fleet.page import create_fleet_app
from streamer.web.access import WebServerError
from streamer.web.server import WebServer


@pytest.fixture
def book():
    """Two sites: one well, one gone, whose names are what they like."""
    book = FleetBook()
    for prefix, available, name in (
        ("p/north", b"online", "north"),
        ("p/x", b"offline", "<script>x</script>"),
    ):
        book.receive("main", prefix, "available", available, retained=False)
        health = {"site": name, "state": "ready", "version": "1.2", "config_revision": "sha256:0123456789"}
        book.receive("main", prefix, "health", json.dumps(health).encode(), retained=False)
    book.receive("main", "p/north", "cameras/gate/status", b'{"state": "online"}', retained=False)
    return book


@pytest.fixture
def get(book):
    """Asks the page as it is served: path, Host -> status, headers, text."""
    server = WebServer(create_fleet_app(book.views, version="9"), "127.0.0.1", 0)
    server.start()
    port = int(server.address.rpartition(":")[2])

    def ask(path, host="localhost"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    yield ask
    server.stop()


def test_the_page_shows_every_site_and_runs_nothing_of_theirs(get):
    status, headers, text = get("/")
    assert status == 200
    assert "1 of 2 sites not as they should be" in text
    assert "1 cameras, 0 down; 0 alerts open" in " ".join(text.split())
    assert '<span class="pill bad">offline</span>' in text
    assert '<span class="pill good">online</span>' in text
    assert "&lt;script&gt;x" in text
    assert "<script" not in text
    assert "01234567" in text
    # as on a site's own pages
    assert "default-src" in headers["content-security-policy"]


def test_half_a_character_of_one_site_hides_no_other(book, get):
    book.receive("main", "p/x", "health", b'{"site": "\\ud800", "state": "\\udfff"}', retained=False)
    assert get("/")[0] == 200
    status, _, text = get("/api/fleet")
    assert status == 200
    assert {site["prefix"] for site in json.loads(text)["each"]} == {"p/north", "p/x"}


def test_it_has_the_look_of_the_dashboard_and_json_for_machines(get):
    assert get("/assets/page.css")[1]["content-type"].startswith("text/css")
    assert get("/assets/icon.svg")[0] == 200
    assert get("/assets/page.js")[0] == 404
    assert json.loads(get("/api/fleet")[2])["by_state"] == {"offline": 1, "online": 1}


def test_foreign_names_and_other_machines_get_nothing(book, get):
    status, _, text = get("/", "evil.example")
    assert status >= 400
    assert "north" not in text
    with pytest.raises(WebServerError, match="reachable from other machines"):
        WebServer(create_fleet_app(book.views, version="9"), "0.0.0.0", 0)
