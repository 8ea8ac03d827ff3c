"""A subscriber that misses nothing: plain paho, QoS 1 and a session that the broker keeps while it is away.

It knows nothing of the daemon but the contract: topics, and the fields ``alert_id``, ``seq``, ``type`` and
``snapshot``.
"""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

#: What differs between two deliveries of one message.
_OF_THE_DELIVERY: Final = ("published_at", "delayed", "snapshot", "snapshot_missing")
_MOST_PICTURES: Final = 5000


@dataclass(frozen=True, slots=True)
class Told:
    """One alert message as it came in, at ``at`` (UTC epoch s of this process).

    ``essence`` is the digest of all that every delivery of one message has in common; ``picture_came`` whether the
    picture that it names had arrived before it (None: it names none).
    """

    seq: int
    alert_id: str
    type: str
    camera: str
    at: float
    delayed: bool
    essence: str
    picture_came: bool | None

    @property
    def key(self) -> tuple[int, str, str]:
        """What a subscriber that follows the contract tells messages apart by."""
        return self.seq, self.alert_id, self.type


class Witness:
    """Subscribed to everything below ``prefix`` at ``127.0.0.1:port`` from ``start`` to ``stop``; a context manager.

    It comes back by itself when the broker does. ``alerts`` is everything that came, repeats too, in order;
    ``states`` the latest payload of every other topic.
    """

    def __init__(
        self,
        port: int,
        prefix: str,
        *,
        client_id: str = "witness",
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self.alerts: list[Told] = []
        self.states: dict[str, bytes] = {}
        self.malformed = 0
        self._port = port
        self._prefix = prefix
        self._pictures: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._seqs: set[int] = set()
        self._arrived = threading.Condition()
        self._subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(0.1, 0.5)  # type: ignore[arg-type]
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect, and return once the broker knows the subscription. Raises ``OSError``."""
        self._client.connect("127.0.0.1", self._port, keepalive=10)
        self._client.loop_start()
        self.wait_for(lambda: self._subscribed, 15.0)

    def stop(self) -> None:
        """Disconnect; the broker goes on keeping what comes."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for(self, condition: Callable[[], object], timeout_s: float) -> bool:
        """Wait until ``condition`` holds, which is asked whenever something came; whether it did in time."""
        end_s = time.monotonic() + timeout_s
        with self._arrived:
            while not condition():
                left_s = end_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._arrived.wait(min(left_s, 0.25))
        return True

    def has(self, seqs: set[int]) -> bool:
        """Whether every one of these messages has come."""
        return seqs <= self._seqs

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(f"{self._prefix}/#", 1)

    def _on_subscribe(self, *_: object) -> None:
        with self._arrived:
            self._subscribed = True
            self._arrived.notify_all()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        at = time.time()
        subtopic = message.topic.removeprefix(f"{self._prefix}/")
        with self._arrived:
            if subtopic == "alerts":
                self._alert(bytes(message.payload), at)
            elif subtopic.startswith("alerts/"):
                self._pictures[(message.topic, sha256(message.payload).hexdigest())] = None
                while len(self._pictures) > _MOST_PICTURES:
                    self._pictures.popitem(last=False)
            else:
                self.states[subtopic] = bytes(message.payload)
            self._arrived.notify_all()

    def _alert(self, payload: bytes, at: float) -> None:
        try:
            told = json.loads(payload)
            named = told["snapshot"]
            came = None if named is None else (named["topic"], named["sha256"]) in self._pictures
            seq, alert_id, kind, camera = told["seq"], told["alert_id"], told["type"], told["camera"]
        except (ValueError, KeyError, TypeError):
            self.malformed += 1
            return
        rest = {name: value for name, value in told.items() if name not in _OF_THE_DELIVERY}
        essence = sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
        self.alerts.append(Told(seq, alert_id, kind, camera, at, bool(told["delayed"]), essence, came))
        self._seqs.add(seq)
