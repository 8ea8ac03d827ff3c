"""Takes alerts out of the outbox in order, has them published, and acknowledges what the broker has
acknowledged.

Each alert is two messages: its picture first, then the alert that names the picture's digest. A subscriber
therefore holds the evidence when it reads the claim, and never a claim whose evidence may not come. Both are
QoS 1 on one connection; the alert counts as delivered when both are acknowledged.

The outbox is the only owner of retries: a new connection starts at the oldest unacknowledged alert, so what
was on its way when the last one broke is sent twice. Subscribers tell these by ``seq``.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from streamer.alerts.errors import OutboxError, SnapshotError
from streamer.alerts.outbox import Outbox, StoredMessage
from streamer.alerts.payload import alerts_topic, finish_message, snapshot_topic
from streamer.alerts.shrink import shrink_jpeg, snapshot_digest

_log = logging.getLogger(__name__)

#: Waiting longer than this in the outbox makes a message ``delayed`` even when the connection held.
DELAYED_AFTER_S: Final = 10.0
#: A connection that breaks this often while the same alert is the oldest on its way may break because of it.
_SUSPECT_AFTER: Final = 3
_SUSPECT_SNAPSHOT_BYTES: Final = 64_000
_NO_SNAPSHOT_AFTER: Final = 5
#: A picture that went out once it was smaller says that the broker takes none that are larger: for so long.
_LEARNT_S: Final = 3600.0

#: ``publish(topic, payload) -> number``, QoS 1, not retained.
Publish = Callable[[str, bytes], int]


@dataclass(slots=True)
class _InFlight:
    seq: int
    waiting_for: set[int]
    sent_mono_s: float


class AlertDelivery:
    """The window of alerts that are on their way. Used by one thread.

    ``window`` bounds the alerts on their way at once; ``wall_clock`` gives UTC epoch seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        topic_prefix: str,
        window: int = 10,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._outbox = outbox
        self._topic_prefix = topic_prefix
        self._window = window
        self._wall_clock = wall_clock
        self._connected_at = 0.0
        self._max_payload_bytes: int | None = None
        self._last_sent = 0
        self._in_flight: dict[int, _InFlight] = {}
        self._seq_of: dict[int, int] = {}
        self._breaks: dict[int, int] = {}
        self._shrunk: set[int] = set()
        self._learnt_until_s: float | None = None
        self._acked_here = 0
        self._unrecorded: dict[int, float] = {}
        self.delivered = 0
        self.last_ack_at: float | None = None

    @property
    def in_flight(self) -> int:
        """Alerts that were sent and not acknowledged yet."""
        return len(self._in_flight)

    def begin(self, *, max_payload_bytes: int | None) -> None:
        """A connection was made: start again at the oldest unacknowledged alert. Raises ``OutboxError``."""
        self._connected_at = self._wall_clock()
        oldest = next(iter(self._outbox.pending(limit=1)), None)
        # a suspect that was dropped for lack of room must not slow down the others for ever
        self._breaks = {
            seq: count for seq, count in self._breaks.items() if oldest is not None and seq >= oldest.seq
        }
        self._max_payload_bytes = max_payload_bytes
        self._last_sent = 0
        self._acked_here = 0
        self._shrunk.clear()
        self._in_flight.clear()
        self._seq_of.clear()

    def broken(self) -> bool:
        """The connection ended. Returns whether it did so on the first alerts, before any was acknowledged.

        The oldest of them is remembered, to be suspected when this goes on.
        """
        suspicious = bool(self._in_flight) and self._acked_here == 0
        if suspicious:
            oldest = min(self._in_flight)
            self._breaks[oldest] = self._breaks.get(oldest, 0) + 1
        for seq in self._in_flight:
            self._breaks.setdefault(seq, 0)
        self._in_flight.clear()
        self._seq_of.clear()
        return suspicious

    def send(self, publish: Publish) -> None:
        """Publish in order of ``seq`` what the window has room for. Raises what ``publish`` raises."""
        for message in self._next_messages():
            self._send_one(message, publish)

    def acknowledged(self, number: int) -> None:
        """The broker has acknowledged the message of this number; others than ours are ignored."""
        seq = self._seq_of.pop(number, None)
        flight = None if seq is None else self._in_flight.get(seq)
        if seq is None or flight is None:
            return
        flight.waiting_for.discard(number)
        if flight.waiting_for:
            return
        del self._in_flight[seq]
        self._breaks.pop(seq, None)
        self._learn(seq)
        self._acked_here += 1
        self.delivered += 1
        self.last_ack_at = self._wall_clock()
        self._unrecorded[seq] = self.last_ack_at
        self.record()

    def record(self) -> None:
        """Write acknowledgements to the outbox; what cannot be written now is kept and not sent again."""
        for seq, at in list(self._unrecorded.items()):
            try:
                self._outbox.acknowledge(seq, at=at)
            except OutboxError as error:
                _log.warning("%d acknowledgements wait to be recorded: %s", len(self._unrecorded), error)
                return
            del self._unrecorded[seq]

    def oldest_age_s(self) -> float:
        """How long the oldest alert on its way has waited for its acknowledgement; 0 with none."""
        if not self._in_flight:
            return 0.0
        return time.monotonic() - min(flight.sent_mono_s for flight in self._in_flight.values())

    def _learn(self, seq: int) -> None:
        """The broker has taken this alert: if its picture was made smaller, others need not break anything first."""
        if seq in self._shrunk:
            _log.warning(
                "the broker takes no pictures beyond some size: they are made smaller than %d bytes for now",
                _SUSPECT_SNAPSHOT_BYTES,
            )
            self._learnt_until_s = time.monotonic() + _LEARNT_S
            self._shrunk.discard(seq)

    def _next_messages(self) -> Iterator[StoredMessage]:
        suspected = max(self._breaks.values(), default=0) >= _SUSPECT_AFTER
        # one at a time until the suspect is found: an innocent one behind it must not be blamed
        room = (1 if suspected else self._window) - len(self._in_flight)
        if room > 0:
            for message in self._outbox.pending(after_seq=self._last_sent, limit=room):
                self._last_sent = message.seq
                if message.seq not in self._unrecorded:
                    yield message

    def _send_one(self, message: StoredMessage, publish: Publish) -> None:
        breaks = self._breaks.get(message.seq)
        now = self._wall_clock()
        delayed = (
            breaks is not None
            or message.created_at < self._connected_at
            or now - message.created_at > DELAYED_AFTER_S
        )
        jpeg, why_none = self._picture(message, breaks or 0)
        body = finish_message(
            message.body,
            published_at=now,
            delayed=delayed,
            snapshot=None if jpeg is None else snapshot_digest(jpeg),
            without_snapshot=why_none,
        )
        numbers = set()
        if jpeg is not None:
            numbers.add(publish(snapshot_topic(self._topic_prefix, message.alert_id), jpeg))
        numbers.add(publish(alerts_topic(self._topic_prefix), body))
        self._in_flight[message.seq] = _InFlight(message.seq, numbers, time.monotonic())
        self._seq_of.update(dict.fromkeys(numbers, message.seq))

    def _picture(self, message: StoredMessage, breaks: int) -> tuple[bytes | None, str | None]:
        """The JPEG to send, or None and, where the message promises one, why there is none."""
        if message.snapshot is None:
            return None, None
        if breaks >= _NO_SNAPSHOT_AFTER:
            return None, f"the connection broke {breaks} times while it was sent"
        try:
            jpeg = message.snapshot.read_bytes()
        except OSError as error:
            _log.error("alert %s goes out without its picture: %s", message.alert_id, error.strerror)
            return None, "the file cannot be read"
        budget = self._max_payload_bytes
        suspected = breaks >= _SUSPECT_AFTER
        if suspected or (self._learnt_until_s is not None and time.monotonic() < self._learnt_until_s):
            budget = _SUSPECT_SNAPSHOT_BYTES if budget is None else min(_SUSPECT_SNAPSHOT_BYTES, budget)
        if budget is None or len(jpeg) <= budget:
            return jpeg, None
        if suspected:
            self._shrunk.add(message.seq)
        try:
            return shrink_jpeg(jpeg, budget), None
        except SnapshotError as error:
            _log.error("alert %s goes out without its picture: %s", message.alert_id, error)
            return None, str(error)
