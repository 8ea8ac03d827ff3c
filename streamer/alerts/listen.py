"""A subscriber for people and scripts: receives alerts, checks pictures and numbers, and saves what came.

What a broker sends is not trusted: an alert id that cannot be a file name is refused, a picture is saved only
when its digest is the one that the alert names.
"""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from models.printable import printable
from streamer.alerts.broker import Broker, default_client_id
from streamer.alerts.errors import BrokerError, BrokerRefusedError
from streamer.alerts.payload import check_alert_id
from streamer.alerts.reconnect import ReconnectPolicy
from streamer.alerts.session import BrokerSession
from streamer.alerts.shrink import snapshot_digest

#: Pictures that may wait for their alert, and numbers that are remembered to tell duplicates.
_MAX_PICTURES: Final = 64
_MAX_PICTURE_BYTES: Final = 64_000_000
_MAX_NUMBERS: Final = 100_000
#: Sites whose numbers are followed, and types that are counted apart.
_MAX_TOPICS: Final = 10_000
_MAX_TYPES: Final = 10
_POLL_S: Final = 0.5
#: Larger messages are none of ours.
_MAX_PACKET_BYTES: Final = 16_000_000
_MAX_JSON_BYTES: Final = 1_000_000
#: Those of SQLite, from which they come, end there.
_SEQUENCE_END: Final = 1 << 63
_LONGEST_TYPE: Final = 20
#: Of a line for people.
_LONGEST_LINE: Final = 1000


class PictureCheck(StrEnum):
    """What became of a picture: it came as named, it differs, it did not come, none was promised."""

    OK = "ok"
    DIFFERS = "differs"
    ABSENT = "absent"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """One alert message.

    ``gap`` counts the numbers that are missing right before it; ``saved`` is its picture.
    """

    message: dict[str, Any]
    picture: bytes | None
    check: PictureCheck
    gap: int
    received_at: float
    saved: Path | None


@dataclass(slots=True)
class ListenSummary:
    """What came in: alerts by type, and everything that was not as it should be."""

    by_type: dict[str, int] = field(default_factory=dict)
    alerts: int = 0
    delayed: int = 0
    duplicates: int = 0
    gaps: int = 0
    malformed: int = 0
    pictures_ok: int = 0
    pictures_wrong: int = 0
    reconnects: int = 0

    @property
    def clean(self) -> bool:
        """Whether every number came and every picture was the right one. Duplicates are no fault."""
        return self.gaps == 0 and self.malformed == 0 and self.pictures_wrong == 0

    def text(self) -> str:
        """One line for people."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.by_type.items())) or "none"
        faults = [
            f"{count} {name}"
            for count, name in (
                (self.gaps, "numbers missing"),
                (self.pictures_wrong, "pictures missing or wrong"),
                (self.malformed, "messages malformed"),
                (self.duplicates, "duplicates left out"),
                (self.delayed, "delayed"),
                (self.reconnects, "reconnects"),
            )
            if count
        ]
        return f"{self.alerts} alert messages ({kinds}), {self.pictures_ok} pictures verified" + "".join(
            f", {fault}" for fault in faults
        )


class AlertReader:
    """Makes alerts out of MQTT messages, in the order in which they come. ``receive`` is all it needs.

    ``save_dir`` gets ``alerts.jsonl`` and the pictures as ``<alert_id>.<seq>.jpg``. ``on_alert`` is called
    for each alert that is no duplicate, ``on_notice`` with a line for people when something is not as it
    should be.
    """

    def __init__(
        self,
        *,
        on_alert: Callable[[ReceivedAlert], None],
        on_notice: Callable[[str], None],
        save_dir: Path | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_alert = on_alert
        self._tell = on_notice
        self._save_dir = save_dir
        self._wall_clock = wall_clock
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._picture_bytes = 0
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._last_seq: OrderedDict[str, int] = OrderedDict()
        self.summary = ListenSummary()
        if save_dir is not None:
            save_dir.mkdir(parents=True, exist_ok=True)

    def receive(self, topic: str, payload: bytes, _retained: bool) -> None:
        """Take one message of the topics ``alerts``, ``alerts/<alert_id>/snapshot`` or ``available``."""
        if len(payload) > (_MAX_PACKET_BYTES if topic.endswith("/snapshot") else _MAX_JSON_BYTES):
            self.summary.malformed += 1
            self._notice(f"a message of {len(payload)} bytes is left out")
        elif topic.endswith("/available"):
            self._notice(f"{topic.removesuffix('/available')} is {payload.decode(errors='replace')[:20]}")
        elif topic.endswith("/snapshot"):
            self._keep_picture(topic, payload)
        else:
            self._alert(topic, payload)

    def _notice(self, text: str) -> None:
        self._tell(_shown(text))

    def _keep_picture(self, topic: str, jpeg: bytes) -> None:
        self._picture_bytes += len(jpeg) - len(self._pictures.pop(topic, b""))
        self._pictures[topic] = jpeg
        while len(self._pictures) > _MAX_PICTURES or self._picture_bytes > _MAX_PICTURE_BYTES:
            self._picture_bytes -= len(self._pictures.popitem(last=False)[1])

    def _alert(self, topic: str, payload: bytes) -> None:
        try:
            message, line = _decoded(payload)
            alert_id, seq, kind = (
                check_alert_id(message["alert_id"]),
                _sequence_number(message["seq"]),
                str(message["type"])[:_LONGEST_TYPE],
            )
            picture = message.get("snapshot") and dict(message["snapshot"])
        except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
            self.summary.malformed += 1
            self._notice(f"malformed message on {topic}: {type(error).__name__}")
            return
        if (topic, seq) in self._seen:
            self.summary.duplicates += 1
            return
        gap = self._count(topic, seq)
        jpeg, check = self._check(topic, alert_id, picture)
        saved = self._save(line, jpeg if check is PictureCheck.OK else None, f"{alert_id}.{seq}.jpg")
        summary = self.summary
        summary.alerts += 1
        if kind not in summary.by_type and len(summary.by_type) >= _MAX_TYPES:
            kind = "other"
        summary.by_type[kind] = summary.by_type.get(kind, 0) + 1
        summary.delayed += bool(message.get("delayed"))
        summary.pictures_ok += check is PictureCheck.OK
        summary.pictures_wrong += check in {PictureCheck.DIFFERS, PictureCheck.ABSENT}
        self._on_alert(ReceivedAlert(message, jpeg, check, gap, self._wall_clock(), saved))

    def _count(self, topic: str, seq: int) -> int:
        self._seen[(topic, seq)] = None
        while len(self._seen) > _MAX_NUMBERS:
            self._seen.popitem(last=False)
        last = self._last_seq.get(topic)
        self._last_seq[topic] = seq
        self._last_seq.move_to_end(topic)
        while len(self._last_seq) > _MAX_TOPICS:
            self._last_seq.popitem(last=False)
        if last is None or seq == last + 1:
            return 0
        if seq < last:
            self._notice(f"{topic}: numbers went back from {last} to {seq}")
            return 0
        gap = seq - last - 1
        self.summary.gaps += gap
        self._notice(f"{topic}: {gap} messages are missing, {last + 1} to {seq - 1}")
        return gap

    def _check(
        self, topic: str, alert_id: str, named: dict[str, Any] | None
    ) -> tuple[bytes | None, PictureCheck]:
        if not named:
            return None, PictureCheck.NONE
        jpeg = self._pictures.pop(f"{topic}/{alert_id}/snapshot", None)
        if jpeg is None:
            return None, PictureCheck.ABSENT
        self._picture_bytes -= len(jpeg)
        if snapshot_digest(jpeg) != (named.get("sha256"), named.get("bytes")):
            return jpeg, PictureCheck.DIFFERS
        return jpeg, PictureCheck.OK

    def _save(self, line: bytes, jpeg: bytes | None, name: str) -> Path | None:
        if self._save_dir is None:
            return None
        with (self._save_dir / "alerts.jsonl").open("ab") as lines:
            lines.write(line)
        if jpeg is None:
            return None
        path = self._save_dir / name
        path.write_bytes(jpeg)
        return path


def listen(
    broker: Broker,
    *,
    topic_prefix: str,
    reader: AlertReader,
    stop: threading.Event,
    client_id: str | None = None,
    reconnect: ReconnectPolicy | None = None,
    on_notice: Callable[[str], None],
    on_ready: Callable[[], None] | None = None,
) -> ListenSummary:
    """Feed ``reader`` until ``stop`` is set. ``topic_prefix`` may hold ``+`` for several sites.

    ``on_ready`` is called after each subscription. Raises ``BrokerError`` when the first connection fails,
    and ``BrokerRefusedError`` at any time; other losses are told to ``on_notice`` and tried again. The
    subscription is not kept by the broker: what is published while the connection is down shows as missing
    numbers.
    """
    policy = reconnect or ReconnectPolicy(initial_s=0.2, max_s=10.0)
    # two listeners of one host must not throw each other out
    name = client_id or default_client_id(topic_prefix, f"listen-{time.time_ns() % 1_000_000_000:09d}")
    failures, connected_once = 0, False
    while not stop.is_set():
        session = BrokerSession(
            broker, client_id=name, on_message=reader.receive, max_inbound_bytes=_MAX_PACKET_BYTES
        )
        try:
            session.open()
            for subtopic in ("alerts", "alerts/+/snapshot", "available"):
                session.subscribe(f"{topic_prefix}/{subtopic}")
            reader.summary.reconnects += connected_once
            failures, connected_once = 0, True
            if on_ready is not None:
                while not session.subscribed and not stop.is_set():
                    session.poll(_POLL_S)
                on_ready()
            while not stop.is_set():
                session.poll(_POLL_S)
            session.close()
        except BrokerRefusedError:
            raise
        except BrokerError as error:
            if not connected_once:
                raise
            if failures == 0:
                on_notice(f"{error}; trying again")
            failures += 1
            stop.wait(policy.delay_s(failures, error))
        finally:
            session.abort()
    return reader.summary


def _decoded(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """A message, and the line of ``alerts.jsonl`` that holds it.

    Raises ``ValueError``, or ``RecursionError``, on what is no JSON object or holds text that cannot be written.
    """
    message = json.loads(payload)
    if not isinstance(message, dict):
        raise ValueError("no object")  # noqa: TRY004 - one of the ways in which a message is malformed
    return message, (json.dumps(message, ensure_ascii=False) + "\n").encode()


def _sequence_number(value: Any) -> int:
    number = int(value)
    if not 0 <= number < _SEQUENCE_END:
        raise ValueError("no sequence number")
    return number


def describe_alert(received: ReceivedAlert) -> str:
    """One line for people, for example ``08:14:04 NEW gate/apron: hard_hat missing ... #1841 picture ok``."""
    message = received.message
    place = "/".join(str(message[key]) for key in ("camera", "zone") if message.get(key))
    when = message.get("ended_at") if message.get("type") == "end" else message.get("confirmed_at")
    parts = [
        f"{_local_time(when)} {str(message.get('type', '?')).upper():6} {place}: "
        f"{_listed(message.get('missing'))} missing",
        f"rule {message.get('rule')!r}",
        f"score {message.get('score')}",
        f"track {message.get('track_id')}",
        f"#{message.get('seq')} {message.get('alert_id')}",
    ]
    if message.get("end_reason"):
        parts.append(f"ended: {message['end_reason']}")
    if received.check is not PictureCheck.NONE:
        size = f", {len(received.picture) / 1000:.0f} kB" if received.picture is not None else ""
        parts.append(f"picture {received.check}{size}")
    if received.saved is not None:
        parts.append(str(received.saved))
    if message.get("delayed"):
        parts.append("delayed")
    return _shown("  ".join(parts))


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if value and isinstance(value, list) else str(value or "?")


def _local_time(stamp: Any) -> str:
    try:
        return f"{datetime.fromisoformat(str(stamp)).astimezone():%H:%M:%S}"
    except ValueError:
        return "--:--:--"


def _shown(text: str) -> str:
    # a broker's text must not steer the terminal, nor fill it
    return printable(text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]} ...")
