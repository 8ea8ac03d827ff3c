"""A TCP proxy that does to a connection what networks do: delays, loses, breaks and damages, switched while it runs."""

import asyncio
import math
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

_CHUNK: Final = 65536
#: Chunks of one direction that may be under way while they are delayed; more than that stays with the sender.
_UNDER_WAY: Final = 256
#: How often a direction that is held looks whether it still is.
_LOOK_S: Final = 0.02
#: Closing with it set ends a connection with RST.
_LINGER_NOT: Final = struct.pack("ii", 1, 0)

#: Changes the bytes of one connection as they pass; made anew for each connection, so that it may remember some.
Filter = Callable[[bytes], bytes]


@dataclass(eq=False, slots=True)
class Flow:
    """What happens in one direction; set the attributes while the proxy runs, from any thread.

    - ``delay_s``: everything arrives so much later, in its order.
    - ``bytes_per_s``: no more than that; None: as fast as it goes.
    - ``held``: nothing is taken from the sender; what was held goes on when this is False again.
    - ``swallow``: what comes is thrown away and the sockets stay open. Where a connection has lost bytes so, nothing
      passes in this direction for the rest of its life, not even its end: set both flows for one that is half-open.
    - ``flip_rate``: share of the bytes in which one bit is turned; the proxy's ``seed`` and the connection's number
      say which.
    - ``cut_after_bytes``: reset each connection once so many have passed in this direction since it began.
    - ``new_filter``: makes what the bytes of each connection pass, after all else; looked at when one begins.

    Counted: ``passed_bytes``, ``swallowed_bytes``, ``flipped_bytes``.
    """

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    held: bool = False
    swallow: bool = False
    flip_rate: float = 0.0
    cut_after_bytes: int | None = None
    new_filter: Callable[[], Filter] | None = None
    passed_bytes: int = 0
    swallowed_bytes: int = 0
    flipped_bytes: int = 0

    def heal(self) -> None:
        """No fault from now on."""
        self.delay_s, self.bytes_per_s, self.held, self.swallow = 0.0, None, False, False
        self.flip_rate, self.cut_after_bytes, self.new_filter = 0.0, None, None


@dataclass(eq=False, slots=True)
class _Link:
    """One client's connection and the proxy's own to the upstream."""

    client: asyncio.StreamWriter
    upstream: asyncio.StreamWriter
    lost: set[Flow] = field(default_factory=set)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def close(self, *, reset: bool) -> None:
        for task in self.tasks:
            task.cancel()
        for writer in (self.client, self.upstream):
            if reset:
                with suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT
                    )
                writer.transport.abort()
            else:
                writer.close()


class TcpProxy:
    """Listens on ``port`` of 127.0.0.1 and carries each connection to ``upstream_host:upstream_port``.

    ``up`` is the direction from client to upstream, ``down`` the way back. A context manager; runs in a thread of its
    own. Where one side ends its connection so does the other, in the same way; a client is reset when the upstream
    cannot be reached. ``connections`` counts those that were taken. Any thread may call the methods.
    """

    def __init__(self, upstream_port: int, *, upstream_host: str = "127.0.0.1", seed: int = 0) -> None:
        self.up, self.down = Flow(), Flow()
        self.connections = 0
        self._upstream = (upstream_host, upstream_port)
        self._seed = seed
        self._links: set[_Link] = set()
        #: All there ever were: one that closes in the regular way stays open until its peer has read what is left.
        self._transports: list[asyncio.WriteTransport] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """End every connection and the thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def refuse(self) -> None:
        """Take no new connections: they are refused as if nobody listened. Those that are open stay."""
        self._run(self._close_server())

    def accept(self) -> None:
        """Listen again, on the same port."""
        self._run(self._listen())

    def drop(self) -> int:
        """End the open connections in the regular way (FIN); how many there were."""
        return self._run(self._close_links(reset=False))

    def reset(self) -> int:
        """Break the open connections off (RST); how many there were."""
        return self._run(self._close_links(reset=True))

    def heal(self) -> None:
        """No fault in either direction, and new connections are taken; half-open ones stay what they are."""
        self.up.heal()
        self.down.heal()
        self.accept()

    @property
    def open(self) -> int:
        """Connections that are open now, half-open ones included."""
        return len(self._links)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._on_client, "127.0.0.1", self.port, backlog=512)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close_server(self) -> None:
        if self._server is None:
            return
        server, self._server = self._server, None
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        # one that was just taken needs a server that is open, or its socket is forgotten (asyncio.base_events.Server)
        for _ in range(3):
            await asyncio.sleep(0)
        server.close()

    async def _close_links(self, *, reset: bool) -> int:
        links = list(self._links)
        tasks = [task for link in links for task in link.tasks]
        for link in links:
            link.close(reset=reset)
        self._links.difference_update(links)
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(links)

    async def _end(self) -> None:
        await self._close_server()
        await self._close_links(reset=True)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0)  # aborted transports close their sockets in the loop's next round

    def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._transports.append(writer.transport)
        work = asyncio.create_task(self._connect(reader, writer, self.connections))
        self._connecting.add(work)
        work.add_done_callback(self._connecting.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            _Link(writer, writer).close(reset=True)
            return
        self._transports.append(far_writer.transport)
        link = _Link(writer, far_writer)
        self._links.add(link)
        for flow, source, target in ((self.up, reader, far_writer), (self.down, far_reader, writer)):
            link.tasks.append(asyncio.create_task(self._carry(link, flow, source, target, number)))

    async def _carry(
        self, link: _Link, flow: Flow, source: asyncio.StreamReader, target: asyncio.StreamWriter, number: int
    ) -> None:
        """One direction of connection ``number``, from its beginning to its end."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)
        link.tasks.append(asyncio.create_task(self._deliver(link, flow, under_way, target, number)))
        reset = False
        while True:
            await self._while_held(flow)
            try:
                data = await source.read(_CHUNK)
            except OSError:
                data, reset = b"", True
            await self._while_held(flow)
            if flow.swallow:
                link.lost.add(flow)
            if not data:
                break
            if flow in link.lost:
                flow.swallowed_bytes += len(data)
            else:
                await under_way.put((time.monotonic() + flow.delay_s, data))
        await under_way.join()
        if flow not in link.lost:
            self._over(link, reset=reset)

    async def _deliver(
        self,
        link: _Link,
        flow: Flow,
        under_way: "asyncio.Queue[tuple[float, bytes]]",
        target: asyncio.StreamWriter,
        number: int,
    ) -> None:
        through = None if flow.new_filter is None else flow.new_filter()
        flips = _BitFlips(flow, random.Random(f"{self._seed} {number} {flow is self.up}"))
        passed = 0
        while True:
            due_s, data = await under_way.get()
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            for piece in _pieces(flips.pass_through(data), flow.bytes_per_s):
                if flow in link.lost:
                    flow.swallowed_bytes += len(piece)
                    continue
                # where the target is gone its own direction ends the connection
                with suppress(OSError):
                    target.write(piece if through is None else through(piece))
                    await target.drain()
                flow.passed_bytes += len(piece)
                passed += len(piece)
                if flow.cut_after_bytes is not None and passed >= flow.cut_after_bytes:
                    self._over(link, reset=True)
                if flow.bytes_per_s is not None:
                    await asyncio.sleep(len(piece) / flow.bytes_per_s)
            under_way.task_done()

    async def _while_held(self, flow: Flow) -> None:
        while flow.held:
            await asyncio.sleep(_LOOK_S)

    def _over(self, link: _Link, *, reset: bool) -> None:
        """One side has ended, and so does the other."""
        self._links.discard(link)
        link.close(reset=reset)


class _BitFlips:
    """Turns bits of one direction of one connection; which ones does not depend on how its bytes come in."""

    def __init__(self, flow: Flow, chance: random.Random) -> None:
        self._flow = flow
        self._chance = chance
        self._spared: int | None = None

    def pass_through(self, data: bytes) -> bytes:
        rate = self._flow.flip_rate
        if not rate:
            self._spared = None
            return data
        bent = bytearray(data)
        place = self._draw(rate) if self._spared is None else self._spared
        while place < len(bent):
            bent[place] ^= 1 << self._chance.randrange(8)
            self._flow.flipped_bytes += 1
            place += 1 + self._draw(rate)
        self._spared = place - len(bent)
        return bytes(bent)

    def _draw(self, rate: float) -> int:
        """Bytes up to the next one that is bent (a geometric distribution)."""
        return int(math.log(1 - self._chance.random()) / math.log(1 - rate)) if rate < 1 else 0


def _pieces(data: bytes, bytes_per_s: float | None) -> list[bytes]:
    """All at once, or as much as passes in a twentieth of a second."""
    if bytes_per_s is None:
        return [data]
    step = max(1, int(bytes_per_s / 20))
    return [data[begin : begin + step] for begin in range(0, len(data), step)]
