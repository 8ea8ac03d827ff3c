"""Hard hats, real from camera to alert: two RTSP cameras, the daemon with Mask R-CNN, mosquitto and a subscriber.

One recording shows people without a hard hat who later wear one (in one scene it is carried in the hand), the other a
worker who wears one all the time and must never be alerted.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto
from peers.subscriber import Subscriber

from models.weights import STORE

pytestmark = [pytest.mark.campaign, pytest.mark.e2e, pytest.mark.timeout(800)]

PREFIX = "ppewatch/e2e"
BAREHEADED, WORKER = "bareheaded", "worker"
#: The bareheaded recording lasts 61 s and the worker's 10 s; both start over at their end.
WATCHED_S = 45.0
#: A machine that looks once in two seconds takes a few rounds of the recordings; it is waited for.
PATIENCE_S = 210.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
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
                "mqtt": {"port": broker_port, "topic_prefix": PREFIX},
                "http": {"enabled": False},
                "state_dir": str(path.parent / "state"),
                "cameras": {
                    # as many pixels as two busy cores manage about once a second
                    name: {"url": url, "fps": 2, "input_size": 640}
                    for name, url in urls.items()
                },
                "rules": [
                    {
                        "name": "hard hats",
                        "where": ["*"],
                        "require": ["hard_hat"],
                        "dwell": "1s",
                        "clear": "3s",
                        "cooldown": "2s",
                    }
                ],
            }
        )
    )
    return path


@pytest.mark.skipif(
    not (STORE / "maskrcnn.safetensors").exists(), reason="the weights of maskrcnn are not shipped yet"
)
def test_people_without_a_hard_hat_are_alerted_and_the_worker_with_one_never(
    tmp_path: Path, shared_data: Path, rtsp_server, broker: Mosquitto, subscriber: Subscriber
):
    video = shared_data / "video"
    bareheaded = rtsp_server(file=video / "hard_hat_off_then_on_360p30_h264.mp4")
    worker = rtsp_server(file=video / "worker_hard_hat_1080p12_h264.mp4")
    site = write_site(
        tmp_path / "site.yaml", broker_port=broker.port, urls={BAREHEADED: bareheaded.url, WORKER: worker.url}
    )
    daemon = DaemonProcess(site, tmp_path / "daemon.log")
    try:
        daemon.wait_for_log("ready: 2 cameras", 240)
        ready_s = time.monotonic()
        first = subscriber.wait_for(
            lambda: subscriber.alerts(camera=BAREHEADED, kind="new"), PATIENCE_S, "an alert for a bare head"
        )[0]
        check_alert(subscriber, first)
        # silence means something only once the worker has been seen, and for several rounds of the recording
        subscriber.wait_for(
            lambda: worn_s(subscriber, WORKER) > 5, PATIENCE_S, "the worker's hard hat is seen and counted"
        )
        subscriber.wait_for(
            lambda: time.monotonic() - ready_s > WATCHED_S, WATCHED_S, "both have been watched"
        )
        assert daemon.stop() == 0, daemon.log[-4000:]
    except AssertionError:
        print(looks_and_counts(subscriber), daemon.log[-4000:], sep="\n")
        raise
    finally:
        daemon.end()
    told = [(alert["type"], alert["box"], alert["evidence"]) for alert in subscriber.alerts(camera=WORKER)]
    assert not told, told
    opened = [alert["alert_id"] for alert in subscriber.alerts(kind="new")]
    assert len(opened) == len(set(opened))
    assert set(opened) == {alert["alert_id"] for alert in subscriber.alerts(kind="end")}


def check_alert(subscriber: Subscriber, alert: dict) -> None:
    """Why, by which model, and with the picture that it names."""
    assert alert["missing"] == ["hard_hat"]
    evidence = alert["evidence"]["hard_hat"]
    assert evidence["state"] == "missing"
    assert "bare head" in evidence["reason"] or "hat" in evidence["reason"]
    assert set(alert["models"]) == {"maskrcnn"}, "a rule for hard hats pays for no other model"
    snapshot = alert["snapshot"]
    assert (snapshot["topic"], snapshot["sha256"]) in subscriber.pictures()


def looks_and_counts(subscriber: Subscriber) -> str:
    """What the daemon last said of its work and of the worker, for the report of a failure."""
    return yaml.safe_dump(
        {topic: subscriber.latest(topic) for topic in ("stats", f"cameras/{WORKER}/compliance")}
    )


def worn_s(subscriber: Subscriber, camera: str) -> float:
    """Person-seconds of the shift in which a hard hat was seen worn."""
    counts = subscriber.latest(f"cameras/{camera}/compliance")
    if counts is None or "hard_hat" not in counts["gear"]:
        return 0.0
    return float(counts["gear"]["hard_hat"]["shift"]["worn_s"])
