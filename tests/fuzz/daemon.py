"""The real daemon beside a real mosquitto: commands and HTTP requests while it watches the demo's clip."""

import contextlib
import re
import urllib.request
from pathlib import Path
from random import Random

import yaml
from fuzz.http_requests import check_answer, exchange, hostile_request
from fuzz.mqtt_messages import hostile_command
from fuzz.raw_mqtt import publish_raw
from fuzz.target import CANARY, Case, Target, Unexpected
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto, free_port
from peers.subscriber import Subscriber

from streamer.demo.site import CLIP

_PREFIX = "ppewatch/fuzz"
_READY_S = 150.0
#: Of its own accord it says so little that this much more is a flood.
_MOST_LOG_BYTES = 200_000


class Daemon(Target):
    """A case is a burst of 10 commands and 10 requests; memory is the daemon's."""

    title = "the daemon: MQTT and HTTP"
    cases = 150
    short = 3
    limit_s = 120.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._broker = Mosquitto(folder, config=("message_size_limit 10000000",))
        self._broker.start()
        self._subscriber = Subscriber(self._broker.port, _PREFIX)
        self._port = free_port()
        site = {
            "site": {"name": "fuzz", "timezone": "UTC"},
            "mqtt": {"port": self._broker.port, "topic_prefix": _PREFIX, "commands": True},
            "http": {"listen": f"127.0.0.1:{self._port}", "user": "viewer", "password": "${PAGE_PASSWORD}"},
            "state_dir": str(folder / "state"),
            "cameras": {"gate": {"url": str(CLIP), "loop": True, "fps": 1}},
            "rules": [
                {"name": "masks", "where": ["gate"], "require": ["face_mask"], "dwell": "1s", "clear": "2s"}
            ],
        }
        (folder / "site.yaml").write_text(yaml.safe_dump(site))
        self._daemon = DaemonProcess(
            folder / "site.yaml", folder / "daemon.log", environ={"PAGE_PASSWORD": CANARY}
        )
        self._daemon.wait_for_log("ready: 1 cameras", _READY_S)
        self._read_bytes = 0

    def make(self, rng: Random) -> Case:
        parts = []
        for _ in range(10):
            topic, payload, retained = hostile_command(rng)
            parts += [topic.encode("utf-8", "replace"), payload[:50_000], b"1" if retained else b""]
            parts.append(hostile_request(rng, password=CANARY))
        return Case.of_parts(parts)

    def run(self, case: Case) -> bool:
        parts = case.parts
        for topic, payload, retained, request in zip(
            parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True
        ):
            topic = f"{_PREFIX}/".encode() + topic  # noqa: PLW2901 - below the daemon's prefix
            publish_raw(self._broker.port, topic, payload, retain=bool(retained))
            check_answer(exchange(self._port, request), secret=CANARY)
        self._subscriber.messages.clear()
        # again and again: the gate admits a few a second
        for _ in range(60):
            self._subscriber.publish("command/alerts/01JD0000000000000000000001/feedback", "true_alarm")
            with contextlib.suppress(AssertionError):
                self._subscriber.wait_for(self._was_answered, 1, "the answer to a command")
                break
        else:
            raise Unexpected("a command that is in order is not answered")
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/healthz", timeout=10) as answer:
            if answer.status != 200:
                raise Unexpected(f"/healthz answers {answer.status}")
        self._check_log()
        return True

    def _was_answered(self) -> bool:
        return any(message.topic.endswith("/feedback/state") for message in list(self._subscriber.messages))

    def _check_log(self) -> None:
        if self._daemon.process.poll() is not None:
            raise Unexpected(
                f"the daemon ended with {self._daemon.process.returncode}: {self._daemon.log[-2000:]}"
            )
        text = self._daemon.log[self._read_bytes :]
        self._read_bytes += len(text)
        self.count("log lines", text.count("\n"))
        if found := re.search(r"Traceback|internal error|failed in a", text):
            raise Unexpected(f"the daemon's log: {text[max(0, found.start() - 200) : found.start() + 1500]}")
        if CANARY in text:
            raise Unexpected("the daemon's log tells a secret")
        if len(text) > _MOST_LOG_BYTES:
            raise Unexpected(f"the daemon wrote {len(text)} characters to its log: {text[:500]}")

    @property
    def watched_pid(self) -> int:
        return self._daemon.process.pid

    def close(self) -> None:
        self._subscriber.stop()
        self._daemon.end()
        self._broker.stop()
