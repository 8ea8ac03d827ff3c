"""Bounds what connections may take: how many, how many of one address, and how long a request may dawdle.

uvicorn counts connections but lets one that never finishes its request stay for ever ("slow loris"), and one that never
reads its answer as well. A few dozens of either would keep everybody else out.
"""

import asyncio
from collections import Counter
from enum import Enum, auto
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamer.web.counters import Refusal, RefusalCounters
from streamer.web.guessing import client_of_address

MOST_CONNECTIONS: Final = 128
MOST_PER_CLIENT: Final = 32
#: From the connection, or the first byte of a further request, to the last byte of the request.
REQUEST_S: Final = 15.0
#: From there to the last byte of the answer.
ANSWER_S: Final = 60.0
#: Between two requests of one connection; what of an answer was not read by then is dropped soon after.
IDLE_S: Final = 10

_BAD_REQUEST: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
)


class _Phase(Enum):
    """What a connection is being waited for."""

    IDLE = auto()
    RECEIVING = auto()
    ANSWERING = auto()


class ConnectionGuard:
    """Who may connect. Used by the web server's one event loop alone.

    ``proxies`` are addresses whose connections are those of many clients.
    """

    def __init__(
        self,
        counters: RefusalCounters,
        *,
        most: int = MOST_CONNECTIONS,
        most_per_client: int = MOST_PER_CLIENT,
        request_s: float = REQUEST_S,
        answer_s: float = ANSWER_S,
        idle_s: int = IDLE_S,
        proxies: frozenset[str] = frozenset(),
    ) -> None:
        self.request_s = request_s
        self.answer_s = answer_s
        self.idle_s = idle_s
        self._counters = counters
        self._most = most
        self._most_per_client = most_per_client
        self._proxies = frozenset(map(client_of_address, proxies))
        self._open: Counter[str] = Counter()

    @property
    def open_connections(self) -> int:
        """How many there are."""
        return self._open.total()

    def admit(self, address: str) -> str | None:
        """The name under which to ``leave`` later, or None: not now."""
        client = client_of_address(address)
        of_client = 0 if client in self._proxies else self._open[client]
        if self._open.total() >= self._most or of_client >= self._most_per_client:
            self._counters.add(Refusal.CONNECTIONS)
            return None
        self._open[client] += 1
        return client

    def leave(self, client: str) -> None:
        """The connection has ended."""
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]

    def too_slow(self) -> None:
        """A connection was cut because it dawdled."""
        self._counters.add(Refusal.SLOW)


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol under the ``guard`` of its class."""

    guard: ConnectionGuard

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admitted: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._phase = _Phase.IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or drop it at once."""
        super().connection_made(transport)
        self._admitted = self.guard.admit(self.client[0] if self.client else "")
        if self._admitted is None:
            transport.abort()
        else:
            self._enter(_Phase.RECEIVING)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place free."""
        self._enter(_Phase.IDLE)
        if self._admitted is not None:
            self.guard.leave(self._admitted)
            self._admitted = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Let it go on for as long as its request may take."""
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.RECEIVING)
        super().data_received(data)

    def handle_events(self) -> None:
        """Look what it waits for now."""
        super().handle_events()
        if self.conn.their_state is h11.SEND_BODY:
            self._enter(_Phase.RECEIVING)
        elif self.cycle is not None and not self.cycle.response_complete:
            self._enter(_Phase.ANSWERING)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, where an answer can still be given, and let nobody answer after that."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # damage behind a request that is being answered: that answer would come when all is over
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            # written as it is: h11 refuses a body to whoever asked by HEAD before
            self.transport.write(_BAD_REQUEST % (len(msg), msg.encode("ascii")))
        self.transport.close()
        self._abort_later()

    def on_response_complete(self) -> None:
        """Let the next request begin."""
        # a body that is still coming has what is left of its time
        if self.conn.their_state is not h11.SEND_BODY:
            self._enter(_Phase.IDLE)
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_later()

    def timeout_keep_alive_handler(self) -> None:
        """Close it, and do not wait for ever until it is."""
        super().timeout_keep_alive_handler()
        self._abort_later()

    def _abort_later(self) -> None:
        # what the other side does not read would be kept for it without an end
        self.loop.call_later(self.guard.request_s, self.transport.abort)

    def _enter(self, phase: "_Phase") -> None:
        if phase is self._phase:
            return
        self._phase = phase
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        seconds = {_Phase.RECEIVING: self.guard.request_s, _Phase.ANSWERING: self.guard.answer_s}.get(phase)
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._cut)

    def _cut(self) -> None:
        self.guard.too_slow()
        self.transport.abort()


def guarded_protocol(guard: ConnectionGuard) -> type[GuardedProtocol]:
    """The protocol, for uvicorn, under ``guard``."""
    return type("GuardedProtocol", (GuardedProtocol,), {"guard": guard})
