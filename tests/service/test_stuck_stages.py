"""Threads of the real daemon that hang or end: found within ten seconds, restarted or handed to a fresh process."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from peers.mosquitto import Mosquitto, free_port
from peers.subscriber import Subscriber

from streamer.commands import ExitCode
from streamer.demo.site import CLIP

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.xdist_group("stuck-stages"),
    pytest.mark.e2e,
    pytest.mark.timeout(280),
]

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("sticking_daemon.py")

#: A busy machine may take this long for what takes seconds.
PATIENCE_S = 120
GUARD_S = 8
STOP_S = 6

#: What each daemon is for; all run at once.
DAEMONS = ("replaced", "died", "inference", "rules", "main", "supervisor", "lock")


class Sticking:
    """One daemon with its own folder, prefix and service manager."""

    def __init__(self, name: str, folder: Path, broker_port: int) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.http_port = free_port()
        self.site = self.folder / "site.yaml"
        self.site.write_text(
            yaml.safe_dump(
                {
                    "site": {"name": name, "timezone": "UTC"},
                    "mqtt": {"port": broker_port, "topic_prefix": f"ppewatch/{name}"},
                    "http": {"listen": f"127.0.0.1:{self.http_port}"},
                    "state_dir": str(self.folder / "state"),
                    "cameras": {"gate": {"url": str(CLIP), "loop": True, "fps": 2}},
                    "rules": [{"name": "masks", "where": ["gate"], "require": ["face_mask"], "dwell": "1s"}],
                }
            )
        )
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind("")
        self.told: list[dict[str, str]] = []
        self.start()

    def start(self) -> None:
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NOTIFY_SOCKET": "@" + self.manager.getsockname()[1:].decode(),
            "WATCHDOG_USEC": "30000000",
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.site), str(self.folder), str(GUARD_S), str(STOP_S)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environ,
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def drain(self) -> list[dict[str, str]]:
        """What it has told its service manager; a full socket would make it wait."""
        self.manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                lines = self.manager.recv(8192).decode().splitlines()
                self.told.append(dict(line.partition("=")[::2] for line in lines))
        return self.told

    def wait_for(self, text: str, count: int = 1) -> None:
        end = time.monotonic() + PATIENCE_S
        while self.log.count(text) < count:
            self.drain()
            assert time.monotonic() < end, f"{self.name}: no {text!r}:\n{self.log[-4000:]}"
            if self.process.poll() is not None and self.log.count(text) < count:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log[-4000:]}")
            time.sleep(0.05)

    def wait_ended(self) -> int:
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            self.drain()
            assert time.monotonic() < end, f"{self.name} does not end:\n{self.log[-4000:]}"
            time.sleep(0.05)
        self.drain()
        return self.process.returncode

    def stick(self, place: str, how: str = "hang") -> None:
        (self.folder / f"{place}.{how}").touch()

    def ask(self, path: str, timeout_s: float = 5.0) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=timeout_s) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def ask_until(self, path: str, status: int) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError):
                found, body = self.ask(path)
                if found == status:
                    return body
            assert time.monotonic() < end, f"{path} of {self.name} does not answer {status}"
            time.sleep(0.1)

    def poke_web(self) -> None:
        """Make the event loop come by; it gives no answer when it hangs there."""
        with contextlib.suppress(OSError):
            self.ask("/healthz", timeout_s=0.5)

    def silence(self, stage: str) -> float:
        """For how long the stage had been silent when it was found, by the daemon's own clock."""
        found = re.search(rf"stage {stage}: no sign of life for ([0-9.]+) s", self.log)
        assert found, self.log[-4000:]
        return float(found[1])

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.manager.close()


class Site:
    """The daemons, their broker and a subscriber to everything."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.subscriber = Subscriber(broker.port, "ppewatch")
        self.daemons = {name: Sticking(name, folder, broker.port) for name in DAEMONS}

    def health(self, name: str, **wanted: object) -> dict[str, Any]:
        """A ``health`` of this daemon with these values, once it has come."""
        topic = f"ppewatch/{name}/health"

        def found() -> dict[str, Any] | None:
            for message in reversed(list(self.subscriber.messages)):
                told = json.loads(message.payload) if message.topic == topic else {}
                if told and all(told[key] == value for key, value in wanted.items()):
                    return told
            return None

        return self.subscriber.wait_for(found, PATIENCE_S, f"health {wanted} of {name}")

    def alerts(self, name: str, kind: str) -> list[dict[str, Any]]:
        told = [
            json.loads(m.payload)
            for m in list(self.subscriber.messages)
            if m.topic == f"ppewatch/{name}/alerts"
        ]
        return [alert for alert in told if alert["type"] == kind]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Every daemon, watching, with what is to hang told to."""
    folder = tmp_path_factory.mktemp("stuck")
    with Mosquitto(folder) as broker:
        running = Site(folder, broker)
        try:
            for name, daemon in running.daemons.items():
                daemon.wait_for("ready: 1 cameras")
                running.health(name, state="ready", reason="")
                running.subscriber.wait_for(
                    lambda name=name: running.alerts(name, "new"), PATIENCE_S, f"an alert of {name}"
                )
            for place in ("camera", "mqtt", "status", "web"):
                running.daemons["replaced"].stick(place)
            running.daemons["replaced"].poke_web()
            for name in ("inference", "rules", "main", "supervisor"):
                running.daemons[name].stick(name)
            running.daemons["lock"].stick("inference", "hold")
            yield running
        finally:
            for daemon in running.daemons.values():
                daemon.end()
            running.subscriber.stop()


def test_a_thread_that_ended_is_replaced_at_once(site: Site) -> None:
    daemon = site.daemons["died"]
    stages = {
        "camera": "camera gate",
        "inference": "inference",
        "rules": "rules",
        "mqtt": "mqtt",
        "status": "status",
    }
    for place in (*stages, "web loop"):
        daemon.stick(place, "end")
    for stage in (*stages.values(), "web"):
        daemon.wait_for(f"stage {stage}: its thread has ended")
        daemon.wait_for(f"stage {stage} was restarted")
        assert not re.search(rf"stage {stage}: no sign of life", daemon.log), (
            "found by its end, not by its silence"
        )
    told = site.health("died", state="ready")
    daemon.ask_until("/readyz", 200)
    assert {name: stage["state"] for name, stage in told["stages"].items()}.items() >= {
        (stage, "beating") for stage in (*stages.values(), "web")
    }
    # the rules' thread was replaced and the episode went on
    assert len(site.alerts("died", "new")) == 1
    assert site.alerts("died", "end") == []
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait_ended() == ExitCode.DONE, daemon.log[-4000:]
    assert site.health("died", state="stopped")["reason"] == ""
    ended = site.subscriber.wait_for(lambda: site.alerts("died", "end"), PATIENCE_S, "the end of the episode")
    assert ended[0]["end_reason"] == "shutdown"


def test_threads_that_hang_are_found_within_ten_seconds_and_replaced_where_that_can_be(site: Site) -> None:
    daemon = site.daemons["replaced"]
    for stage in ("camera gate", "mqtt", "status", "web"):
        daemon.wait_for(f"stage {stage}: no sign of life")
        assert daemon.silence(stage) <= 10
        daemon.wait_for(f"stage {stage} was restarted")
    body = daemon.ask_until("/readyz", 200)
    assert body == {"status": "ready", "reason": "", "detail": "", "late": [], "stages": {}}
    told = site.health("replaced", state="ready")
    assert {told["stages"][stage]["restarts"] for stage in ("camera gate", "mqtt", "status", "web")} == {1}
    # it was said while it was so, by what could still speak
    assert [
        told for told in daemon.drain() if told.get("STATUS", "").startswith("unready: stage_hangs: stage ")
    ]
    # and what took their place works: a status, frames, judged
    online = daemon.log.count("gate: online")
    assert online >= 2, "the camera was connected to anew"
    body = json.loads(
        urllib.request.urlopen(f"http://127.0.0.1:{daemon.http_port}/api/cameras", timeout=10).read()
    )
    assert body[0]["state"] == "online"
    metrics = (
        urllib.request.urlopen(f"http://127.0.0.1:{daemon.http_port}/metrics", timeout=10).read().decode()
    )
    assert 'ppewatch_stage_restarts_total{stage="mqtt"} 1.0' in metrics
    assert 'ppewatch_stage_age_seconds{stage="main"}' in metrics

    # a stop that hangs is bounded, too
    daemon.stick("stop")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait_ended() == ExitCode.GAVE_UP
    assert daemon.log.rstrip().endswith("stop_hangs: the daemon did not stop in order")


@pytest.mark.parametrize("stage", ["inference", "rules", "main"])
def test_what_hangs_and_cannot_be_replaced_ends_the_process_with_a_reason(site: Site, stage: str) -> None:
    daemon = site.daemons[stage]
    assert daemon.wait_ended() == ExitCode.GAVE_UP
    assert daemon.silence(stage) <= 10
    assert "sticking_daemon.py" in daemon.log, "the stack says where it hangs"
    assert f"gave up: stage_hangs: stage {stage}: it hangs" in daemon.log
    assert daemon.log.rstrip().splitlines()[-1].count("Traceback") == 0
    told = site.health(stage, state="failed")
    assert told["reason"] == "stage_hangs"
    assert told["stages"][stage]["state"] == "failed"
    ending = [message for message in daemon.told if "STOPPING" in message]
    assert ending[-1]["STATUS"].startswith(f"failed: stage_hangs: stage {stage}: ")
    topic = f"ppewatch/{stage}/available"
    site.subscriber.wait_for(
        lambda: [m for m in list(site.subscriber.messages) if m.topic == topic][-1].payload != b"online",
        PATIENCE_S,
        "that it is not online any more",
    )


def test_episodes_that_were_open_when_the_rules_hung_are_ended_at_the_next_start(site: Site) -> None:
    daemon = site.daemons["rules"]
    daemon.wait_ended()
    (opened,) = site.alerts("rules", "new")
    daemon.start()
    ended = site.subscriber.wait_for(lambda: site.alerts("rules", "end"), PATIENCE_S, "its end")
    assert (ended[0]["alert_id"], ended[0]["end_reason"]) == (opened["alert_id"], "shutdown")


@pytest.mark.parametrize("name", ["supervisor", "lock"])
def test_when_the_supervisor_cannot_speak_somebody_else_ends_the_process(site: Site, name: str) -> None:
    daemon = site.daemons[name]
    assert daemon.wait_ended() == ExitCode.FAILED
    assert "Timeout (" in daemon.log
    assert "sticking_daemon.py" in daemon.log, "the stacks say where it hangs"
