"""What is said on a connection, and in which order."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from paho.mqtt.client import topic_matches_sub

from streamer.alerts.command_gate import CommandGate
from streamer.alerts.delivery import AlertDelivery
from streamer.alerts.errors import BrokerError, BrokerLostError, BrokerRefusedError
from streamer.alerts.retained import RetainedStore
from streamer.alerts.session import BrokerSession, MessageHandler
from streamer.alerts.state_sizes import StateSizes

_log = logging.getLogger(__name__)

ONLINE: Final = b"online"
STOPPED: Final = b"stopped"
OFFLINE: Final = b"offline"
#: How often to look around when nothing happens: housekeeping, an outbox that nobody announced.
TICK_S: Final = 1.0
#: Events without retry (stats) that may wait for the network thread.
_MAX_EVENTS: Final = 100
_GOODBYE_S: Final = 2.0


class Speaker:
    """Says on each session: retained states, ``online``, subscriptions, then alerts, states and events as
    they come.

    ``state_expiry_s``: retained states expire at the broker after so long (MQTT 5), and are renewed at half
    of it.
    """

    def __init__(
        self,
        delivery: AlertDelivery,
        *,
        available_topic: str,
        ack_timeout_s: float,
        state_expiry_s: int | None,
    ) -> None:
        self.delivery = delivery
        self.retained = RetainedStore(refresh_s=None if state_expiry_s is None else state_expiry_s / 2)
        self.handlers: dict[str, MessageHandler] = {}
        self._gate = CommandGate()
        self._sizes = StateSizes()
        self._held_since_s: float | None = None
        self._available_topic = available_topic
        self._ack_timeout_s = ack_timeout_s
        self._state_expiry_s = state_expiry_s
        self._events: deque[tuple[str, bytes, int]] = deque()
        self._lock = threading.Lock()

    def successor(self, delivery: AlertDelivery) -> "Speaker":
        """Another speaker with the same retained states and handlers, for another thread; ``delivery`` is its own."""
        other = Speaker(
            delivery,
            available_topic=self._available_topic,
            ack_timeout_s=self._ack_timeout_s,
            state_expiry_s=self._state_expiry_s,
        )
        other.retained, other.handlers = self.retained, self.handlers
        other.delivery.delivered, other.delivery.last_ack_at = (
            self.delivery.delivered,
            self.delivery.last_ack_at,
        )
        return other

    def add_event(self, topic: str, payload: bytes, qos: int) -> bool:
        """Queue an event; returns False when too many wait already."""
        with self._lock:
            if len(self._events) >= _MAX_EVENTS:
                return False
            self._events.append((topic, payload, qos))
            return True

    def forget_events(self) -> int:
        """The connection ended: events are worth nothing later. Returns how many there were."""
        with self._lock:
            count = len(self._events)
            self._events.clear()
            return count

    def serve(self, session: BrokerSession, stopping: threading.Event, *, tick: Callable[[], None]) -> None:
        """Speak until ``stopping`` is set, after ``delivery.begin``.

        Raises the ``BrokerError`` that ended the session.
        """
        self._sizes.begin(max_payload_bytes=session.max_payload_bytes)
        self._held_since_s = None
        self.retained.announce_all()
        self._send_states(session)
        session.publish(self._available_topic, ONLINE, qos=1, retain=True)
        for topic_filter in self.handlers:
            session.subscribe(topic_filter)
        while not stopping.is_set():
            self._send_due(session)
            self._collect(session, TICK_S)
            tick()

    def broken(self) -> bool:
        """The connection ended. Returns whether it did so on the first alerts, before any was acknowledged."""
        self._sizes.broken()
        return self.delivery.broken()

    def finish(self, session: BrokerSession, *, drain_s: float) -> None:
        """Send what waits, for ``drain_s`` at most, then ``stopped``, and disconnect."""
        deadline = time.monotonic() + drain_s
        self._send_due(session)
        while self.delivery.in_flight and time.monotonic() < deadline:
            self._collect(session, deadline - time.monotonic())
            self._send_due(session)
        goodbye = session.publish(self._available_topic, STOPPED, qos=1, retain=True)
        deadline = time.monotonic() + _GOODBYE_S
        while (left := deadline - time.monotonic()) > 0 and goodbye not in self._collect(session, left):
            pass
        session.close()

    def dispatch(self, topic: str, payload: bytes, retained: bool) -> None:
        """Hand a message to every handler whose filter matches, unless the gate turns it away."""
        if not self._gate.admits(topic, payload, retained):
            return
        for topic_filter, handler in self.handlers.items():
            if topic_matches_sub(topic_filter, topic):
                try:
                    handler(topic, payload, retained)
                except Exception:  # noqa: BLE001 - a command must never end the connection that carries alerts
                    _log.exception("the handler of %s failed", topic_filter)

    def _send_due(self, session: BrokerSession) -> None:
        self._send_states(session)
        with self._lock:
            events = list(self._events)
            self._events.clear()
        for topic, payload, qos in events:
            if self._sizes.takes(topic, payload):
                session.publish(topic, payload, qos=qos)
        if self._sizes.suspicious:
            # alone, so that no alert is taken for what breaks the connection
            self._held_since_s = self._held_since_s or time.monotonic()
            return
        self._held_since_s = None
        self.delivery.send(lambda topic, payload: session.publish(topic, payload, qos=1))

    def _send_states(self, session: BrokerSession) -> None:
        for topic, payload in self.retained.take_due():
            # what is left out takes the value before it off the broker: nothing is better than what is no longer so
            told = payload if self._sizes.takes(topic, payload) else b""
            expiry_s = self._state_expiry_s if told else None
            number = session.publish(topic, told, qos=1, retain=True, expiry_s=expiry_s)
            self._sizes.sent(number, topic, told)

    def _collect(self, session: BrokerSession, timeout_s: float) -> set[int]:
        numbers: set[int] = set()
        refused: BrokerError | None = None
        for number, error in session.poll(timeout_s):
            if error is None or isinstance(error, BrokerRefusedError):
                self._sizes.acknowledged(number)
            if error is None:
                self.delivery.acknowledged(number)
            else:
                refused = error
            numbers.add(number)
        if refused is not None:
            raise refused
        held_s = 0.0 if self._held_since_s is None else time.monotonic() - self._held_since_s
        if max(held_s, self.delivery.oldest_age_s()) > self._ack_timeout_s:
            raise BrokerLostError(f"the broker has acknowledged nothing for {self._ack_timeout_s:g} s")
        return numbers
