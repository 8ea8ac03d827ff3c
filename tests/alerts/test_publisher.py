"""The publisher against a real broker: order, outages, availability, refusals."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from alert_factory import PREFIX, make_alert, noise_jpeg, picture_bytes
from peers.mosquitto import Certificates, Mosquitto
from subscriber import Subscriber, wait_until

from streamer.alerts.broker import Broker, BrokerTls
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher
from streamer.alerts.reconnect import ReconnectPolicy

#: Tries again fast enough for a test; real sites wait longer.
FAST = ReconnectPolicy(initial_s=0.1, max_s=0.3, refused_s=0.3)
CANARY = "c4n4ry-p4ssw0rd"

MakePublisher = Callable[..., Publisher]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "state") as outbox:
        yield outbox


@pytest.fixture
def start(outbox: Outbox) -> Iterator[MakePublisher]:
    """Starts publishers on the outbox; they are stopped with the test."""
    started: list[Publisher] = []

    def start(broker: Mosquitto, *, reconnect: ReconnectPolicy = FAST, **options: Any) -> Publisher:
        own = {
            name: options.pop(name)
            for name in ("window", "client_id", "ack_timeout_s", "housekeeping")
            if name in options
        }
        prepare = options.pop("prepare", lambda _: None)
        address = Broker(host=broker.host, port=broker.port, **options)
        publisher = Publisher(address, outbox, topic_prefix=PREFIX, reconnect=reconnect, **own)
        prepare(publisher)
        publisher.start()
        started.append(publisher)
        return publisher

    yield start
    for publisher in started:
        publisher.stop(drain_s=0.0)


def fill(outbox: Outbox, count: int, *, first: int = 0, size: int = 20_000) -> None:
    for n in range(first, first + count):
        jpeg = picture_bytes(n, size)
        outbox.enqueue(make_alert(f"A{n:04}", jpeg), jpeg, at=time.time())


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_alerts_arrive_in_order_each_after_its_picture(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher, protocol: str
):
    with Subscriber(mosquitto) as subscriber:
        publisher = start(mosquitto, protocol=protocol)
        wait_until(lambda: publisher.status.connected)
        fill(outbox, 50)
        publisher.notify()
        wait_until(lambda: outbox.stats().pending == 0)
        wait_until(lambda: len(subscriber.alerts(PREFIX)) == 50)
        alerts = subscriber.alerts(PREFIX)
        assert [alert["seq"] for alert in alerts] == list(range(1, 51))
        assert not any(alert["delayed"] for alert in alerts)
        order = [topic for topic, _, _ in subscriber.messages if topic.startswith(f"{PREFIX}/alerts")]
        for picture_topic, alert_topic, alert in zip(order[::2], order[1::2], alerts, strict=True):
            assert picture_topic == alert["snapshot"]["topic"]
            assert alert_topic == f"{PREFIX}/alerts"
            (jpeg,) = subscriber.of(picture_topic)
            assert sha256(jpeg).hexdigest() == alert["snapshot"]["sha256"]
            assert len(jpeg) == alert["snapshot"]["bytes"]
    status = publisher.status
    assert (status.pending, status.in_flight, status.delivered, status.dropped) == (0, 0, 50, 0)
    assert status.last_ack_at is not None


def test_no_message_of_an_alert_is_retained(mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher):
    fill(outbox, 2)
    start(mosquitto)
    wait_until(lambda: outbox.stats().pending == 0)
    with Subscriber(mosquitto) as late:
        wait_until(lambda: late.of(f"{PREFIX}/available") == [b"online"])
        assert [topic for topic, _, _ in late.messages] == [f"{PREFIX}/available"]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_broker_killed_twice_in_the_midst_of_200_alerts_loses_none(
    tmp_path: Path, outbox: Outbox, start: MakePublisher, protocol: str
):
    # The publisher's duty ends with the acknowledgement: what a killed broker still held in its memory for a
    # subscriber dies with it. So this one holds nothing: it writes to a QoS 0 subscriber before it acknowledges.
    with (
        Mosquitto(tmp_path, config=("max_queued_messages 0",)) as broker,
        Subscriber(broker, qos=0) as subscriber,
    ):
        # tried again on demand alone, once the subscriber is back
        slow = ReconnectPolicy(initial_s=60.0, max_s=60.0, refused_s=60.0)
        publisher = start(broker, protocol=protocol, reconnect=slow)
        wait_until(lambda: publisher.status.connected)

        def produce() -> None:
            for n in range(200):
                fill(outbox, 1, first=n)
                publisher.notify()

        producer = threading.Thread(target=produce)
        producer.start()
        for times, limit in enumerate((50, 100), start=2):
            wait_until(lambda limit=limit: publisher.status.delivered >= limit)
            broker.restart()
            subscriber.wait_subscribed(times)
            wait_until(lambda: not publisher.status.connected, what="the break is noticed")
            publisher.retry_now()
            wait_until(lambda: publisher.status.connected, what="connected again")
        producer.join()
        wait_until(lambda: outbox.stats().pending == 0, what="nothing is pending")
        wait_until(
            lambda: len({alert["seq"] for alert in subscriber.alerts(PREFIX)}) == 200,
            what=f"all arrive, {len(subscriber.alerts(PREFIX))} did",
        )
        alerts = subscriber.alerts(PREFIX)
    unique = list(dict.fromkeys((alert["seq"], alert["alert_id"], alert["type"]) for alert in alerts))
    assert [seq for seq, _, _ in unique] == list(range(1, 201))
    assert len({(alert_id, kind) for _, alert_id, kind in unique}) == 200
    duplicates = len(alerts) - 200
    print(f"MQTT {protocol}: {duplicates} raw duplicates")
    # at most what the window of 10 had on its way, for each break
    assert duplicates <= 20
    assert publisher.status.reconnects == 2


def test_after_an_outage_everything_goes_out_in_order_and_delayed(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    with Subscriber(mosquitto) as subscriber:
        publisher = start(mosquitto)
        wait_until(lambda: publisher.status.connected)
        fill(outbox, 3)
        publisher.notify()
        wait_until(lambda: outbox.stats().pending == 0)
        mosquitto.kill()
        wait_until(lambda: not publisher.status.connected)
        assert "nothing listens there" in publisher.status.reason or "broke" in publisher.status.reason
        fill(outbox, 30, first=3)
        publisher.notify()
        assert publisher.status.pending == 30
        enqueued = time.time()
        time.sleep(0.3)
        mosquitto.start()
        subscriber.wait_subscribed(2)
        wait_until(lambda: outbox.stats().pending == 0)
        fill(outbox, 1, first=33)
        publisher.notify()
        wait_until(lambda: subscriber.alerts(PREFIX) and subscriber.alerts(PREFIX)[-1]["seq"] == 34)
        alerts = subscriber.alerts(PREFIX)
    delayed = {alert["seq"]: alert["delayed"] for alert in alerts}
    assert [seq for seq, late in delayed.items() if not late] == [1, 2, 3, 34]
    seqs = [alert["seq"] for alert in alerts]
    assert seqs == sorted(seqs)
    published = [
        datetime.fromisoformat(alert["published_at"]).timestamp() for alert in alerts if alert["delayed"]
    ]
    assert all(at >= enqueued + 0.3 - 0.001 for at in published)


def test_availability_and_retained_states(mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher):
    with Subscriber(mosquitto) as subscriber:
        publisher = start(
            mosquitto, prepare=lambda p: p.publish_state("cameras/gate/status", b'{"state":"connecting"}')
        )
        wait_until(lambda: len(subscriber.messages) == 2)
        # a state first: whoever reads "online" finds the states of this run
        assert [(topic, payload) for topic, payload, _ in subscriber.messages] == [
            (f"{PREFIX}/cameras/gate/status", b'{"state":"connecting"}'),
            (f"{PREFIX}/available", b"online"),
        ]
        publisher.publish_state("cameras/gate/status", b'{"state":"online"}')
        publisher.publish_state("cameras/gate/status", b'{"state":"online"}')
        wait_until(lambda: len(subscriber.messages) == 3)
        with Subscriber(mosquitto) as late:
            wait_until(lambda: len(late.messages) == 2)
            assert all(retained for _, _, retained in late.messages)
            assert late.of(f"{PREFIX}/cameras/gate/status") == [b'{"state":"online"}']
        publisher.stop()
        wait_until(lambda: subscriber.of(f"{PREFIX}/available") == [b"online", b"stopped"])
    with Subscriber(mosquitto) as late:
        wait_until(lambda: late.of(f"{PREFIX}/available") == [b"stopped"])


def test_retained_states_come_back_after_a_broker_that_forgot_them(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    publisher = start(mosquitto)
    publisher.publish_state("cameras/gate/status", b"1")
    publisher.publish_state("cameras/gone/status", b"1")
    publisher.publish_state("cameras/still/status", b"1")
    wait_until(lambda: publisher.status.connected)
    mosquitto.kill()
    publisher.publish_state("cameras/gate/status", b"2")
    publisher.publish_state("cameras/gone/status", b"")
    mosquitto.start()
    wait_until(lambda: publisher.status.reconnects >= 1)
    kept = {
        f"{PREFIX}/available": b"online",
        f"{PREFIX}/cameras/gate/status": b"2",
        f"{PREFIX}/cameras/still/status": b"1",
    }
    with Subscriber(mosquitto) as late:
        # a removal that comes while it listens is a message without content
        wait_until(lambda: {topic: payload for topic, payload, _ in late.messages if payload} == kept)


def test_states_of_a_camera_that_is_configured_no_more_are_removed(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    with Subscriber(mosquitto) as subscriber:
        first = start(mosquitto)
        for camera in "ab":
            first.publish_state(f"cameras/{camera}/status", b"{}")
        first.remember_states()
        wait_until(lambda: len(subscriber.messages) == 3)
        first.stop()
        start(mosquitto, prepare=lambda p: p.keep_states(lambda subtopic: "/b/" not in subtopic))
        wait_until(lambda: subscriber.of(f"{PREFIX}/cameras/b/status") == [b"{}", b""])
        assert subscriber.of(f"{PREFIX}/cameras/a/status") == [b"{}"]


def test_the_will_says_offline_when_the_connection_dies(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    with Subscriber(mosquitto) as subscriber:
        publisher = start(mosquitto, client_id="mine")
        wait_until(lambda: subscriber.of(f"{PREFIX}/available") == [b"online"])
        # the broker throws the first one out for the second, as for a connection that it lost
        with Subscriber(mosquitto, "nothing", persistent_id="mine"):
            wait_until(lambda: b"offline" in subscriber.of(f"{PREFIX}/available"))
            publisher.stop()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_two_clients_with_one_id_are_told_apart_from_a_bad_line(
    mosquitto: Mosquitto,
    outbox: Outbox,
    start: MakePublisher,
    protocol: str,
    caplog: pytest.LogCaptureFixture,
):
    start(mosquitto, client_id="same", protocol=protocol)
    start(mosquitto, client_id="same", protocol=protocol)
    wait_until(lambda: "client id 'same'" in caplog.text, what="the log names the client id")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_wrong_password_is_stated_and_never_shown(
    tmp_path: Path, outbox: Outbox, start: MakePublisher, protocol: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    with Mosquitto(tmp_path, users={"yard": "right"}) as broker:
        publisher = start(broker, user="yard", password=CANARY, protocol=protocol)
        wait_until(lambda: "refused" in publisher.status.reason)
        assert not publisher.status.connected
        fill(outbox, 1)
        time.sleep(0.5)
        assert publisher.status.pending == 1
        shown = f"{publisher.status} {publisher.__dict__} {Broker(host='h', password=CANARY)}"
    assert "wrong user name or password" in caplog.text or "not authorised" in caplog.text
    assert CANARY not in caplog.text
    assert CANARY not in shown


def test_the_right_password_is_taken(tmp_path: Path, outbox: Outbox, start: MakePublisher):
    with Mosquitto(tmp_path, users={"yard": CANARY}) as broker:
        publisher = start(broker, user="yard", password=CANARY)
        fill(outbox, 1)
        publisher.notify()
        wait_until(lambda: publisher.status.delivered == 1)


def test_a_topic_that_the_broker_forbids_is_no_delivery(tmp_path: Path, outbox: Outbox, start: MakePublisher):
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {PREFIX}/available\n")
    with Mosquitto(tmp_path, config=(f"acl_file {acl}",)) as broker:
        publisher = start(broker, protocol="5")
        fill(outbox, 1)
        publisher.notify()
        wait_until(lambda: "not authorised" in publisher.status.reason)
        assert (publisher.status.pending, publisher.status.delivered) == (1, 0)


def test_tls_with_the_sites_own_ca_and_client_certificate(
    tmp_path: Path, certificates: Certificates, outbox: Outbox, start: MakePublisher
):
    tls = BrokerTls(
        ca_file=certificates.ca, cert_file=certificates.client_cert, key_file=certificates.client_key
    )
    with Mosquitto(tmp_path, tls=certificates, require_client_cert=True) as broker:
        publisher = start(broker, tls=tls)
        fill(outbox, 20, size=200_000)
        publisher.notify()
        wait_until(lambda: publisher.status.delivered == 20)


def test_tls_does_not_trust_a_ca_that_the_system_does_not_know(
    tmp_path: Path, certificates: Certificates, outbox: Outbox, start: MakePublisher
):
    with Mosquitto(tmp_path, tls=certificates) as broker:
        publisher = start(broker, tls=BrokerTls())
        wait_until(lambda: "certificate is not trusted" in publisher.status.reason)


def test_tls_checks_the_host_name_unless_told_not_to(
    tmp_path: Path, certificates: Certificates, outbox: Outbox, start: MakePublisher
):
    # this address stands in no certificate
    with Mosquitto(tmp_path, tls=certificates, host="127.0.0.2") as broker:
        strict = start(broker, tls=BrokerTls(ca_file=certificates.ca))
        wait_until(lambda: "certificate is not trusted" in strict.status.reason)
        strict.stop()
        lax = start(broker, tls=BrokerTls(ca_file=certificates.ca, insecure=True))
        wait_until(lambda: lax.status.connected)


def test_tls_towards_a_port_without_it_and_the_reverse_are_stated(
    tmp_path: Path, certificates: Certificates, mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    publisher = start(mosquitto, tls=BrokerTls(), connect_timeout_s=1.0)
    wait_until(lambda: publisher.status.reason not in {"", "not started"})
    assert publisher.status.connected is False
    publisher.stop()
    with Mosquitto(tmp_path, tls=certificates) as broker:
        plain = start(broker, connect_timeout_s=1.0)
        wait_until(lambda: plain.status.reason not in {"", "not started"})
        assert "127.0.0.1" in plain.status.reason


def test_a_broker_that_freezes_is_given_up_and_nothing_is_lost(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    with Subscriber(mosquitto) as subscriber:
        publisher = start(mosquitto, ack_timeout_s=0.5, connect_timeout_s=0.5)
        wait_until(lambda: publisher.status.connected)
        mosquitto.freeze()
        fill(outbox, 3)
        publisher.notify()
        wait_until(lambda: not publisher.status.connected)
        mosquitto.thaw()
        wait_until(lambda: outbox.stats().pending == 0)
        wait_until(lambda: {alert["seq"] for alert in subscriber.alerts(PREFIX)} == {1, 2, 3})


@pytest.mark.parametrize(
    ("protocol", "limit"),
    [("5", "max_packet_size"), ("3.1.1", "max_packet_size"), ("5", "message_size_limit")],
)
def test_a_state_that_the_broker_does_not_take_holds_up_no_alert(
    tmp_path: Path,
    outbox: Outbox,
    start: MakePublisher,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
    limit: str,
):
    """The ``health`` of a thousand cameras, for example, at a broker that takes 128 kB."""
    jpeg = noise_jpeg(1)[:10_000]
    outbox.enqueue(make_alert("A1", jpeg), jpeg, at=time.time())
    with (
        Mosquitto(tmp_path, config=(f"{limit} 20000",)) as broker,
        Subscriber(broker) as subscriber,
    ):
        publisher = start(
            broker, protocol=protocol, prepare=lambda new: new.publish_state("health", b"x" * 30_000)
        )
        wait_until(lambda: outbox.stats().pending == 0 and subscriber.alerts(PREFIX))
        # no alert was blamed for it: this one goes out with its picture as it is
        assert subscriber.of(f"{PREFIX}/alerts/A1/snapshot")[-1] == jpeg
        wait_until(lambda: publisher.status.connected)
        assert f"{PREFIX}/health is not published: the broker does not take its 30000 bytes" in caplog.text
        publisher.publish_state("health", b"small")
        wait_until(lambda: subscriber.of(f"{PREFIX}/health")[-1:] == [b"small"])
        # and not even the value before it is told when it is too large again
        publisher.publish_state("health", b"y" * 31_000)
        wait_until(lambda: subscriber.of(f"{PREFIX}/health")[-1:] == [b""])
        if protocol == "5":
            publisher.publish_event("stats", b"z" * 31_000)
        outbox.enqueue(make_alert("A2"), at=time.time())
        publisher.notify()
        wait_until(lambda: outbox.stats().pending == 0)


def test_a_picture_that_the_broker_does_not_take_is_made_smaller(
    tmp_path: Path, outbox: Outbox, start: MakePublisher
):
    jpeg = noise_jpeg(1)
    with (
        Mosquitto(tmp_path, config=("max_packet_size 50000",)) as broker,
        Subscriber(broker) as subscriber,
    ):
        publisher = start(broker, protocol="5")
        wait_until(lambda: publisher.status.connected)
        assert publisher.status.max_payload_bytes < 50_000
        outbox.enqueue(make_alert("A1", jpeg), jpeg, at=time.time())
        publisher.notify()
        wait_until(lambda: subscriber.alerts(PREFIX))
        (alert,) = subscriber.alerts(PREFIX)
        (received,) = subscriber.of(alert["snapshot"]["topic"])
    assert len(received) == alert["snapshot"]["bytes"] < 50_000
    assert sha256(received).hexdigest() == alert["snapshot"]["sha256"]
    assert cv2.imdecode(np.frombuffer(received, np.uint8), cv2.IMREAD_COLOR) is not None
    # the evidence on the disk stays as it was made
    assert outbox.messages_of("A1")[0].snapshot.read_bytes() == jpeg


def test_a_message_that_breaks_the_connection_each_time_does_not_hold_up_the_others(
    tmp_path: Path, outbox: Outbox, start: MakePublisher, caplog: pytest.LogCaptureFixture
):
    # MQTT 3.1.1 brokers do not say how much they take; they just end the connection
    with (
        Mosquitto(tmp_path, config=("max_packet_size 10000",)) as broker,
        Subscriber(broker) as subscriber,
    ):
        for n in range(2):
            outbox.enqueue(make_alert(f"A{n}", noise_jpeg(n)), noise_jpeg(n), at=time.time())
        outbox.enqueue(make_alert("plain"), at=time.time())
        publisher = start(
            broker, protocol="3.1.1", reconnect=ReconnectPolicy(initial_s=0.02, max_s=0.02, refused_s=0.02)
        )
        wait_until(lambda: outbox.stats().pending == 0)
        wait_until(lambda: len({alert["seq"] for alert in subscriber.alerts(PREFIX)}) == 3)
        last = {alert["seq"]: alert for alert in subscriber.alerts(PREFIX)}
    assert last[1]["snapshot"] is None
    assert last[1]["snapshot_missing"] == "the connection broke 5 times while it was sent"
    assert "client id" not in caplog.text
    assert publisher.status.pending == 0


def test_of_many_pictures_that_are_too_large_the_first_alone_breaks_the_connection(
    tmp_path: Path, outbox: Outbox, start: MakePublisher, caplog: pytest.LogCaptureFixture
):
    """As at a broker that takes 128 kB, and is spoken to in MQTT 3.1.1."""
    with (
        Mosquitto(tmp_path, config=("max_packet_size 131072",)) as broker,
        Subscriber(broker) as subscriber,
    ):
        for n in range(6):
            jpeg = noise_jpeg(n)
            outbox.enqueue(make_alert(f"A{n}", jpeg), jpeg, at=time.time())
        publisher = start(broker, protocol="3.1.1")
        wait_until(lambda: outbox.stats().pending == 0)
        wait_until(lambda: len({alert["seq"] for alert in subscriber.alerts(PREFIX)}) == 6)
        assert publisher.status.reconnects == 3
        for alert in subscriber.alerts(PREFIX):
            assert 0 < alert["snapshot"]["bytes"] <= 64_000
    assert caplog.text.count("takes no pictures beyond some size") == 1


def test_a_lost_picture_file_does_not_stop_its_alert(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    fill(outbox, 1)
    outbox.pending()[0].snapshot.unlink()
    with Subscriber(mosquitto) as subscriber:
        start(mosquitto)
        wait_until(lambda: subscriber.alerts(PREFIX))
        assert subscriber.alerts(PREFIX)[0]["snapshot_missing"] == "the file cannot be read"


def test_events_without_a_connection_are_counted_as_dropped(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    with Subscriber(mosquitto) as subscriber:
        publisher = start(mosquitto)
        wait_until(lambda: publisher.status.connected)
        publisher.publish_event("stats", b'{"n":1}')
        wait_until(lambda: subscriber.of(f"{PREFIX}/stats") == [b'{"n":1}'])
        mosquitto.kill()
        wait_until(lambda: not publisher.status.connected)
        publisher.publish_event("stats", b'{"n":2}')
        assert publisher.status.events_dropped == 1


def test_commands_reach_their_handler_and_a_failing_one_ends_nothing(
    mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher
):
    got: list[tuple[str, bytes, bool]] = []

    def handler(topic: str, payload: bytes, retained: bool) -> None:
        got.append((topic, payload, retained))
        if payload == b"bad":
            raise RuntimeError("a handler's own trouble")

    publisher = start(mosquitto, prepare=lambda p: p.subscribe("command/#", handler))
    wait_until(lambda: publisher.status.connected)
    with Subscriber(mosquitto) as sender:
        for payload in (b"bad", b"good"):
            sender.publish(f"{PREFIX}/command/reload", payload)
        wait_until(lambda: len(got) == 2)
    assert got[-1] == (f"{PREFIX}/command/reload", b"good", False)
    assert publisher.status.reconnects == 0


def test_housekeeping_runs_with_and_without_a_broker(mosquitto: Mosquitto, start: MakePublisher):
    calls: list[float] = []
    mosquitto.kill()
    publisher = start(mosquitto, housekeeping=lambda: calls.append(time.monotonic()))
    wait_until(lambda: len(calls) >= 2)
    assert not publisher.status.connected
    mosquitto.start()
    wait_until(lambda: publisher.status.connected)
    before = len(calls)
    wait_until(lambda: len(calls) >= before + 2)


def test_stop_sends_what_waits_first(mosquitto: Mosquitto, outbox: Outbox, start: MakePublisher):
    with Subscriber(mosquitto) as subscriber:
        publisher = start(mosquitto)
        wait_until(lambda: publisher.status.connected)
        fill(outbox, 20)
        publisher.stop(drain_s=5.0)
        assert outbox.stats().pending == 0
        wait_until(lambda: subscriber.of(f"{PREFIX}/available") == [b"online", b"stopped"])
        assert len(subscriber.alerts(PREFIX)) == 20
        assert subscriber.messages[-1][0] == f"{PREFIX}/available"
