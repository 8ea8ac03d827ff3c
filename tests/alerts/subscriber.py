"""A subscriber that is not ours: plain paho, its own thread, everything noted as it came."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from peers.mosquitto import Mosquitto


class Subscriber:
    """Subscribed to ``topic_filter`` once the block begins; it reconnects quickly."""

    def __init__(
        self,
        broker: Mosquitto,
        topic_filter: str = "#",
        *,
        qos: int = 1,
        persistent_id: str = "",
    ) -> None:
        self._broker = broker
        self.messages: list[tuple[str, bytes, bool]] = []
        self._subscriptions = 0
        self._subscribed = threading.Condition()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=persistent_id, clean_session=not persistent_id
        )
        self._client.reconnect_delay_set(0.05, 0.1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic_filter, qos=qos)
        self._client.on_subscribe = self._suback
        self._client.on_message = self._message

    def __enter__(self) -> "Subscriber":
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        self.wait_subscribed(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_subscribed(self, times: int) -> None:
        """Wait until a broker has confirmed the subscription that often, once for each connection."""
        with self._subscribed:
            if not self._subscribed.wait_for(lambda: self._subscriptions >= times, 10):
                raise TimeoutError("the subscriber is not subscribed")

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 and wait for the acknowledgement."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(5)

    def of(self, topic: str) -> list[bytes]:
        """The payloads that came on ``topic``, in order."""
        return [payload for got, payload, _ in list(self.messages) if got == topic]

    def alerts(self, prefix: str) -> list[dict[str, Any]]:
        """The alert messages below ``prefix``, in order."""
        return [json.loads(payload) for payload in self.of(f"{prefix}/alerts")]

    def _suback(self, *_: object) -> None:
        with self._subscribed:
            self._subscriptions += 1
            self._subscribed.notify_all()

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload), bool(message.retain)))


def wait_until(condition: Callable[[], object], *, timeout_s: float = 15.0, what: str = "") -> None:
    """Wait until ``condition`` holds; fails the test when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what or condition}")
        time.sleep(0.01)
