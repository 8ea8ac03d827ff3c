"""Addresses of the loopback network behind which no camera is: closed ports, ports that hang, hosts that are off."""

import socket
from types import TracebackType
from typing import Self

from peers.mosquitto import free_port


def refusing_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    return free_port(host)


class HangingPort:
    """Takes connections and never says a word; a context manager."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_server((host, 0), backlog=4096)
        self.host, self.port = self._socket.getsockname()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


class DarkHost:
    """Answers nothing at all, as a host that is switched off: its queue of connections is full, so the kernel throws
    away what asks for another. A context manager.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_server((host, 0), backlog=0)
        self.host, self.port = self._socket.getsockname()
        self._filling: list[socket.socket] = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((self.host, self.port))
            self._filling.append(filler)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for filler in self._filling:
            filler.close()
        self._socket.close()
