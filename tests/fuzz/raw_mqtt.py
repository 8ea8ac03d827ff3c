"""Publishes over MQTT 3.1.1 by hand: what client libraries refuse to send goes out too."""

import contextlib
import socket

_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
_DISCONNECT = b"\xe0\x00"


def publish_raw(port: int, topic: bytes, payload: bytes, *, retain: bool = False) -> bool:
    """One message with QoS 0 on a connection of its own; whether it went out. The broker may hang up on it."""
    body = len(topic).to_bytes(2, "big") + topic + payload
    with (
        contextlib.suppress(OSError),
        contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection,
    ):
        connection.sendall(_CONNECT)
        if len(connection.recv(4)) == 4:
            connection.sendall(bytes([0x30 | retain]) + _length(len(body)) + body + _DISCONNECT)
            # its end says that the broker has read all of it
            connection.recv(1)
            return True
    return False


def _length(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, rest = divmod(number, 128)
        encoded.append(rest | (128 if number else 0))
        if not number:
            return bytes(encoded)
