"""``ppewatch listen`` at a real broker: what it prints, checks, saves, and how it ends."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import CANARY, one_line_of, ppewatch, started
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from peers.mosquitto import Mosquitto

from streamer.alerts.payload import Alert, AlertType, SnapshotInfo

PREFIX = "ppewatch/north-yard"
ALERT_ID = "01JD0000000000000000000001"
PICTURE = b"\xff\xd8 as good as a JPEG for a broker \xff\xd9"


def message(seq: int, *, kind: AlertType = AlertType.NEW, picture: bytes | None = None) -> bytes:
    """One alert message as the publisher sends it."""
    alert = Alert(
        type=kind,
        alert_id=ALERT_ID,
        site="north-yard",
        camera="gate",
        zone="apron",
        rule="masks",
        missing=("face_mask",),
        severity="alert",
        track_id=17,
        score=0.93,
        box_xyxy=(812, 214, 934, 610),
        image_hw=(1080, 1920),
        started_at=1795245242.48,
        confirmed_at=1795245244.52,
        snapshot=None
        if picture is None
        else SnapshotInfo.of(picture, topic_prefix=PREFIX, alert_id=ALERT_ID, frame_time=1795245244.52),
    )
    return alert.to_json(seq=seq, published_at=1795245244.61)


class Site:
    """Publishes what a daemon would, with a client that is not ours."""

    def __init__(self, broker: Mosquitto, user: str | None = None) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(user, CANARY)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(f"{PREFIX}/{topic}", payload, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(*arguments: object) -> Iterator[Any]:
    """A listener whose subscription the broker has confirmed; ended by the test."""
    process = started("listen", *arguments)
    try:
        line = process.stderr.readline()
        assert line.startswith("listening at "), line + process.stderr.read()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def ended(process: Any, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    """End the listener as a user does; its exit code and what it said at last."""
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    return process.returncode, err


def test_alerts_are_printed_verified_and_saved(tmp_path: Path):
    with Mosquitto(tmp_path) as broker:
        site = Site(broker)
        with listening("--port", broker.port, "--save", tmp_path / "saved") as process:
            site.publish(f"alerts/{ALERT_ID}/snapshot", PICTURE)
            site.publish("alerts", message(7, picture=PICTURE))
            site.publish("alerts", message(8, kind=AlertType.END))
            first, last = process.stdout.readline(), process.stdout.readline()
            code, err = ended(process)
        site.close()
    assert "NEW    gate/apron: face_mask missing" in first
    assert "picture ok" in first
    assert "END" in last
    assert "#8" in last
    assert (code, err) == (0, "2 alert messages (1 end, 1 new), 1 pictures verified\n")
    assert (tmp_path / "saved" / f"{ALERT_ID}.7.jpg").read_bytes() == PICTURE
    saved = (tmp_path / "saved" / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in saved] == [7, 8]


def test_a_wrong_picture_and_a_gap_are_told_and_are_exit_code_1(tmp_path: Path):
    with Mosquitto(tmp_path) as broker:
        site = Site(broker)
        with listening("--port", broker.port, "--topic-prefix", PREFIX, "--json") as process:
            site.publish(f"alerts/{ALERT_ID}/snapshot", PICTURE + b"changed on the way")
            site.publish("alerts", message(1, picture=PICTURE))
            site.publish("alerts", message(4))
            lines = [json.loads(process.stdout.readline()) for _ in range(2)]
            code, err = ended(process, signal.SIGTERM)
        site.close()
    assert [(line["seq"], line["picture"], line["gap"]) for line in lines] == [
        (1, "differs", 0),
        (4, "none", 2),
    ]
    assert code == 1
    assert "2 messages are missing, 2 to 3" in err
    assert "2 numbers missing, 1 pictures missing or wrong" in err


def test_the_broker_of_a_site_file_with_its_password(tmp_path: Path):
    with Mosquitto(tmp_path, users={"watch": CANARY}) as broker:
        path = tmp_path / "site.yaml"
        path.write_text(
            "site: {name: north-yard}\ncameras: {gate: {url: clip.mp4}}\n"
            f"mqtt: {{host: 127.0.0.1, port: {broker.port}, user: watch, password: {CANARY}}}\n"
        )
        site = Site(broker, "watch")
        with listening("--config", path) as process:
            site.publish("alerts", message(1))
            assert "gate/apron" in process.stdout.readline()
            code, err = ended(process)
        site.close()
        assert code == 0
        assert CANARY not in err
        # what the file says is not said a second time
        twice = ppewatch("listen", "--config", path, "--port", broker.port)
        assert twice.code == 2
        assert "--port belongs to SITE.yaml" in one_line_of(twice)


@pytest.mark.parametrize("given", [CANARY, "${BROKER_PASSWORD}"])
def test_a_refused_password_is_not_shown(tmp_path: Path, given: str):
    with Mosquitto(tmp_path, users={"watch": "another"}) as broker:
        done = ppewatch(
            *("listen", "--port", broker.port, "--user", "watch", "--password", given),
            BROKER_PASSWORD=CANARY,
        )
    assert done.code == 1
    assert done.out == ""
    assert "not authorised" in done.err.splitlines()[-1]
    assert CANARY not in done.said


def test_a_broker_that_comes_back_is_listened_to_again(tmp_path: Path):
    with Mosquitto(tmp_path) as broker, listening("--port", broker.port) as process:
        broker.restart()
        # told once the loss is seen, and once the subscription stands again
        said = [process.stderr.readline(), process.stderr.readline()]
        site = Site(broker)
        site.publish("alerts", message(1))
        assert "#1" in process.stdout.readline()
        code, err = ended(process)
        site.close()
    assert "trying again" in said[0]
    assert said[1].startswith("listening at ")
    assert code == 0
    assert "1 reconnects" in err


def test_a_terminal_is_not_steered_by_what_a_broker_sends(tmp_path: Path):
    hostile = json.loads(message(1))
    hostile["camera"] = "\x1b[2J\x1b]0;owned\x07gate"
    with Mosquitto(tmp_path) as broker:
        site = Site(broker)
        with listening("--port", broker.port) as process:
            site.publish("alerts", json.dumps(hostile).encode())
            line = process.stdout.readline()
            ended(process)
        site.close()
    assert "gate" in line
    assert "\x1b" not in line


def test_a_reader_that_leaves_ends_it(tmp_path: Path):
    with Mosquitto(tmp_path) as broker:
        site = Site(broker)
        with listening("--port", broker.port) as process:
            process.stdout.close()
            until = time.monotonic() + 30
            seq = 0
            while process.poll() is None and time.monotonic() < until:
                seq += 1
                site.publish("alerts", message(seq))
                time.sleep(0.1)
            assert process.poll() == 0
            assert "Traceback" not in process.stderr.read()
        site.close()
