"""Commands of others: bounded in size, number and names, and never retained ones. Also against a real broker."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from peers.mosquitto import Mosquitto

from streamer.alerts.broker import Broker
from streamer.alerts.command_gate import BURST, MAX_PAYLOAD_BYTES, CommandGate
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher
from streamer.alerts.session import BrokerSession

TOPIC = "ppewatch/yard/command/reload"


@pytest.mark.parametrize(
    ("topic", "payload", "retained", "admitted"),
    [
        (TOPIC, b"", False, True),
        (TOPIC, b"x" * MAX_PAYLOAD_BYTES, False, True),
        (TOPIC, b"x" * (MAX_PAYLOAD_BYTES + 1), False, False),
        (TOPIC, b"", True, False),
        ("p/command/cameras/gate\x00/set", b"ON", False, False),
        ("p/command/cameras/gate\x1b[2J/set", b"ON", False, False),
        ("p/command/cameras/\x9b2J/set", b"ON", False, False),
        ("p/command/cameras/+/set", b"ON", False, False),
        ("p/command/cameras/#", b"ON", False, False),
        ("p/command/cameras/\ufffe/set", b"ON", False, False),
        ("p/command/cameras/" + "a" * 600 + "/set", b"ON", False, False),
        ("p/command/cameras/" + "\u20ac" * 200 + "/set", b"ON", False, False),
        ("p/command/cameras/Stra\u00dfe/set", b"ON", False, True),
    ],
)
def test_what_is_let_in(topic: str, payload: bytes, retained: bool, admitted: bool) -> None:
    assert CommandGate().admits(topic, payload, retained) is admitted


def test_a_flood_is_cut_to_its_rate_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    gate = CommandGate(clock=lambda: now)
    with caplog.at_level(logging.WARNING):
        assert sum(gate.admits(TOPIC, b"", False) for _ in range(10_000)) == BURST
        now = 1.0
        assert sum(gate.admits(TOPIC, b"", False) for _ in range(1000)) == 10
        now = 31.0
        assert sum(gate.admits(TOPIC, b"", False) for _ in range(1000)) == BURST
    assert len(caplog.records) == 2
    assert f"{10_000 - BURST - 1 + 990 + 1} more than 10 a second" in caplog.text


@settings(max_examples=30)
@given(st.text(max_size=40), st.binary(max_size=8), st.booleans())
def test_any_name_is_taken_and_none_is_logged(topic: str, payload: bytes, retained: bool) -> None:
    gate = CommandGate()
    assert isinstance(gate.admits(topic, payload, retained), bool)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_over_a_real_broker(tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, bytes]] = []
    with Mosquitto(tmp_path) as broker, Outbox(tmp_path / "state") as outbox:
        sender = Client(CallbackAPIVersion.VERSION2)
        sender.connect("127.0.0.1", broker.port)
        sender.loop_start()
        # one that waits for us at the broker
        sender.publish("p/command/cameras/gate/set", b"retained", qos=1, retain=True).wait_for_publish(5)
        publisher = Publisher(
            Broker(host="127.0.0.1", port=broker.port, protocol=protocol),  # type: ignore[arg-type]
            outbox,
            topic_prefix="p",
        )
        publisher.subscribe("command/cameras/+/set", lambda topic, payload, _: seen.append((topic, payload)))
        publisher.start()
        try:
            wait_until(lambda: publisher.status.connected)
            # the subscription stands when one comes through
            wait_until(lambda: sender.publish("p/command/cameras/gate/set", b"first", qos=1) and seen)
            for payload in (b"x" * (MAX_PAYLOAD_BYTES + 1), b"x" * 3_000_000, b"ON"):
                sender.publish("p/command/cameras/gate/set", payload, qos=1).wait_for_publish(10)
            for name in ("$SYS", "a" * 700, "gate"):
                sender.publish(f"p/command/cameras/{name}/set", b"last", qos=1).wait_for_publish(10)
            wait_until(lambda: ("p/command/cameras/gate/set", b"last") in seen)
            assert publisher.status.connected
            assert publisher.status.reconnects == 0
        finally:
            publisher.stop(drain_s=0.0)
            sender.disconnect()
            sender.loop_stop()
    payloads = {payload for _, payload in seen}
    assert payloads == {b"first", b"ON", b"last"}
    assert not [topic for topic, _ in seen if "aaaa" in topic]
    assert "commands that were not obeyed" in caplog.text


def test_a_name_that_is_no_utf_8_is_dropped(tmp_path: Path) -> None:
    seen: list[str] = []
    session = BrokerSession(
        Broker(host="127.0.0.1"), client_id="test", on_message=lambda topic, *_: seen.append(topic)
    )
    try:
        for topic in (b"p/command/\xff\xfe", b"p/\xed\xa0\x80", b"p/good"):
            session._message(None, None, MQTTMessage(topic=topic))  # type: ignore[arg-type]
    finally:
        session.abort()
    assert seen == ["p/good"]


def wait_until(condition: object, timeout_s: float = 30.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def warnings_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield
