"""The one connection of a site to its broker, kept up for as long as the site runs.

The publisher's thread makes a session, serves it until it breaks, waits and makes the next.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from streamer.alerts.broker import Broker, default_client_id
from streamer.alerts.delivery import AlertDelivery
from streamer.alerts.errors import (
    BrokerError,
    BrokerLostError,
    BrokerTakenOverError,
    BrokerUnreachableError,
    OutboxError,
)
from streamer.alerts.outbox import Outbox
from streamer.alerts.reconnect import FlapDetector, ReconnectPolicy
from streamer.alerts.serving import OFFLINE, TICK_S, Speaker
from streamer.alerts.session import BrokerSession, MessageHandler

_log = logging.getLogger(__name__)

_REMINDER_S: Final = 300.0
_RETAINED_KEY: Final = "mqtt.retained_topics"


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """The broker's part of the health page.

    - ``reason`` says why there is no connection (empty with one), ``since`` (UTC epoch s) since when it is as
      it is.
    - ``pending`` alerts wait in the outbox; ``in_flight`` of them are sent and not acknowledged.
    - ``delivered`` counts since the start, ``dropped`` (alerts given up for lack of room) over the site's
      life, ``events_dropped`` stats and the like that met no connection.
    - ``max_payload_bytes`` is what the broker says it takes at most, or None; a snapshot's budget should
      respect it.
    """

    connected: bool
    reason: str
    since: float
    pending: int
    in_flight: int
    delivered: int
    last_ack_at: float | None
    dropped: int
    events_dropped: int
    reconnects: int
    client_id: str
    max_payload_bytes: int | None


@dataclass(slots=True)
class _Link:
    connected: bool = False
    reason: str = "not started"
    since: float = 0.0
    connects: int = 0
    events_dropped: int = 0
    max_payload_bytes: int | None = None


class Publisher:
    """Publishes everything below ``topic_prefix``. Every method may be called from any thread.

    - ``window`` alerts at most are on their way without acknowledgement; ``ack_timeout_s`` without one means
      that the connection is dead.
    - ``state_expiry_s`` lets retained states expire at the broker (MQTT 5) when this process no longer renews
      them.
    - ``housekeeping`` is called about once a second on the publisher's thread, connected or not.
    """

    def __init__(
        self,
        broker: Broker,
        outbox: Outbox,
        *,
        topic_prefix: str,
        client_id: str | None = None,
        reconnect: ReconnectPolicy | None = None,
        window: int = 10,
        ack_timeout_s: float = 30.0,
        state_expiry_s: int | None = None,
        housekeeping: Callable[[], None] | None = None,
    ) -> None:
        self._broker = broker
        self._outbox = outbox
        self._prefix = topic_prefix
        self.client_id = client_id or default_client_id(topic_prefix)
        self._policy = reconnect or ReconnectPolicy()
        self._housekeeping = housekeeping
        self._available_topic = f"{topic_prefix}/available"
        self._speaker = Speaker(
            AlertDelivery(outbox, topic_prefix=topic_prefix, window=window),
            available_topic=self._available_topic,
            ack_timeout_s=ack_timeout_s,
            state_expiry_s=state_expiry_s,
        )
        self._flaps = FlapDetector()
        self._link = _Link(since=time.time())
        self._lock = threading.Lock()
        self._session: BrokerSession | None = None
        self._stopping = threading.Event()
        self._wakeup = threading.Event()
        self._drain_s = 0.0
        self._next_tick_s = 0.0
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    # -- for the application ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. The broker may be away."""
        self._thread.start()

    def stop(self, *, drain_s: float = 3.0) -> None:
        """Send what waits, for ``drain_s`` at most, publish ``stopped`` and disconnect.

        Returns when that is done.
        """
        self._drain_s = drain_s
        self._stopping.set()
        self._wake(retry=True)
        if self._thread.ident is not None:
            self._thread.join(drain_s + self._broker.connect_timeout_s + 5.0)

    def notify(self) -> None:
        """Something was put into the outbox."""
        self._wake()

    def retry_now(self) -> None:
        """Do not wait for the next attempt to connect."""
        self._wake(retry=True)

    def publish_state(self, subtopic: str, payload: bytes) -> None:
        """Publish a retained state below the prefix, now and on every new connection; the latest value wins.

        An empty payload removes it from the broker.
        """
        if self._speaker.retained.put(f"{self._prefix}/{subtopic}", payload):
            self._wake()

    def keep_only_states(self, subtopics: Iterable[str]) -> None:
        """Remove every other retained state from the broker, those of earlier runs too (a camera that is
        gone).

        Raises ``OutboxError`` when the list cannot be kept for the next run.
        """
        keep = {f"{self._prefix}/{subtopic}" for subtopic in subtopics}
        self._speaker.retained.remove_except(
            keep, self._outbox.get_state(_RETAINED_KEY) or [], below=f"{self._prefix}/"
        )
        self._outbox.put_state(_RETAINED_KEY, sorted(keep))
        self._wake()

    def publish_states_at(self, states: Mapping[str, bytes], *, below: str, again: bool = False) -> None:
        """Publish retained states of another dialect, by their whole topics, which begin with ``below``: now and on
        every new connection. Those below it that are not in ``states`` are removed, also what earlier runs left there.

        ``again``: also those that have not changed, for somebody who has just begun to listen. Raises ``OutboxError``
        when the list cannot be kept for the next run; what was given is published all the same.
        """
        key = f"{_RETAINED_KEY}:{below}"
        self._speaker.retained.remove_except(states, self._outbox.get_state(key) or [], below=below)
        for topic, payload in states.items():
            self._speaker.retained.put(topic, payload, again=again)
        self._wake()
        self._outbox.put_state(key, sorted(states))

    def publish_event(self, subtopic: str, payload: bytes, *, qos: int = 0) -> None:
        """Publish a message that is worth nothing later (stats):

        without a connection it is dropped and counted.
        """
        with self._lock:
            if not self._link.connected or not self._speaker.add_event(
                f"{self._prefix}/{subtopic}", payload, qos
            ):
                self._link.events_dropped += 1
        self._wake()

    def subscribe(self, subtopic_filter: str, handler: MessageHandler) -> None:
        """Have ``handler(topic, payload, retained)`` called on the publisher's thread.

        Call before ``start``.
        """
        self._speaker.handlers[f"{self._prefix}/{subtopic_filter}"] = handler

    def subscribe_at(self, topic_filter: str, handler: MessageHandler) -> None:
        """As ``subscribe``, for topics that are not below the prefix."""
        self._speaker.handlers[topic_filter] = handler

    @property
    def status(self) -> PublisherStatus:
        """How it stands now. Raises ``OutboxError`` when the outbox cannot be read."""
        stats = self._outbox.stats()
        delivery = self._speaker.delivery
        with self._lock:
            link = replace(self._link)
        return PublisherStatus(
            connected=link.connected,
            reason=link.reason,
            since=link.since,
            pending=stats.pending,
            in_flight=delivery.in_flight,
            delivered=delivery.delivered,
            last_ack_at=delivery.last_ack_at,
            dropped=stats.dropped,
            events_dropped=link.events_dropped,
            reconnects=max(0, link.connects - 1),
            client_id=self.client_id,
            max_payload_bytes=link.max_payload_bytes,
        )

    # -- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        reminded_s = 0.0
        while not self._stopping.is_set():
            error, held_s = self._one_session()
            if error is None:
                return
            failures = 1 if held_s >= self._policy.stable_s else failures + 1
            delay_s = self._policy.delay_s(failures, error)
            changed = self._disconnected(str(error))
            if changed or time.monotonic() - reminded_s >= _REMINDER_S:
                reminded_s = time.monotonic()
                _log.warning("%s; %s; next attempt in %.0f s", error, self._waiting_text(), delay_s)
            self._wait(delay_s)

    def _one_session(self) -> tuple[BrokerError | None, float]:
        """One connection from its beginning to its end:

        what ended it (None: ``stop``) and how long it held.
        """
        opened_s: float | None = None
        session: BrokerSession | None = None
        try:
            session = BrokerSession(
                self._broker,
                client_id=self.client_id,
                will=(self._available_topic, OFFLINE),
                on_message=self._speaker.dispatch,
            )
            session.open()
            opened_s = time.monotonic()
            with self._lock:
                self._session = session
            # before anybody is told of the connection: what is stored from then on is not late
            self._speaker.delivery.begin(max_payload_bytes=session.max_payload_bytes)
            self._connected(session)
            self._speaker.serve(session, self._stopping, tick=self._tick)
            self._speaker.finish(session, drain_s=self._drain_s)
        except BrokerError as error:
            held_s = 0.0 if opened_s is None else time.monotonic() - opened_s
            return self._judged(error, None if opened_s is None else held_s), held_s
        except OutboxError as error:
            # the alerts are safe or already reported by whoever put them in; the connection starts over
            return BrokerLostError(f"gave up the connection: {error}"), 0.0
        except Exception:  # noqa: BLE001 - the thread that carries alerts must outlive any one connection
            _log.exception("the connection to the broker failed in an unforeseen way")
            return BrokerLostError("gave up the connection: an error of our own, see the log"), 0.0
        finally:
            with self._lock:
                self._session = None
            self._speaker.delivery.broken()
            if session is not None:
                session.abort()
        self._disconnected("stopped")
        return None, time.monotonic() - opened_s

    def _judged(self, error: BrokerError, held_s: float | None) -> BrokerError:
        """The error, or the one that explains a series of them."""
        suspicious = self._speaker.delivery.broken()
        if isinstance(error, BrokerUnreachableError):
            self._flaps.broker_was_away()
        if held_s is None or suspicious or type(error) is not BrokerLostError:
            return error
        if self._flaps.ended(held_s=held_s):
            return BrokerTakenOverError(
                f"{error}, again soon after connecting: "
                f"does another client use the client id {self.client_id!r}?"
            )
        return error

    def _connected(self, session: BrokerSession) -> None:
        with self._lock:
            self._link.connected = True
            self._link.reason = ""
            self._link.since = time.time()
            self._link.connects += 1
            self._link.max_payload_bytes = session.max_payload_bytes
        _log.info(
            "connected to the broker %s as %r; %s", self._broker.address, self.client_id, self._waiting_text()
        )

    def _disconnected(self, reason: str) -> bool:
        """Note the reason; returns whether it is a new one."""
        with self._lock:
            changed = self._link.connected or self._link.reason != reason
            if self._link.connected:
                self._link.since = time.time()
            self._link.connected = False
            self._link.reason = reason
            self._link.events_dropped += self._speaker.forget_events()
        return changed

    def _waiting_text(self) -> str:
        try:
            count = self._outbox.stats().pending
        except OutboxError as error:
            return f"the outbox cannot be read ({error})"
        return f"{count} alert messages wait"

    def _wait(self, delay_s: float) -> None:
        deadline = time.monotonic() + delay_s
        while not self._stopping.is_set() and (left := deadline - time.monotonic()) > 0:
            if self._wakeup.wait(min(left, TICK_S)):
                self._wakeup.clear()
                return
            self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._next_tick_s:
            return
        self._next_tick_s = now + TICK_S
        self._speaker.delivery.record()
        if self._housekeeping is not None:
            try:
                self._housekeeping()
            except Exception:  # noqa: BLE001 - the network thread must outlive whatever the caller hung on to it
                _log.exception("housekeeping failed")

    def _wake(self, *, retry: bool = False) -> None:
        if retry:
            self._wakeup.set()
        with self._lock:
            if self._session is not None:
                self._session.wake()
