"""What happens to single packets of an RTSP stream on their way: interleaved in TCP, or in datagrams of their own."""

import asyncio
import random
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from peers.tcp_proxy import Filter, TcpProxy

#: Interleaved binary data begins so (RFC 2326, 10.12): the sign, the channel, the length in two bytes.
_SIGN: Final = ord("$")
_HEADER: Final = 4
_END_OF_HEAD: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_CLIENT_PORT: Final = re.compile(rb"client_port=(\d+)-(\d+)")


@dataclass(eq=False, slots=True)
class PacketFaults:
    """What befalls packets from the camera; set the attributes while it runs.

    - ``loss``: share of the packets that never come.
    - ``flip``: share of the packets in whose payload bits are turned, one of a hundred bytes.
    - ``delay_s``, ``jitter_s``: each comes later by the one and up to the other; datagrams overtake each other then.

    Counted: ``passed``, ``lost``, ``flipped``.
    """

    loss: float = 0.0
    flip: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    passed: int = 0
    lost: int = 0
    flipped: int = 0

    def heal(self) -> None:
        """No fault from now on."""
        self.loss = self.flip = self.delay_s = self.jitter_s = 0.0

    def befall(self, packet: bytes, chance: random.Random, *, header: int = 0) -> bytes | None:
        """The packet as it arrives, or None; its first ``header`` bytes are spared."""
        if chance.random() < self.loss:
            self.lost += 1
            return None
        self.passed += 1
        if chance.random() >= self.flip:
            return packet
        self.flipped += 1
        bent = bytearray(packet)
        for _ in range(1 + (len(bent) - header) // 100):
            bent[chance.randrange(header, len(bent))] ^= 1 << chance.randrange(8)
        return bytes(bent)


class InterleavedFaults:
    """A ``Filter`` for ``TcpProxy.down``: ``faults`` befall media packets, whole; replies and reports pass.

    ``delay_s`` is not for this one: in TCP a packet holds up those behind it (``Flow.delay_s``).
    """

    def __init__(self, faults: PacketFaults, *, seed: int = 0) -> None:
        self._faults = faults
        self._chance = random.Random(seed)
        self._kept = b""

    def __call__(self, data: bytes) -> bytes:
        self._kept += data
        passed = []
        while (length := self._whole()) is not None:
            unit, self._kept = self._kept[:length], self._kept[length:]
            is_media = unit[0] == _SIGN and unit[1] % 2 == 0 and length > _HEADER
            told = self._faults.befall(unit, self._chance, header=_HEADER) if is_media else unit
            if told is not None:
                passed.append(told)
        return b"".join(passed)

    def _whole(self) -> int | None:
        """Length of the packet or reply that comes next; None while it is not all there."""
        kept = self._kept
        if not kept:
            return None
        if kept[0] == _SIGN:
            length = _HEADER + int.from_bytes(kept[2:4]) if len(kept) >= _HEADER else len(kept) + 1
        else:
            end = kept.find(_END_OF_HEAD)
            if end < 0:
                return None
            told = _CONTENT_LENGTH.search(kept[:end])
            length = end + len(_END_OF_HEAD) + (int(told[1]) if told else 0)
        return length if len(kept) >= length else None


class RtspUdpRelay:
    """An RTSP camera behind a network that carries datagrams badly: ``faults`` befall those that it sends.

    Clients speak RTSP with ``port``; the ports that they ask media to be sent to are replaced by the relay's own. What
    they send to the camera goes straight there. A context manager.
    """

    def __init__(self, camera_port: int, *, seed: int = 0) -> None:
        self.faults = PacketFaults()
        self._chance = random.Random(seed)
        self._proxy = TcpProxy(camera_port)
        self._proxy.up.new_filter = self._new_filter
        self._sockets: list[socket.socket] = []

    @property
    def port(self) -> int:
        return self._proxy.port

    def __enter__(self) -> "RtspUdpRelay":
        self._proxy.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.stop()
        for opened in self._sockets:
            opened.close()

    def _new_filter(self) -> Filter:
        return lambda data: _CLIENT_PORT.sub(self._own_ports, data)

    def _own_ports(self, asked: re.Match[bytes]) -> bytes:
        loop = asyncio.get_running_loop()
        ours = _pair_of_ports()
        for opened, target in zip(ours, (int(asked[1]), int(asked[2])), strict=True):
            self._sockets.append(opened)
            loop.add_reader(opened, self._pass_on, loop, opened, ("127.0.0.1", target))
        first, second = (opened.getsockname()[1] for opened in ours)
        return b"client_port=%d-%d" % (first, second)

    def _pass_on(
        self, loop: asyncio.AbstractEventLoop, opened: socket.socket, target: tuple[str, int]
    ) -> None:
        with suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                packet = self.faults.befall(opened.recv(65536), self._chance)
                if packet is None:
                    continue
                later_s = self.faults.delay_s + self._chance.uniform(0.0, self.faults.jitter_s)
                if later_s:
                    loop.call_later(later_s, _send, opened, packet, target)
                else:
                    _send(opened, packet, target)


def _send(opened: socket.socket, packet: bytes, target: tuple[str, int]) -> None:
    with suppress(OSError):  # a client that is gone, or a relay
        opened.sendto(packet, target)


def _pair_of_ports() -> tuple[socket.socket, socket.socket]:
    """Two datagram sockets on neighbouring free ports, the first one even, as RTP wants them."""
    while True:
        first = socket.socket(type=socket.SOCK_DGRAM)
        second = socket.socket(type=socket.SOCK_DGRAM)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        if port % 2 == 0:
            with suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                first.setblocking(False)
                second.setblocking(False)
                return first, second
        first.close()
        second.close()
