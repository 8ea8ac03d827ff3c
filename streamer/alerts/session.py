"""One connection to the broker, from CONNECT to its end.

It never retries; it raises the reason and is thrown away.
"""

import contextlib
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamer.alerts.broker import Broker, connection_error, refusal
from streamer.alerts.errors import BrokerError, BrokerLostError, BrokerTakenOverError, BrokerUnreachableError

#: ``on_message(topic, payload, retained)``
MessageHandler = Callable[[str, bytes, bool], None]

#: Packets on their way without PUBACK; mosquitto's own default, and the least that MQTT 5 brokers announce by
#: habit.
_MAX_IN_FLIGHT: Final = 20
#: Fixed header, remaining length, packet id and property length of a PUBLISH, with room to spare.
_PACKET_OVERHEAD: Final = 64
_SESSION_TAKEN_OVER: Final = 0x8E


class BrokerSession:
    """A connection driven by its owner's thread: ``open``, then ``publish`` and ``poll``, at last ``close``.

    Only ``wake`` and ``cut`` may be called from other threads. ``will`` is a topic and a payload that the broker
    publishes, retained, when the connection ends without ``close``. ``max_inbound_bytes`` is the largest packet that
    the broker may send us (MQTT 5; in MQTT 3.1.1 there is no way to say it).
    """

    def __init__(
        self,
        broker: Broker,
        *,
        client_id: str,
        will: tuple[str, bytes] | None = None,
        on_message: MessageHandler | None = None,
        max_inbound_bytes: int = 65_536,
    ) -> None:
        self._broker = broker
        self._client_id = client_id
        self._will = will
        self._on_message = on_message
        self._max_inbound_bytes = max_inbound_bytes
        self._acks: deque[tuple[int, BrokerError | None]] = deque()
        self._subscribing: set[int] = set()
        self._connected = False
        self._error: BrokerError | None = None
        self._max_packet: int | None = None
        self._receive_maximum = _MAX_IN_FLIGHT
        self._client = self._make_client(_MAX_IN_FLIGHT)
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)

    def _make_client(self, max_in_flight: int) -> Client:
        client = self._broker.client(self._client_id)
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)
        client.max_inflight_messages_set(max_in_flight)
        client.max_queued_messages_set(0)
        client.on_connect = self._connack
        client.on_disconnect = self._disconnected
        client.on_publish = self._puback
        client.on_message = self._message
        client.on_subscribe = self._suback
        # with this set, publish() only queues, and every byte is written inside poll()
        client.on_socket_register_write = lambda *_: None
        return client

    @property
    def max_payload_bytes(self) -> int | None:
        """The largest payload that the broker takes on a topic of usual length; None: it did not say."""
        return None if self._max_packet is None else max(0, self._max_packet - _PACKET_OVERHEAD - 256)

    def open(self) -> None:
        """Connect and wait for the broker's answer. Raises the ``BrokerError`` that says why not."""
        self._connect()
        if self._receive_maximum < _MAX_IN_FLIGHT:
            # paho cannot lower its window on a connection; to overrun the broker's ends it (MQTT 5, 3.3.4)
            self._client.disconnect()
            self._client.loop_write()
            self._connected, self._error = False, None
            self._client = self._make_client(self._receive_maximum)
            self._connect()

    def _connect(self) -> None:
        clean: dict[str, Any] = {}
        if self._broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = self._max_inbound_bytes
            clean = {"clean_start": True, "properties": properties}
        try:
            self._client.connect(
                self._broker.host, self._broker.port, keepalive=self._broker.keepalive_s, **clean
            )
        except (OSError, ssl.CertificateError, ValueError) as error:
            raise connection_error(error, self._broker) from error
        deadline = time.monotonic() + self._broker.connect_timeout_s
        while not self._connected:
            left = deadline - time.monotonic()
            if left <= 0:
                raise BrokerUnreachableError(
                    f"{self._broker.address}: it took the connection but does not answer as an MQTT broker"
                )
            self.poll(left)

    def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, expiry_s: int | None = None
    ) -> int:
        """Queue a message and return the number under which ``poll`` reports its acknowledgement (QoS 1).

        ``expiry_s`` is how long the broker may keep it; MQTT 5 only. Raises ``BrokerError`` when the
        connection ended.
        """
        properties: Properties | None = None
        if expiry_s is not None and self._broker.protocol == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expiry_s
        info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN}:
            raise self._ended()
        return info.mid

    def subscribe(self, topic_filter: str) -> None:
        """Ask for messages, QoS 1. A refusal ends the session with its reason."""
        result, number = self._client.subscribe(topic_filter, qos=1)
        if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or number is None:
            raise self._ended()
        self._subscribing.add(number)

    @property
    def subscribed(self) -> bool:
        """Whether the broker has confirmed every subscription."""
        return not self._subscribing

    def poll(self, timeout_s: float) -> list[tuple[int, BrokerError | None]]:
        """Read and write until something happened, ``wake`` was called or the time is over.

        Returns the acknowledgements that came: number, and None or the broker's refusal. Raises the reason
        when the connection has ended.
        """
        sock: Any = self._client.socket()
        if sock is None:
            raise self._ended()
        poller = select.poll()
        poller.register(sock, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        poller.register(self._wake_receiver, select.POLLIN)
        # bytes that TLS has decrypted already are not seen by poll(2)
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        events = dict(poller.poll(0 if buffered else max(0.0, timeout_s) * 1000))
        if self._wake_receiver.fileno() in events:
            self._drain_wake()
        happened = events.get(sock.fileno(), 0)
        if buffered or happened & ~select.POLLOUT:
            self._client.loop_read()
        if self._client.want_write() and self._client.socket() is not None:
            self._client.loop_write()
        if self._client.socket() is not None:
            self._client.loop_misc()
        acks = list(self._acks)
        self._acks.clear()
        if self._error is not None or self._client.socket() is None:
            # what was acknowledged before the end counts; the next call raises
            if acks:
                return acks
            raise self._ended()
        return acks

    def wake(self) -> None:
        """Make a ``poll`` in progress, or the next one, return at once. May be called from any thread."""
        try:
            self._wake_sender.send(b"\0")
        except OSError:
            # full: it wakes anyway; closed: nobody waits
            return

    def cut(self) -> None:
        """End the connection under its owner's hands, who hangs: whatever waits for the other side then fails. May be
        called from any thread.
        """
        sock: Any = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                # not close: its number might be another file's by the time that the owner goes on
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self, *, timeout_s: float = 2.0) -> None:
        """Say goodbye, so that the broker does not publish the will. Errors no longer matter here."""
        deadline = time.monotonic() + timeout_s
        try:
            self._client.disconnect()
            while self._client.socket() is not None and time.monotonic() < deadline:
                self.poll(deadline - time.monotonic())
        except (BrokerError, OSError):
            return
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop the connection without a word; the broker publishes the will."""
        sock: Any = self._client.socket()
        if sock is not None:
            sock.close()
        self._client.on_disconnect = None
        self._wake_sender.close()
        self._wake_receiver.close()

    # -- callbacks of paho, inside loop_read and loop_write -----------------------------------------

    def _connack(
        self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._error = refusal(code, what=f"{self._broker.address} refused the connection")
        if self._error is None:
            self._connected = True
            self._max_packet = getattr(properties, "MaximumPacketSize", None)
            self._receive_maximum = getattr(properties, "ReceiveMaximum", _MAX_IN_FLIGHT)

    def _disconnected(
        self, _client: Client, _data: Any, flags: Any, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if self._error is not None:
            return
        if code.value == _SESSION_TAKEN_OVER:
            self._error = BrokerTakenOverError(
                f"{self._broker.address}: another client came with the client id {self._client_id!r}"
            )
        elif flags.is_disconnect_packet_from_server and code.value >= 0x80:
            self._error = refusal(code, what=f"{self._broker.address} ended the connection")
        elif not self._connected:
            self._error = BrokerUnreachableError(
                f"{self._broker.address}: closed the connection without an answer{self._hint()}"
            )
        else:
            # 0x80, unspecified: the other side closed it or the line broke; the rest says more
            detail = "" if code.value == 0x80 else f" ({str(code).lower()})"
            self._error = BrokerLostError(f"{self._broker.address}: the connection broke{detail}")

    def _hint(self) -> str:
        # since TLS 1.3 a certificate that is missing is told after the handshake, by hanging up
        tls = self._broker.tls
        if tls is None:
            return ""
        if tls.cert_file is None:
            return "; does it ask for a client certificate (tls: {cert: ..., key: ...})?"
        return "; does it trust our client certificate?"

    def _puback(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._acks.append((mid, refusal(code, what=f"{self._broker.address} refused a message")))

    def _suback(
        self, _client: Client, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        self._subscribing.discard(mid)
        for code in codes:
            self._error = self._error or refusal(code, what=f"{self._broker.address} refused a subscription")

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            # a broker should have closed the sender's connection (MQTT 3.1.1, 1.5.3)
            return
        if self._on_message is not None:
            self._on_message(topic, bytes(message.payload), bool(message.retain))

    def _drain_wake(self) -> None:
        try:
            self._wake_receiver.recv(4096)
        except BlockingIOError:
            return

    def _ended(self) -> BrokerError:
        return self._error or BrokerLostError(f"{self._broker.address}: connection lost")
