"""The one connection of a site to its broker, kept up for as long as the site runs.

The publisher's thread makes a session, serves it until it breaks, waits and makes the next.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from streamer.alerts.publisher_status import Link, PublisherStatus
from streamer.alerts.reconnect import FlapDetector, ReconnectPolicy
from streamer.alerts.remembered_topics import RememberedTopics
from streamer.alerts.serving import OFFLINE, TICK_S, Speaker
from streamer.alerts.session import BrokerSession, MessageHandler
from streamer.pulse import NoPulse, Pulse

_log = logging.getLogger(__name__)

_REMINDER_S: Final = 300.0
_STATES_KEY: Final = "mqtt.retained_topics"
#: Connecting may take this long before the thread counts as stuck: a name server that does not answer is asked twice by
#: the C library, and nothing can stop it.
_CONNECT_S: Final = 60.0


@dataclass(slots=True, eq=False)
class _Line:
    """What one thread speaks by. A thread that hangs keeps its line, and finds it ended when it goes on."""

    speaker: Speaker
    pulse: Pulse
    session: BrokerSession | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    wakeup: threading.Event = field(default_factory=threading.Event)


class Publisher:
    """Publishes everything below ``topic_prefix``. Every method may be called from any thread.

    - ``window`` alerts at most are on their way without acknowledgement; ``ack_timeout_s`` without one means
      that the connection is dead.
    - ``state_expiry_s`` lets retained states expire at the broker (MQTT 5) when this process no longer renews
      them.
    - ``housekeeping`` is called about once a second on the publisher's thread, connected or not.
    - ``pulse`` beats while the thread does its work, whatever the broker does.
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
        pulse: Pulse | None = None,
    ) -> None:
        self._broker = broker
        self._outbox = outbox
        self._prefix = topic_prefix
        self.client_id = client_id or default_client_id(topic_prefix)
        self._policy = reconnect or ReconnectPolicy()
        self._housekeeping = housekeeping
        self._available_topic = f"{topic_prefix}/available"
        self._window = window
        speaker = Speaker(
            self._new_delivery(),
            available_topic=self._available_topic,
            ack_timeout_s=ack_timeout_s,
            state_expiry_s=state_expiry_s,
        )
        self._line = _Line(speaker, pulse or NoPulse())
        self._flaps = FlapDetector()
        self._link = Link(since=time.time())
        self._remembered = RememberedTopics(outbox, below=f"{topic_prefix}/")
        self._lock = threading.Lock()
        self._stopping = False
        self._drain_s = 0.0
        self._next_tick_s = 0.0
        self._thread = self._new_thread()

    # -- for the application ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. The broker may be away."""
        self._thread.start()

    def stop(self, *, drain_s: float = 3.0, timeout_s: float | None = None) -> None:
        """Send what waits, for ``drain_s`` at most, publish ``stopped`` and disconnect.

        Returns when that is done, after ``timeout_s`` at the latest (None: what a slow broker may take).
        """
        self._drain_s = drain_s
        with self._lock:
            self._stopping = True
            self._line.ended.set()
        self._wake(retry=True)
        if self._thread.ident is not None:
            usual_s = drain_s + self._broker.connect_timeout_s + 5.0
            self._thread.join(usual_s if timeout_s is None else timeout_s)

    def restart(self, pulse: Pulse) -> None:
        """Go on in another thread, over another connection: the present one hangs or has ended.

        What is on its way is sent again. A thread that comes back finds its connection cut, and ends.
        """
        with self._lock:
            if self._stopping:
                return
            old = self._line
            old.ended.set()
            self._line = _Line(old.speaker.successor(self._new_delivery()), pulse)
            self._thread = self._new_thread()
            if old.session is not None:
                old.session.cut()
        self._disconnected(self._line, BrokerLostError("gave up the connection: its thread hung or ended"))
        self._thread.start()

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
        if self._line.speaker.retained.put(f"{self._prefix}/{subtopic}", payload):
            self._wake()

    def keep_states(self, is_kept: Callable[[str], bool]) -> None:
        """Take off the broker the retained states whose subtopic ``is_kept`` refuses, those of earlier runs too.

        Raises ``OutboxError`` when the list of the others cannot be kept for the next run.
        """
        try:
            self._remembered.keep(self._line.speaker.retained, is_kept)
        finally:
            self._wake()

    def remember_states(self) -> None:
        """Keep the list of what is retained for the next run. Raises ``OutboxError`` when that cannot be done."""
        self._remembered.note(self._line.speaker.retained)

    def publish_states_at(self, states: Mapping[str, bytes], *, below: str, again: bool = False) -> None:
        """Publish retained states of another dialect, by their whole topics, which begin with ``below``: now and on
        every new connection. Those below it that are not in ``states`` are removed, also what earlier runs left there.

        ``again``: also those that have not changed, for somebody who has just begun to listen. Raises ``OutboxError``
        when the list cannot be kept for the next run; what was given is published all the same.
        """
        key = f"{_STATES_KEY}:{below}"
        self._line.speaker.retained.remove_except(states, self._outbox.get_state(key) or [], below=below)
        for topic, payload in states.items():
            self._line.speaker.retained.put(topic, payload, again=again)
        self._wake()
        self._outbox.put_state(key, sorted(states))

    def publish_event(self, subtopic: str, payload: bytes, *, qos: int = 0) -> None:
        """Publish a message that is worth nothing later (stats):

        without a connection it is dropped and counted.
        """
        with self._lock:
            if not self._link.connected or not self._line.speaker.add_event(
                f"{self._prefix}/{subtopic}", payload, qos
            ):
                self._link.events_dropped += 1
        self._wake()

    def subscribe(self, subtopic_filter: str, handler: MessageHandler) -> None:
        """Have ``handler(topic, payload, retained)`` called on the publisher's thread.

        Call before ``start``.
        """
        self._line.speaker.handlers[f"{self._prefix}/{subtopic_filter}"] = handler

    def subscribe_at(self, topic_filter: str, handler: MessageHandler) -> None:
        """As ``subscribe``, for topics that are not below the prefix."""
        self._line.speaker.handlers[topic_filter] = handler

    @property
    def status(self) -> PublisherStatus:
        """How it stands now. Raises ``OutboxError`` when the outbox cannot be read."""
        stats = self._outbox.stats()
        delivery = self._line.speaker.delivery
        with self._lock:
            link = replace(self._link)
        return PublisherStatus(
            connected=link.connected,
            code=link.code,
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

    def _new_delivery(self) -> AlertDelivery:
        return AlertDelivery(self._outbox, topic_prefix=self._prefix, window=self._window)

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, args=(self._line,), name="mqtt", daemon=True)

    def _run(self, line: _Line) -> None:
        failures = 0
        reminded_s = 0.0
        while not line.ended.is_set():
            error, held_s = self._one_session(line)
            if error is None or line is not self._line:
                return
            failures = 1 if held_s >= self._policy.stable_s else failures + 1
            delay_s = self._policy.delay_s(failures, error)
            changed = self._disconnected(line, error)
            if changed or time.monotonic() - reminded_s >= _REMINDER_S:
                reminded_s = time.monotonic()
                _log.warning("%s; %s; next attempt in %.0f s", error, self._waiting_text(), delay_s)
            self._wait(line, delay_s)

    def _one_session(self, line: _Line) -> tuple[BrokerError | None, float]:
        """One connection from its beginning to its end:

        what ended it (None: ``stop``) and how long it held.
        """
        speaker = line.speaker
        opened_s: float | None = None
        session: BrokerSession | None = None
        try:
            session = BrokerSession(
                self._broker,
                client_id=self.client_id,
                will=(self._available_topic, OFFLINE),
                on_message=speaker.dispatch,
            )
            line.pulse.allow(_CONNECT_S)
            session.open()
            line.pulse.beat()
            opened_s = time.monotonic()
            with self._lock:
                line.session = session
            # before anybody is told of the connection: what is stored from then on is not late
            speaker.delivery.begin(max_payload_bytes=session.max_payload_bytes)
            self._connected(line, session)
            speaker.serve(session, line.ended, tick=lambda: self._tick(line))
            if line is self._line:
                line.pulse.allow(self._drain_s + _CONNECT_S)
                speaker.finish(session, drain_s=self._drain_s)
        except BrokerError as error:
            held_s = 0.0 if opened_s is None else time.monotonic() - opened_s
            return self._judged(line, error, None if opened_s is None else held_s), held_s
        except OutboxError as error:
            # the alerts are safe or already reported by whoever put them in; the connection starts over
            return BrokerLostError(f"gave up the connection: {error}"), 0.0
        except Exception:  # noqa: BLE001 - the thread that carries alerts must outlive any one connection
            _log.exception("the connection to the broker failed in an unforeseen way")
            return BrokerLostError("gave up the connection: an error of our own, see the log"), 0.0
        finally:
            with self._lock:
                line.session = None
            speaker.delivery.broken()
            if session is not None:
                session.abort()
        self._disconnected(line, None)
        return None, time.monotonic() - opened_s

    def _judged(self, line: _Line, error: BrokerError, held_s: float | None) -> BrokerError:
        """The error, or the one that explains a series of them."""
        suspicious = line.speaker.broken()
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

    def _connected(self, line: _Line, session: BrokerSession) -> None:
        with self._lock:
            if line is not self._line:
                return
            self._link.connected = True
            self._link.code = "ok"
            self._link.reason = ""
            self._link.since = time.time()
            self._link.connects += 1
            self._link.max_payload_bytes = session.max_payload_bytes
        _log.info(
            "connected to the broker %s as %r; %s", self._broker.address, self.client_id, self._waiting_text()
        )

    def _disconnected(self, line: _Line, error: BrokerError | None) -> bool:
        """Note why (None: ``stop``); returns whether it is a new reason."""
        reason = "stopped" if error is None else str(error)
        with self._lock:
            if line is not self._line:
                return False
            changed = self._link.connected or self._link.reason != reason
            if self._link.connected:
                self._link.since = time.time()
            self._link.connected = False
            self._link.code = "stopped" if error is None else error.code
            self._link.reason = reason
            self._link.events_dropped += line.speaker.forget_events()
        return changed

    def _waiting_text(self) -> str:
        try:
            count = self._outbox.stats().pending
        except OutboxError as error:
            return f"the outbox cannot be read ({error})"
        return f"{count} alert messages wait"

    def _wait(self, line: _Line, delay_s: float) -> None:
        deadline = time.monotonic() + delay_s
        while not line.ended.is_set() and (left := deadline - time.monotonic()) > 0:
            line.pulse.beat()
            if line.wakeup.wait(min(left, TICK_S)):
                line.wakeup.clear()
                return
            self._tick(line)

    def _tick(self, line: _Line) -> None:
        line.pulse.beat()
        now = time.monotonic()
        if now < self._next_tick_s:
            return
        self._next_tick_s = now + TICK_S
        line.speaker.delivery.record()
        if self._housekeeping is not None:
            try:
                self._housekeeping()
            except Exception:  # noqa: BLE001 - the network thread must outlive whatever the caller hung on to it
                _log.exception("housekeeping failed")

    def _wake(self, *, retry: bool = False) -> None:
        with self._lock:
            if retry:
                self._line.wakeup.set()
            if self._line.session is not None:
                self._line.session.wake()
