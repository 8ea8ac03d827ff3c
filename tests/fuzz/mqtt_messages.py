"""What comes over MQTT: commands to the daemon, and alerts to ``ppewatch listen``."""

import contextlib
import json
import time
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

from alerts.alert_factory import make_alert
from fuzz.byte_mutation import damaged
from fuzz.raw_mqtt import publish_raw
from fuzz.structured_mutation import damaged_text
from fuzz.target import Case, Target, Unexpected, check_words
from paho.mqtt.client import topic_matches_sub
from peers.mosquitto import Mosquitto
from peers.subscriber import Subscriber

from rules import AreaPolicy
from streamer.alerts.broker import Broker
from streamer.alerts.listen import AlertReader, ReceivedAlert, describe_alert
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher
from streamer.control import CommandDesk
from streamer.feedback.desk import FeedbackDesk
from streamer.feedback.example_store import ExampleLimits

PREFIX = "ppewatch/north-yard"
ALERT_ID = "01JD0000000000000000000001"
JPEG = bytes(range(256)) * 20

COMMANDS = (
    ("command/reload", b""),
    ("command/cameras/gate/set", b"ON"),
    ("command/cameras/gate/set", b"OFF"),
    (f"command/alerts/{ALERT_ID}/ack", b"ok"),
    (f"command/alerts/{ALERT_ID}/ack", b'{"note": "seen", "by": "me"}'),
    (f"command/alerts/{ALERT_ID}/feedback", b"true_alarm"),
    (f"command/suppressions/{ALERT_ID}/remove", b""),
    (f"command/alerts/{ALERT_ID}/feedback", b'{"verdict": "false_alarm", "note": "a hat"}'),
)

#: Levels of topics that somebody might hope to climb out of.
_LEVELS = (
    *(
        "",
        "..",
        ".",
        "%2e%2e",
        "gate",
        "nobody",
        "a" * 300,
        "\u202e",
        "é",
        "state",
        "set",
        "'; drop table messages;--",
    ),
    *(ALERT_ID, ALERT_ID.lower(), "../../etc/passwd", "$SYS", "\ufeff", "\x7f", "0", "-1", "null"),
)


def hostile_command(rng: Random) -> tuple[str, bytes, bool]:
    """Topic below the prefix, payload, and whether it was retained."""
    topic, payload = rng.choice(COMMANDS)
    levels = topic.split("/")
    if rng.random() < 0.6:
        levels[rng.randrange(1, len(levels))] = rng.choice(_LEVELS)
    if rng.random() < 0.1:
        levels.insert(rng.randrange(len(levels)), rng.choice(_LEVELS))
    topic = "/".join(levels)
    if rng.random() < 0.2:
        topic = damaged(topic.encode(), rng).decode(errors="replace")
    # what no client can publish to: the protocol forbids it
    topic = "".join(char for char in topic if char not in "+#\0")[:2000] or "command/reload"
    match rng.randrange(6):
        case 0:
            payload = rng.randbytes(rng.choice((0, 1, 10, 300, 5000)))
        case 1:
            payload = payload * rng.choice((1, 2, 100, 100_000))
        case 2:
            payload = damaged_text(payload, rng)
        case 3:
            payload = damaged(payload, rng)
    return topic, payload[:2_000_000], rng.random() < 0.1


class _Station:
    """A camera that can be switched: the desk asks no more of a station."""

    def __init__(self) -> None:
        self.is_enabled = True

    def set_enabled(self, enabled: bool) -> None:
        if not isinstance(enabled, bool):
            raise Unexpected(f"a camera was switched {enabled!r}")
        self.is_enabled = enabled


class _Desk:
    """The real desk before a real outbox and a publisher."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        self.outbox = Outbox(folder / f"state-{time.time_ns()}")
        self.outbox.enqueue(make_alert(ALERT_ID, JPEG), JPEG, at=time.time())
        self.publisher = Publisher(
            Broker(host="127.0.0.1", port=broker_port), self.outbox, topic_prefix=PREFIX
        )
        self.reloads = 0
        self.stations = {"gate": _Station()}
        self.desk = CommandDesk(
            publisher=self.publisher,
            stations=MappingProxyType(self.stations),  # type: ignore[arg-type]
            feedback=FeedbackDesk(self.outbox, policy=AreaPolicy(), limits=ExampleLimits()),
            request_reload=self._reload,
        )
        self.desk.subscribe()

    def _reload(self) -> None:
        self.reloads += 1

    def close(self) -> None:
        self.outbox.close()


class Commands(Target):
    """Handed to the desk as the connection's thread does it, without a broker between: many."""

    title = "MQTT commands"
    cases = 10_000
    short = 150
    limit_s = 20.0
    most_mb = 256.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._desk = _Desk(folder, 1)
        # answers are given away without a connection
        self._desk.publisher._link.connected = True

    def make(self, rng: Random) -> Case:
        topic, payload, retained = hostile_command(rng)
        return Case.of_parts([topic.encode("utf-8", "surrogatepass"), payload], options=int(retained))

    def run(self, case: Case) -> bool:
        topic, payload = case.parts
        speaker = self._desk.publisher._line.speaker
        place = f"{PREFIX}/{topic.decode('utf-8', 'surrogatepass')}"
        before = len(speaker._events)
        # the gate lets a few a second pass: its verdict is asked for, and the desk is tried whatever it is
        self.count("admitted by the gate", speaker._gate.admits(place, payload, bool(case.options)))
        for topic_filter, handler in speaker.handlers.items():
            if topic_matches_sub(topic_filter, place):
                handler(place, payload, bool(case.options))
        answers = [text for _, text, _ in list(speaker._events)[before:]]
        speaker.forget_events()
        for answer in answers:
            told = json.loads(answer)
            check_words(answer.decode(), where="an answer", longest=2000)
            if not isinstance(told.get("ok"), bool):
                raise Unexpected(f"an answer that says neither yes nor no: {answer!r}")
        if len(speaker.retained.topics()) > len(self._desk.stations):
            raise Unexpected("a command made up a retained topic")
        return any(json.loads(answer)["ok"] for answer in answers)

    def close(self) -> None:
        self._desk.close()


class CommandsByBroker(Target):
    """The same by way of a real mosquitto and the real publisher's connection: a case is a burst of 20."""

    title = "MQTT commands, by mosquitto"
    cases = 300
    short = 5
    limit_s = 90.0
    most_mb = 256.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._broker = Mosquitto(folder, config=("max_inflight_messages 20", "message_size_limit 10000000"))
        self._broker.start()
        self._subscriber = Subscriber(self._broker.port, PREFIX)
        self._desk = _Desk(folder, self._broker.port)
        self._desk.publisher.start()
        self._subscriber.wait_for(lambda: self._answered(b"online"), 20, "the publisher's connection")
        self._burst = 0

    def _answered(self, payload: bytes) -> bool:
        return any(message.payload == payload for message in list(self._subscriber.messages))

    def make(self, rng: Random) -> Case:
        parts = []
        for _ in range(20):
            topic, payload, retained = hostile_command(rng)
            parts += [topic.encode("utf-8", "replace"), payload[:50_000], b"1" if retained else b""]
        return Case.of_parts(parts)

    def run(self, case: Case) -> bool:
        parts = case.parts
        self._subscriber.messages.clear()
        for topic, payload, retained in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            sent = publish_raw(
                self._broker.port, f"{PREFIX}/".encode() + topic, payload, retain=bool(retained)
            )
            self.count("messages" if sent else "messages that the broker did not take")
        # the connection lives: a command that is in order is still obeyed, after all of those
        self._burst += 1
        want = ("ON", "OFF")[self._burst % 2]
        station = self._desk.stations["gate"]
        station.is_enabled = want == "OFF"
        # again and again: the gate admits a few a second
        for _ in range(60):
            self._subscriber.publish("command/cameras/gate/set", want)
            with contextlib.suppress(AssertionError):
                self._subscriber.wait_for(
                    lambda: station.is_enabled == (want == "ON"), 1, "the camera to be switched"
                )
                break
        else:
            raise Unexpected("a command that is in order is not obeyed")
        if not self._desk.publisher.status.connected:
            raise Unexpected("the connection to the broker was given up")
        if self._desk.publisher.status.reconnects:
            raise Unexpected("the connection to the broker broke")
        return True

    def close(self) -> None:
        self._desk.publisher.stop(drain_s=0.1)
        self._subscriber.stop()
        self._desk.close()
        self._broker.stop()


class AlertMessages(Target):
    """What a hostile broker sends to ``listen --save``: messages and pictures, damaged."""

    title = "MQTT alerts in listen"
    cases = 20_000
    short = 150
    limit_s = 20.0
    most_mb = 256.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._saved = folder / "saved"
        self._notices: list[str] = []
        self._alerts: list[ReceivedAlert] = []
        self._reader = AlertReader(
            on_alert=self._alerts.append, on_notice=self._notices.append, save_dir=self._saved
        )
        self._message = make_alert(ALERT_ID, JPEG).to_json(seq=7, published_at=1795245245.0)

    def make(self, rng: Random) -> Case:
        message = json.loads(self._message)
        message["seq"] = rng.randrange(1, 1 << 20)
        data = json.dumps(message).encode()
        if rng.random() < 0.4:
            place: Any = message
            key = rng.choice(sorted(place))
            if isinstance(place[key], dict) and rng.random() < 0.5:
                place = place[key]
                key = rng.choice(sorted(place))
            place[key] = rng.choice(
                (
                    None,
                    True,
                    -1,
                    1 << 70,
                    1e308,
                    "",
                    "\x1b]0;x\x07",
                    "../x",
                    "\ud800",
                    [],
                    {},
                    [[]],
                    {"a": [1]},
                    "x" * 9999,
                )
            )
            data = json.dumps(message).encode()
        else:
            data = damaged_text(data, rng) if rng.random() < 0.7 else damaged(data, rng)
        topic = f"{PREFIX}/alerts"
        picture = JPEG if rng.random() < 0.5 else damaged(JPEG, rng)
        if rng.random() < 0.1:
            topic = rng.choice(
                (f"{PREFIX}/available", f"{PREFIX}/alerts/../../x/snapshot", "/alerts", "alerts")
            )
        return Case.of_parts([topic.encode(), data, picture])

    def run(self, case: Case) -> bool:
        topic, data, picture = case.parts
        self._notices.clear()
        self._alerts.clear()
        self._reader.receive(f"{topic.decode()}/{ALERT_ID}/snapshot", picture, False)
        self._reader.receive(topic.decode(), data, False)
        for notice in self._notices:
            check_words(notice, where="a notice", longest=1000)
        for alert in self._alerts:
            line = describe_alert(alert)
            if not line.isprintable():
                raise Unexpected(f"a line that steers the terminal: {line!r}")
            # what ``listen --json`` prints to a terminal that knows UTF-8
            json.dumps({**alert.message, "gap": alert.gap}, ensure_ascii=False).encode()
        lines = self._saved / "alerts.jsonl"
        if lines.exists() and lines.stat().st_size > 10_000_000:
            lines.unlink()
        for path in self._saved.glob("**/*.jpg"):
            if path.parent != self._saved:
                raise Unexpected(f"a picture was saved at {path}")
            path.unlink()
        return bool(self._alerts)
