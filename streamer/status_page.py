"""The status page of the daemon: its server, started, made anew and stopped."""

import logging
from collections.abc import Callable

from starlette.applications import Starlette

from config import SiteSettings
from streamer.service.heartbeats import Heartbeats
from streamer.web.access import WebServerError
from streamer.web.server import WebServer

_log = logging.getLogger(__name__)


class StatusPage:
    """Serves what ``make_app`` makes at the address of the settings, or nothing where they switch it off."""

    def __init__(self, site: SiteSettings, make_app: Callable[[], Starlette], heartbeats: Heartbeats) -> None:
        self._http = site.http
        self._make_app = make_app
        self._heartbeats = heartbeats
        self._server: WebServer | None = None

    @property
    def address(self) -> str | None:
        """Where it is served, or None when it is not."""
        return None if self._server is None else self._server.address

    def start(self) -> None:
        """Serve from now on; an address that cannot be had is logged, and nothing more."""
        if not self._http.enabled:
            return
        pulse = self._heartbeats.add("web")
        server = WebServer(
            self._make_app(), self._http.host, self._http.port, proxies=self._http.proxies, pulse=pulse
        )
        try:
            server.start()
        except WebServerError as error:
            # a port that is taken must not keep the site from being watched
            _log.error("no status page: %s", error)
            self._heartbeats.remove(pulse)
            return
        self._server = server
        _log.info("status page: %s", server.address)

    def restart(self) -> None:
        """Leave a server that hangs or has ended to itself, and start another on the same address."""
        if self._server is not None:
            self._server.abandon()
            self.start()

    def stop(self, timeout_s: float) -> None:
        """End it."""
        if self._server is not None:
            self._server.stop(timeout_s)
