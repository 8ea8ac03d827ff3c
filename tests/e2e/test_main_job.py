"""The main job, real from camera to alert: RTSP cameras, the daemon, mosquitto and a subscriber.

Two recordings run as RTSP cameras: a shop where everybody wears a mask, and workers without masks. In mid-run the
broker is killed and comes back, and so does the workers' camera.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto
from peers.subscriber import Subscriber

from models.weights import STORE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PREFIX = "ppewatch/e2e"
SHOP, WORKERS = "shop", "workers"
WATCHED_S = 60.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    # written at every change, so that a subscriber's session outlives a broker that is killed
    keep = ("autosave_interval 1", "autosave_on_changes true", "max_queued_messages 0")
    with Mosquitto(tmp_path, persistence=True, config=keep) as running:
        yield running


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    running = Subscriber(broker.port, PREFIX)
    yield running
    running.stop()


def write_site(path: Path, *, broker_port: int, urls: dict[str, str]) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "site": {"name": "e2e", "timezone": "Europe/Brussels"},
                "mqtt": {"port": broker_port, "topic_prefix": PREFIX, "onvif": True, "deepstream": True},
                "http": {"enabled": False},
                "state_dir": str(path.parent / "state"),
                "cameras": {name: {"url": url, "fps": 4} for name, url in urls.items()},
                "rules": [
                    {
                        "name": "face masks",
                        "where": ["*"],
                        "require": ["face_mask"],
                        "dwell": "1s",
                        "clear": "3s",
                        "cooldown": "2s",
                    }
                ],
            }
        )
    )
    return path


def outbox_rows(state_dir: Path) -> list[tuple[int, str, str]]:
    with closing(sqlite3.connect(f"file:{state_dir / 'outbox.sqlite3'}?mode=ro", uri=True)) as db:
        return list(db.execute("SELECT seq, alert_id, type FROM messages ORDER BY seq"))


@pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet")
def test_alerts_reach_the_subscriber_through_outages(
    tmp_path: Path, shared_data: Path, rtsp_server, broker: Mosquitto, subscriber: Subscriber
):
    video = shared_data / "video"
    shop = rtsp_server(file=video / "retail_masks_1080p30_hevc.mp4")
    workers = rtsp_server(file=video / "hard_hat_off_then_on_360p30_h264.mp4")
    site = write_site(
        tmp_path / "site.yaml", broker_port=broker.port, urls={SHOP: shop.url, WORKERS: workers.url}
    )
    daemon = DaemonProcess(site, tmp_path / "daemon.log")
    try:
        daemon.wait_for_log("ready: 2 cameras", 180)
        ready_s = time.monotonic()
        first = subscriber.wait_for(
            lambda: subscriber.alerts(camera=WORKERS, kind="new"), 120, "an alert for an unmasked worker"
        )[0]
        assert first["missing"] == ["face_mask"]
        assert not first["delayed"]
        check_picture(subscriber, first)
        check_dialects(subscriber, first)

        # the camera loses its power and comes back
        subscriber.wait_for(
            lambda: state_of(subscriber, WORKERS) == "online", 20, "the workers' camera is online"
        )
        workers.stop()
        subscriber.wait_for(
            lambda: state_of(subscriber, WORKERS) != "online", 30, "the loss of the camera is told"
        )
        workers.start()
        subscriber.wait_for(lambda: state_of(subscriber, WORKERS) == "online", 60, "the camera is back")
        assert subscriber.latest(f"cameras/{WORKERS}/status")["reconnects"] >= 1

        # the broker dies; alerts go on being raised, and arrive when it is back
        before_seq = outbox_rows(tmp_path / "state")[-1][0]
        broker.kill()
        subscriber.wait_for(
            lambda: any(row[0] > before_seq and row[2] == "new" for row in outbox_rows(tmp_path / "state")),
            120,
            "an alert while the broker is away",
        )
        broker.start()
        subscriber.wait_for(
            lambda: any(alert["seq"] > before_seq for alert in subscriber.alerts(kind="new")),
            60,
            "the alert that waited for the broker",
        )
        assert all(alert["delayed"] for alert in subscriber.alerts() if alert["seq"] == before_seq + 1)

        # the shop is watched for three rounds of its recording before its silence means anything
        subscriber.wait_for(
            lambda: time.monotonic() - ready_s > WATCHED_S, WATCHED_S, "the shop has been watched"
        )
        assert daemon.stop() == 0, daemon.log[-4000:]
        subscriber.wait_for(
            lambda: subscriber.messages[-1].payload == b"stopped" or available(subscriber) == "stopped",
            20,
            "the daemon's farewell",
        )
    finally:
        daemon.end()
    check_ledger(subscriber, tmp_path / "state")
    shop_alerts = subscriber.alerts(camera=SHOP)
    assert not shop_alerts, [(alert["type"], alert["box"], alert["evidence"]) for alert in shop_alerts]
    check_retained(broker)


def state_of(subscriber: Subscriber, camera: str) -> str | None:
    status = subscriber.latest(f"cameras/{camera}/status")
    return None if status is None else status["state"]


def available(subscriber: Subscriber) -> str:
    said = [
        message.payload.decode() for message in subscriber.messages if message.topic == f"{PREFIX}/available"
    ]
    return said[-1] if said else ""


def check_picture(subscriber: Subscriber, alert: dict) -> None:
    """The picture that the alert names has arrived, byte for byte."""
    snapshot = alert["snapshot"]
    assert snapshot["topic"] == f"{PREFIX}/alerts/{alert['alert_id']}/snapshot"
    assert (snapshot["topic"], snapshot["sha256"]) in subscriber.pictures()


def check_dialects(subscriber: Subscriber, alert: dict) -> None:
    """ONVIF hears that the rule is broken and sees the person, DeepStream sees the person too."""
    broken = f"onvif-ej/RuleEngine/ppe:Compliance/Violation/&{WORKERS}/ppewatch/face masks"
    subscriber.wait_for(lambda: told(subscriber, broken, '"State":true'), 20, "the property of the rule")
    track_id = alert["track_id"]
    looks = f"onvif-mj/VideoAnalytics/{WORKERS}/ppewatch"
    subscriber.wait_for(lambda: told(subscriber, looks, f'"@ObjectId":{track_id},'), 20, "ONVIF's metadata")
    minimal = f"deepstream/{WORKERS}"
    subscriber.wait_for(lambda: told(subscriber, minimal, f'"{track_id}|'), 20, "DeepStream's objects")


def told(subscriber: Subscriber, subtopic: str, text: str) -> bool:
    return any(
        message.topic == f"{PREFIX}/{subtopic}" and text in message.payload.decode()
        for message in list(subscriber.messages)
    )


def check_ledger(subscriber: Subscriber, state_dir: Path) -> None:
    """What the outbox has stored is what the subscriber has received; ids are told once."""
    stored = outbox_rows(state_dir)
    received = {(alert["seq"], alert["alert_id"], alert["type"]) for alert in subscriber.alerts()}
    assert received == set(stored)
    assert [row[0] for row in stored] == list(range(1, len(stored) + 1))
    kinds = Counter((alert_id, kind) for _, alert_id, kind in stored)
    assert all(count == 1 for (_, kind), count in kinds.items() if kind in {"new", "end"})
    opened = {alert_id for alert_id, kind in kinds if kind == "new"}
    assert opened == {alert_id for alert_id, kind in kinds if kind == "end"}, (
        "a stopped daemon leaves nothing open"
    )
    for alert in subscriber.alerts(kind="new"):
        check_picture(subscriber, alert)


def check_retained(broker: Mosquitto) -> None:
    """A subscriber that comes later finds the states, and no alert."""
    late = Subscriber(broker.port, PREFIX, client_id="late")
    try:
        wanted = {f"{PREFIX}/available"} | {
            f"{PREFIX}/cameras/{camera}/{what}"
            for camera in (SHOP, WORKERS)
            for what in ("status", "compliance")
        }
        late.wait_for(
            lambda: {message.topic for message in late.messages} >= wanted, 10, "the retained states"
        )
        assert all(message.retained for message in late.messages)
        assert not late.alerts()
        shift = late.latest(f"cameras/{SHOP}/compliance")["gear"]["face_mask"]["shift"]
        assert shift["worn_s"] > 0
        assert json.loads(json.dumps(shift))["worn_share"] > 0.8
    finally:
        late.stop()
