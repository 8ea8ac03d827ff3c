"""A short way between two parts on one machine, for the calls of every look.

A call of Ray's takes 4 to 8 ms of processor time where calls come now and then, much of what a look itself takes
(docs/adr/0102). Here it is one message each way through a Unix socket. The socket has a name that nobody can guess, in
the kernel alone (Linux's abstract ones: a part that is killed leaves nothing behind), and answers to processes of the
same user. Parts on other machines, and those whose socket cannot be reached (another container), are called through
Ray as ever.
"""

import contextlib
import errno
import logging
import os
import secrets
import socket
import struct
import time
from threading import Lock, Thread
from typing import Any, Final

from streamer.cluster.errors import LaneError, PeerError
from streamer.cluster.lane_codec import METHODS, decode_answer, decode_call, encode_answer, encode_call
from streamer.cluster.wire import LaneAddress, this_machine

_log = logging.getLogger(__name__)

_LENGTH: Final = struct.Struct("!I")
#: Eight frames of a network's largest input, twice over.
_MOST_BYTES: Final = 256 << 20
#: A frame at a network's size goes into the kernel at once.
_BUFFER_BYTES: Final = 1 << 20
_CREDENTIALS: Final = struct.Struct("3i")
#: Where no lane could be had, the next try is this much later.
_AGAIN_S: Final = 10.0
_ACCEPT_AGAIN_S: Final = 0.1
#: Parts that a process knows ways to; older ones are gone.
_MOST_LANES: Final = 256
#: Less than this goes with its length in one write.
_SMALL_BYTES: Final = 1 << 16


class LaneServer:
    """Answers calls of ``METHODS`` to ``part`` at ``address``, each connection in a thread of its own."""

    def __init__(self, part: object) -> None:
        self._part = part
        self.address = LaneAddress(this_machine(), f"ppewatch-{secrets.token_hex(16)}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(_path(self.address))
        self._socket.listen(64)
        Thread(target=self._accept, name="lane", daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if self._socket.fileno() < 0 or error.errno in (errno.EBADF, errno.EINVAL):
                    return  # closed
                # no descriptors, no memory: whoever waits would wait for ever
                _log.warning("a part on this machine cannot be heard now: %s", error)
                time.sleep(_ACCEPT_AGAIN_S)
                continue
            if _user_of(connection) != os.getuid():
                connection.close()
                continue
            Thread(target=self._serve, args=(connection,), name="lane", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    data = _receive(connection)
                    if data is None:
                        return
                    _send(connection, self._answer(data))
                except (OSError, LaneError) as error:
                    _log.warning("a part on this machine is heard no more: %s", error)
                    return

    def _answer(self, data: bytearray) -> bytes:
        method, args = decode_call(data)
        try:
            return encode_answer(getattr(self._part, method)(*args))
        except Exception as error:  # noqa: BLE001 - the caller is told, as Ray would
            _log.exception("%s failed", method)
            return encode_answer(None, f"{type(error).__name__}: {error}")


class Lane:
    """The way to one part, if there is one: connections that are made when they are needed. Any thread may call."""

    def __init__(self, address: LaneAddress) -> None:
        self._address = address
        self._lock = Lock()
        self._idle: list[socket.socket] = []
        self._not_before_s = float("-inf") if address.machine == this_machine() else float("inf")

    def carries(self, method: str) -> bool:
        """Whether to try ``method`` here."""
        return method in METHODS and time.monotonic() >= self._not_before_s

    def call(self, method: str, args: tuple[Any, ...], timeout_s: float) -> Any:
        """What the part answers. Raises ``LaneError`` where it cannot be reached so, ``PeerError`` as ``Peer.call``
        does.
        """
        connection = self._connection(timeout_s)
        try:
            connection.settimeout(timeout_s)
            _send(connection, encode_call(method, args))
            value, failure = decode_answer(method, _receive(connection) or b"")
        except TimeoutError as error:
            connection.close()
            raise PeerError(f"no answer in {timeout_s:g} s") from error
        except (OSError, LaneError) as error:
            connection.close()
            self.close()
            raise LaneError(str(error)) from error
        with self._lock:
            self._idle.append(connection)
        if failure is not None:
            raise PeerError(f"it failed: {failure}")
        return value

    def _connection(self, timeout_s: float) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            connection.settimeout(timeout_s)
            connection.connect(_path(self._address))
            if _user_of(connection) != os.getuid():
                raise PermissionError("another user answers there")
        except OSError as error:
            connection.close()
            self._not_before_s = time.monotonic() + _AGAIN_S
            raise LaneError(str(error)) from error
        return connection

    def close(self) -> None:
        """Close what is open and not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class Lanes:
    """The lanes of this process, one to each part."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lanes: dict[LaneAddress, Lane] = {}

    def to(self, address: LaneAddress) -> Lane:
        """The lane to the part at ``address``."""
        with self._lock:
            lane = self._lanes.get(address)
            if lane is None:
                lane = self._lanes[address] = Lane(address)
                while len(self._lanes) > _MOST_LANES:
                    self._lanes.pop(next(iter(self._lanes))).close()
            return lane

    def close(self) -> None:
        """Forget them all."""
        with self._lock:
            for lane in self._lanes.values():
                lane.close()
            self._lanes.clear()


def _path(address: LaneAddress) -> str:
    """Of an abstract socket (unix(7))."""
    return f"\0{address.name}"


def _user_of(connection: socket.socket) -> int:
    _, user, _ = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return int(user)


def _send(connection: socket.socket, data: bytes) -> None:
    if len(data) > _MOST_BYTES:
        raise LaneError(f"{len(data)} bytes are too many")
    head = _LENGTH.pack(len(data))
    if len(data) < _SMALL_BYTES:
        connection.sendall(head + data)
    else:
        connection.sendall(head)
        connection.sendall(data)


def _receive(connection: socket.socket) -> bytearray | None:
    """One message, or None at the end of the connection."""
    head = _exactly(connection, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _MOST_BYTES:
        raise LaneError(f"{length} bytes are announced")
    data = _exactly(connection, length)
    if data is None:
        raise LaneError("the connection ended within a message")
    return data


def _exactly(connection: socket.socket, length: int) -> bytearray | None:
    """So many bytes; None at the end of the connection."""
    data = bytearray(length)
    view, done = memoryview(data), 0
    while done < length:
        got = connection.recv_into(view[done:])
        if not got:
            return None
        done += got
    return data
