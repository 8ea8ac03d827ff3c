"""Serves the status page by uvicorn in a thread of its own."""

import asyncio
import logging
import socket
import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from streamer.pulse import NoPulse, Pulse
from streamer.web.access import WebServerError, is_loopback
from streamer.web.connections import ConnectionGuard, guarded_protocol
from streamer.web.server_log import RepeatFilter

START_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 5.0

#: uvicorn looks around ten times a second.
_BEAT_EVERY_TICKS: Final = 10

_log = logging.getLogger(__name__)


class _BeatingServer(uvicorn.Server):
    """Beats while the event loop turns and its threads, in which requests are answered, are not all held."""

    def __init__(self, config: uvicorn.Config, pulse: Pulse) -> None:
        super().__init__(config)
        self._pulse = pulse
        self._asking: asyncio.Task[None] | None = None

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn about ten times a second."""
        if counter % _BEAT_EVERY_TICKS == 0 and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask())
        return await super().on_tick(counter)

    async def _ask(self) -> None:
        await run_in_threadpool(_answer)
        self._pulse.beat()


def _answer() -> None:
    """What a request does at least."""


class WebServer:
    """``app`` of ``streamer.web.app.create_app`` on ``host:port``; port 0 lets the system choose a free one.

    ``proxies`` are addresses whose ``X-Forwarded-For`` is believed; everybody else's is not read.
    ``pulse`` beats while requests can be answered.

    Raises ``WebServerError`` at once for an address wider than loopback when the app has no credentials.
    """

    def __init__(
        self,
        app: Starlette,
        host: str = "127.0.0.1",
        port: int = 8787,
        *,
        proxies: tuple[str, ...] = (),
        guard: ConnectionGuard | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._app = app
        self._pulse = pulse or NoPulse()
        self._listener: socket.socket | None = None
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._bound: tuple[str, int] | None = None
        self._proxies = proxies
        self._guard = guard or ConnectionGuard(app.state.counters, proxies=frozenset(proxies))
        self._wide = not is_loopback(host)
        if self._wide and not app.state.has_credentials:
            raise WebServerError(
                f"http: {host or 'every address'} is reachable from other machines; "
                "configure a user and a password, or listen on 127.0.0.1"
            )

    @property
    def address(self) -> str:
        """Where it answers, ``http://host:port``; raises ``WebServerError`` while it does not."""
        if self._bound is None:
            raise WebServerError("http: the status page is not being served")
        host, port = self._bound
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Bind, and return when requests are answered; ``WebServerError`` when the address cannot be had."""
        if self._thread is not None:
            raise WebServerError("http: the status page is already being served")
        with ExitStack() as on_failure:
            listener = self._listener = on_failure.enter_context(self._bind())
            config = uvicorn.Config(
                self._app,
                # logging belongs to the daemon; requests are not logged, their paths hold alert ids
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=bool(self._proxies),
                forwarded_allow_ips=list(self._proxies),
                http=guarded_protocol(self._guard),
                h11_max_incomplete_event_size=16_384,
                # the guard bounds connections, and each has one request at a time
                limit_concurrency=None,
                timeout_keep_alive=self._guard.idle_s,
                timeout_graceful_shutdown=2,
            )
            for name in ("uvicorn", "uvicorn.error"):
                logging.getLogger(name).setLevel(logging.WARNING)
            uvicorn_log = logging.getLogger("uvicorn.error")
            if not any(isinstance(one, RepeatFilter) for one in uvicorn_log.filters):
                uvicorn_log.addFilter(RepeatFilter())
            server = _BeatingServer(config, self._pulse)
            thread = threading.Thread(target=server.run, args=([listener],), name="web", daemon=True)
            self._server, self._thread = server, thread
            thread.start()
            on_failure.callback(self.stop)
            self._wait_until_started(server, thread)
            self._bound = listener.getsockname()[:2]
            on_failure.pop_all()
        if self._wide:
            _log.warning("the status page at %s is not encrypted; put a TLS proxy before it", self.address)

    def abandon(self) -> None:
        """Leave a server that hangs, or has ended, to itself, and free its port; waits for nothing."""
        if self._server is not None:
            self._server.should_exit = True
        if self._listener is not None:
            self._listener.close()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Finish the requests under way, close, and return when the thread has ended. Twice is allowed."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout_s)
        self._server = self._thread = self._bound = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bind(self) -> socket.socket:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                self._host or None, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            both = self._host == "::" and socket.has_dualstack_ipv6()  # what people mean by [::]
            return socket.create_server(address[:2], family=family, backlog=64, dualstack_ipv6=both)
        except OSError as error:
            reason = error.strerror or str(error)
            raise WebServerError(f"http: cannot listen on {self._host}:{self._port}: {reason}") from error

    def _wait_until_started(self, server: uvicorn.Server, thread: threading.Thread) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise WebServerError(f"http: the status page did not start on {self._host}:{self._port}")
            time.sleep(0.01)  # uvicorn tells by a flag alone
