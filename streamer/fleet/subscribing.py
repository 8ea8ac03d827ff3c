"""Follows the sites of one broker, whatever becomes of the connection."""

import time
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Final

from streamer.alerts.broker import Broker, default_client_id
from streamer.alerts.errors import BrokerError, BrokerRefusedError
from streamer.alerts.reconnect import ReconnectPolicy
from streamer.alerts.session import BrokerSession
from streamer.fleet.book import FleetBook

#: What of a site is followed, below its prefix.
SUBTOPICS: Final = ("available", "health", "stats", "alerts", "cameras/+/status", "command/reload/state")

_POLL_S: Final = 0.5
_MAX_PACKET_BYTES: Final = 2_000_000

#: ``(prefix, payload)`` of an answer to a reload.
Answered = Callable[[str, bytes], None]


class FleetSubscriber:
    """A thread that feeds ``book`` with what sites below ``patterns`` publish at one broker, named ``name``.

    ``on_notice`` hears in words when the connection is lost and back; ``on_answer`` what sites answer to a reload.
    """

    def __init__(
        self,
        name: str,
        broker: Broker,
        patterns: Sequence[str],
        book: FleetBook,
        *,
        on_notice: Callable[[str], None] = lambda _text: None,
        on_answer: Answered | None = None,
        reconnect: ReconnectPolicy | None = None,
    ) -> None:
        self.ready = Event()
        self.refused = Event()
        self._name = name
        self._broker = broker
        self._patterns = [pattern.split("/") for pattern in patterns]
        self._book = book
        self._on_notice = on_notice
        self._on_answer = on_answer
        self._policy = reconnect or ReconnectPolicy(initial_s=0.5, max_s=15.0)
        self._client_id = default_client_id(patterns[0], f"fleet-{time.time_ns() % 1_000_000_000:09d}")
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"fleet {name}", daemon=True)

    def start(self) -> None:
        """Begin to connect; ``ready`` is set once the broker has confirmed every subscription, ``refused`` while it
        answers no, which nobody need wait for.
        """
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Disconnect."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            session = BrokerSession(
                self._broker,
                client_id=self._client_id,
                on_message=self._receive,
                max_inbound_bytes=_MAX_PACKET_BYTES,
            )
            try:
                session.open()
                for pattern in self._patterns:
                    for subtopic in SUBTOPICS:
                        session.subscribe("/".join([*pattern, subtopic]))
                while not session.subscribed and not self._stop.is_set():
                    session.poll(_POLL_S)
                if failures:
                    self._on_notice(f"{self._name}: connected again")
                failures = 0
                self.refused.clear()
                self.ready.set()
                while not self._stop.is_set():
                    session.poll(_POLL_S)
                session.close()
            except BrokerError as error:
                if isinstance(error, BrokerRefusedError):
                    self.refused.set()
                else:
                    self.refused.clear()
                if failures == 0:
                    self._on_notice(f"{self._name}: {error}; trying again")
                failures += 1
                self._stop.wait(self._policy.delay_s(failures, error))
            finally:
                session.abort()

    def _receive(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = topic.split("/")
        for pattern in self._patterns:
            prefix, rest = levels[: len(pattern)], levels[len(pattern) :]
            if len(prefix) == len(pattern) and all(
                wanted in ("+", level) for wanted, level in zip(pattern, prefix, strict=True)
            ):
                site, subtopic = "/".join(prefix), "/".join(rest)
                if subtopic == "command/reload/state":
                    if self._on_answer is not None:
                        self._on_answer(site, payload)
                else:
                    self._book.receive(self._name, site, subtopic, payload, retained=retained)
                return
