"""A subscriber as people have them: paho with a persistent session, which keeps everything it receives."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion


@dataclass(frozen=True)
class Received:
    """One message as it came in."""

    topic: str
    payload: bytes
    retained: bool
    at: float


class Subscriber:
    """Subscribes to everything below ``prefix`` with QoS 1. Its session outlives the broker's restarts."""

    def __init__(
        self,
        port: int,
        prefix: str,
        *,
        client_id: str = "test-subscriber",
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self.messages: list[Received] = []
        self._prefix = prefix
        self._arrived = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(0.2, 0.5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/#", 1)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port, keepalive=5)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, subtopic: str, payload: str, *, retain: bool = False) -> None:
        """Publish below the prefix with QoS 1."""
        self._client.publish(f"{self._prefix}/{subtopic}", payload, qos=1, retain=retain)

    def wait_for(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        """The first true value of ``condition``, asked again whenever something arrives; fails after the time."""
        end = time.monotonic() + timeout_s
        with self._arrived:
            while not (value := condition()):
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {timeout_s:.0f} s: {what}")
                self._arrived.wait(min(left, 0.5))
            return value

    def alerts(self, *, camera: str | None = None, kind: str | None = None) -> list[dict[str, Any]]:
        """Alert messages, repeated deliveries left out, in the order of arrival."""
        found: dict[tuple[int, str, str], dict[str, Any]] = {}
        for message in list(self.messages):
            if message.topic == f"{self._prefix}/alerts":
                told = json.loads(message.payload)
                found.setdefault((told["seq"], told["alert_id"], told["type"]), told)
        return [
            told
            for told in found.values()
            if (camera is None or told["camera"] == camera) and (kind is None or told["type"] == kind)
        ]

    def latest(self, topic: str) -> dict[str, Any] | None:
        """The newest JSON message of a topic below the prefix."""
        for message in reversed(list(self.messages)):
            if message.topic == f"{self._prefix}/{topic}":
                return json.loads(message.payload)
        return None

    def pictures(self) -> set[tuple[str, str]]:
        """Topic and digest of every snapshot that came."""
        return {
            (message.topic, sha256(message.payload).hexdigest())
            for message in list(self.messages)
            if message.topic.endswith("/snapshot")
        }

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self._arrived:
            self.messages.append(Received(message.topic, message.payload, message.retain, time.time()))
            self._arrived.notify_all()
