"""An MQTT 3.1.1 broker inside this process, for the demo and for tests without a system broker.

It is amqtt on an event loop of its own thread, on loopback, open to anyone who can reach loopback and with
nothing kept on disk. It is no replacement for a site's broker: it speaks no MQTT 5, and a subscriber that
disconnects keeps no session.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import AMQTTError

from streamer.errors import StreamerError

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 10.0

_LISTENER: Final = "default"


class EmbeddedBrokerError(StreamerError):
    """The embedded broker could not be started."""


class EmbeddedBroker:
    """A broker on ``127.0.0.1:port``; port 0 lets the system choose a free one. Use as a context manager.

    The listening socket is ours and amqtt gets each accepted connection ("external" listener), because the
    port of a socket that amqtt opens itself cannot be asked for.
    """

    host: Final = "127.0.0.1"

    def __init__(self, port: int = 0) -> None:
        self._wanted_port = port
        self._port: int | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def port(self) -> int:
        """The port it listens on; raises ``EmbeddedBrokerError`` while it does not."""
        if self._port is None:
            raise EmbeddedBrokerError("the embedded broker is not running")
        return self._port

    def start(self) -> None:
        """Start, and return when clients can connect; ``EmbeddedBrokerError`` when the port cannot be had."""
        if self._thread is not None:
            raise EmbeddedBrokerError("the embedded broker is already running")
        # amqtt and its state machine tell every connection; only what goes wrong is of interest here
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.ERROR)
        started = threading.Event()
        failures: list[BaseException] = []
        self._thread = threading.Thread(
            target=self._run, args=(started.set, failures), name="embedded-broker", daemon=True
        )
        self._thread.start()
        in_time = started.wait(START_TIMEOUT_S)
        if failures or not in_time:
            self.stop()
            reason = str(failures[0]) if failures else f"not up after {START_TIMEOUT_S:.0f} s"
            raise EmbeddedBrokerError(
                f"the embedded broker did not start on {self.host}:{self._wanted_port}: {reason}"
            ) from (failures[0] if failures else None)

    def stop(self) -> None:
        """Disconnect every client and return when the thread has ended. Stopping twice is allowed."""
        thread, loop, stop = self._thread, self._loop, self._stop
        if thread is None:
            return
        if loop is not None and stop is not None and thread.is_alive():
            with suppress(RuntimeError):  # the loop closed between the two lines: it is stopping by itself
                loop.call_soon_threadsafe(stop.set)
        thread.join(STOP_TIMEOUT_S)
        self._thread = self._loop = self._stop = self._port = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, started: Callable[[], None], failures: list[BaseException]) -> None:
        try:
            asyncio.run(self._serve(started))
        except (OSError, AMQTTError) as error:
            failures.append(error)
        finally:
            started()

    async def _serve(self, started: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        broker = Broker(_configuration())
        await broker.start()
        try:
            handlers: set[asyncio.Task[None]] = set()

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.ensure_future(
                    broker.external_connected(
                        StreamReaderAdapter(reader), StreamWriterAdapter(writer), _LISTENER
                    )
                )
                handlers.add(task)
                task.add_done_callback(handlers.discard)

            server = await asyncio.start_server(accept, self.host, self._wanted_port)
            self._port = server.sockets[0].getsockname()[1]
            started()
            await self._stop.wait()
            server.close()
        finally:
            await broker.shutdown()


def _configuration() -> BrokerConfig:
    return BrokerConfig(
        listeners={_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)},
        plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    )
