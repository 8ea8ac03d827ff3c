"""A status page on a free port of loopback."""

from collections.abc import Iterator

import pytest
from web_site import Site, busy_site

from streamer.web.app import create_app
from streamer.web.server import WebServer


@pytest.fixture
def site() -> Site:
    return busy_site()


@pytest.fixture
def server(site: Site) -> Iterator[WebServer]:
    app = create_app(
        site,
        site_name="north <yard>",
        version="1.2.3",
        timezone="Europe/Brussels",
        live=site,
        history=site,
        zones=lambda: {"entrance": {"desk": ((0.1, 0.4), (0.6, 0.4), (0.6, 0.99), (0.1, 0.99))}},
    )
    with WebServer(app, "127.0.0.1", 0) as running:
        yield running
