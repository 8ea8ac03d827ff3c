"""The embedded broker talks to a real MQTT client."""

import socket
import threading
from collections.abc import Iterator

import paho.mqtt.client as mqtt
import pytest

from streamer.demo.broker import EmbeddedBroker, EmbeddedBrokerError


class Subscriber:
    """A paho client that keeps what it receives."""

    def __init__(self, port: int, topics: str) -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self._arrived = threading.Condition()
        self._subscribed = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(10)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def wait_for(self, count: int) -> list[mqtt.MQTTMessage]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.messages) >= count, 10), self.messages
            return list(self.messages)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def publisher(broker: EmbeddedBroker) -> Iterator[mqtt.Client]:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect(broker.host, broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def test_qos_1_is_acknowledged_and_delivered_in_order(broker: EmbeddedBroker, publisher: mqtt.Client) -> None:
    subscriber = Subscriber(broker.port, "site/#")
    sent = [publisher.publish("site/alerts", str(number), qos=1) for number in range(50)]
    for message in sent:
        message.wait_for_publish(10)
    assert all(message.is_published() for message in sent)
    assert [int(message.payload) for message in subscriber.wait_for(50)] == list(range(50))
    subscriber.close()


def test_a_late_subscriber_gets_retained_state_only(broker: EmbeddedBroker, publisher: mqtt.Client) -> None:
    publisher.publish("site/alerts", "an event", qos=1).wait_for_publish(10)
    publisher.publish("site/available", "online", qos=1, retain=True).wait_for_publish(10)
    subscriber = Subscriber(broker.port, "site/#")
    (message,) = subscriber.wait_for(1)
    assert (message.topic, message.payload, message.retain) == ("site/available", b"online", True)
    subscriber.close()


def test_a_snapshot_of_some_hundred_kilobytes_passes_unchanged(
    broker: EmbeddedBroker, publisher: mqtt.Client
) -> None:
    subscriber = Subscriber(broker.port, "site/alerts/+/snapshot")
    picture = bytes(range(256)) * 2000
    publisher.publish("site/alerts/01X/snapshot", picture, qos=1).wait_for_publish(10)
    assert subscriber.wait_for(1)[0].payload == picture
    subscriber.close()


def test_the_will_is_sent_when_a_client_vanishes(broker: EmbeddedBroker) -> None:
    subscriber = Subscriber(broker.port, "site/available")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.will_set("site/available", "offline", qos=1, retain=True)
    client.connect(broker.host, broker.port)
    client.loop_start()
    client.publish("site/available", "online", qos=1, retain=True).wait_for_publish(10)
    subscriber.wait_for(1)
    client.loop_stop()
    connection = client.socket()
    assert connection is not None
    connection.shutdown(socket.SHUT_RDWR)
    assert [message.payload for message in subscriber.wait_for(2)] == [b"online", b"offline"]
    subscriber.close()


def test_stopping_frees_the_port_and_ends_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    broker = EmbeddedBroker()
    broker.start()
    port = broker.port
    subscriber = Subscriber(port, "#")
    broker.stop()
    broker.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "embedded-broker"]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)
    with pytest.raises(EmbeddedBrokerError, match="not running"):
        _ = broker.port
    subscriber.close()
    assert not [record for record in caplog.records if record.name.startswith(("amqtt", "asyncio"))]


def test_it_listens_on_loopback_alone_and_can_be_started_again() -> None:
    broker = EmbeddedBroker()
    for _ in range(2):
        with broker:
            assert broker.host == "127.0.0.1"
            with pytest.raises(EmbeddedBrokerError, match="already running"):
                broker.start()
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.2", broker.port), timeout=2)


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedBrokerError, match=rf"127\.0\.0\.1:{port}.*in use"):
            EmbeddedBroker(port).start()
