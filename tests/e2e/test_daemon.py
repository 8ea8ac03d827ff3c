"""The daemon as a process, on the project's own clip: bad surroundings, reload, sudden death, and its secrets."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml
from alerts.stored_files import FILES
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto, free_port
from peers.subscriber import Subscriber

from models.weights import STORE
from streamer.demo.site import CLIP
from streamer.feedback.reader import judged_examples

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet"),
]

PREFIX = "ppewatch/e2e"
CANARY = "c4nary/p@ss:w0rd-%41"
BROKER_CANARY = "br0ker-c4nary"
READY_S = 180


class Site:
    """A SITE.yaml that a test changes and writes again."""

    def __init__(self, folder: Path, *, broker_port: int) -> None:
        self.folder = folder
        self.path = folder / "site.yaml"
        self.state_dir = folder / "state"
        self.http_port = free_port()
        self.data: dict[str, Any] = {
            "site": {"name": "e2e", "timezone": "Europe/Brussels"},
            "mqtt": {"port": broker_port, "topic_prefix": PREFIX},
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
            "state_dir": str(self.state_dir),
            "cameras": {"entrance": {"url": str(CLIP), "loop": True, "fps": 5}},
            "rules": [
                {
                    "name": "face masks",
                    "where": ["entrance"],
                    "require": ["face_mask"],
                    "dwell": "1s",
                    "clear": "3s",
                    "cooldown": 0,
                }
            ],
        }

    def write(self) -> Path:
        self.path.write_text(yaml.safe_dump(self.data))
        return self.path

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, users={"ppewatch": BROKER_CANARY, "reader": "reader"}) as running:
        yield running


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    running = Subscriber(broker.port, PREFIX, user="reader", password="reader")
    yield running
    running.stop()


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Site:
    made = Site(tmp_path, broker_port=broker.port)
    made.data["mqtt"] |= {"commands": True, "user": "ppewatch", "password": "${BROKER_PASSWORD}"}
    return made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    running: list[DaemonProcess] = []

    def make(site: Site) -> DaemonProcess:
        environ = {"BROKER_PASSWORD": BROKER_CANARY, "CAMERA_PASSWORD": CANARY}
        running.append(DaemonProcess(site.write(), tmp_path / "daemon.log", environ=environ))
        return running[-1]

    yield make
    for daemon in running:
        daemon.end()


def test_it_watches_on_beside_dead_cameras_reloads_and_tells_no_secret(
    tmp_path: Path, site: Site, start, rtsp_server, subscriber: Subscriber
):
    locked = rtsp_server(codec="h264", user="viewer", password="another")
    not_video = tmp_path / "notes.mp4"
    not_video.write_text("this is no video")
    secret = {"user": "viewer", "password": "${CAMERA_PASSWORD}"}
    site.data["cameras"] |= {
        "nobody": {"url": f"rtsp://127.0.0.1:{free_port()}/stream", **secret},
        "locked": {"url": locked.url, **secret},
        "notes": {"url": str(not_video)},
    }
    daemon = start(site)
    daemon.wait_for_log("ready: 4 cameras", READY_S)
    alert = subscriber.wait_for(lambda: subscriber.alerts(kind="new"), 90, "the demo's alert")[0]
    assert (alert["snapshot"]["topic"], alert["snapshot"]["sha256"]) in subscriber.pictures()
    states = {
        camera: subscriber.latest(f"cameras/{camera}/status")
        for camera in ("entrance", "nobody", "locked", "notes")
    }
    assert states["entrance"]["state"] == "online"
    assert (states["nobody"]["state"], states["nobody"]["reason"]) == ("connecting", "unreachable")
    assert (states["locked"]["state"], states["locked"]["reason"]) == ("refused", "credentials_refused")
    assert states["notes"]["reason"] == "no_video"
    assert site.get("/healthz")[0] == 200
    assert site.get("/readyz")[0] == 200
    assert "ppewatch_" in site.get("/metrics")[1]
    assert alert["alert_id"] in site.get("/api/alerts")[1]

    obeys_commands(subscriber, alert["alert_id"])
    keeps_what_was_said(site, alert["alert_id"])

    # settings that are wrong change nothing
    good = site.path.read_text()
    site.path.write_text(good.replace("entrance:", "entrance: [", 1))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log("not reloaded, the settings in force stay", 20)
    refused = subscriber.wait_for(lambda: subscriber.latest("command/reload/state"), 10, "the refusal")
    assert not refused["ok"]
    assert "site.yaml" in refused["error"]
    # settings that are right do, and leave the other cameras alone
    del site.data["cameras"]["nobody"]
    site.data["cameras"]["second"] = {"url": str(CLIP), "loop": True, "fps": 1}
    site.write()
    since = subscriber.latest("cameras/entrance/status")["since"]
    subscriber.publish("command/reload", "now")
    daemon.wait_for_log("reloaded: 1 of 4 cameras changed", 30)
    subscriber.wait_for(
        lambda: subscriber.latest("command/reload/state")["ok"], 10, "the answer to the reload"
    )
    subscriber.wait_for(
        lambda: (subscriber.latest("cameras/second/status") or {}).get("state") == "online",
        30,
        "the new camera",
    )
    assert subscriber.latest("cameras/entrance/status")["since"] == since
    subscriber.wait_for(
        lambda: any(
            message.topic == f"{PREFIX}/cameras/nobody/status" and not message.payload
            for message in subscriber.messages
        ),
        20,
        "the removal of the retained status of a camera that is gone",
    )

    process_title = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
    pages = [site.get(path)[1] for path in ("/", "/metrics", "/api/cameras", "/api/overview")]
    assert daemon.stop() == 0, daemon.log[-4000:]
    stored = [str(path.relative_to(site.state_dir)) for path in site.state_dir.rglob("*") if path.is_file()]
    assert [name for name in stored if not FILES.fullmatch(name)] == []
    for secret_value in (CANARY, BROKER_CANARY):
        told = [daemon.log.encode(), process_title, *(page.encode() for page in pages)]
        told += [message.payload for message in subscriber.messages]
        told += [path.read_bytes() for path in site.state_dir.rglob("*") if path.is_file()]
        assert not [number for number, text in enumerate(told) if secret_value.encode() in text]


def obeys_commands(subscriber: Subscriber, alert_id: str) -> None:
    """Cameras go off and on, alerts are acknowledged, and what is no command is refused or ignored."""
    told = f"{PREFIX}/command/cameras/entrance/state"
    for wanted, state in (("OFF", "disabled"), ("ON", "online")):
        subscriber.publish("command/cameras/entrance/set", wanted)
        subscriber.wait_for(
            lambda wanted=wanted: [
                m for m in subscriber.messages if m.topic == told and m.payload == wanted.encode()
            ],
            20,
            f"the camera says that it is {wanted}",
        )
        subscriber.wait_for(
            lambda state=state: subscriber.latest("cameras/entrance/status")["state"] == state,
            20,
            f"it is {state}",
        )
    subscriber.publish(f"command/alerts/{alert_id}/ack", '{"by": "Jane", "note": "on my way"}')
    said = {"verdict": "false_alarm", "what": "face_mask_worn", "note": "a scarf"}
    subscriber.publish(f"command/alerts/{alert_id}/feedback", json.dumps(said))
    subscriber.publish(f"command/alerts/{alert_id}x/ack", "")
    subscriber.publish(f"command/alerts/{alert_id}y/feedback", "no word of ours")
    subscriber.publish("command/cameras/nowhere/set", "ON")
    answers = {
        f"{alert_id}/ack": True,
        f"{alert_id}/feedback": True,
        f"{alert_id}x/ack": False,
        f"{alert_id}y/feedback": False,
    }
    for name, ok in answers.items():
        answer = subscriber.wait_for(
            lambda name=name: subscriber.latest(f"command/alerts/{name}/state"), 20, name
        )
        assert answer["ok"] is ok, answer
    assert not [m for m in subscriber.messages if m.topic == f"{PREFIX}/command/cameras/nowhere/state"]


def keeps_what_was_said(site: Site, alert_id: str) -> None:
    """Of a judged alert the page tells who said what, and its frame can be exported beside the daemon."""
    (told,) = [row for row in json.loads(site.get("/api/alerts")[1]) if row["alert_id"] == alert_id]
    assert (told["acknowledged_by"], told["verdict"]) == ("Jane", "false_alarm")
    assert told["verdict_what"] == "face_mask_worn"
    assert json.loads(site.get("/api/suppressions")[1]) == []
    (one,) = judged_examples(site.state_dir)
    assert (one.alert_id, one.note.note) == (alert_id, "a scarf")
    assert cv2.imread(str(one.picture)) is not None
    assert json.loads(one.facts)["detections"]


def is_switched(subscriber: Subscriber) -> bytes:
    topic = f"{PREFIX}/command/cameras/entrance/state"
    return next((message.payload for message in reversed(subscriber.messages) if message.topic == topic), b"")


def test_a_daemon_that_was_killed_closes_its_alerts_when_it_is_back(
    site: Site, start, subscriber: Subscriber
):
    site.data["mqtt"]["onvif"] = True
    broken = f"{PREFIX}/onvif-ej/RuleEngine/ppe:Compliance/Violation/&entrance/ppewatch/face masks"

    def is_told(state: bytes) -> bool:
        return any(m.topic == broken and state in m.payload for m in list(subscriber.messages))

    daemon = start(site)
    daemon.wait_for_log("ready", READY_S)
    opened = subscriber.wait_for(lambda: subscriber.alerts(kind="new"), 90, "the demo's alert")[0]
    subscriber.wait_for(lambda: is_told(b'"State":true'), 20, "the property of the rule")
    subscriber.publish("command/cameras/entrance/set", "OFF")
    subscriber.wait_for(lambda: is_switched(subscriber) == b"OFF", 20, "the camera is off")
    daemon.process.kill()
    daemon.process.wait(10)
    subscriber.wait_for(
        lambda: [m for m in subscriber.messages if m.topic.endswith("/available")][-1].payload == b"offline",
        60,
        "the last will",
    )
    daemon = start(site)
    ended = subscriber.wait_for(
        lambda: [alert for alert in subscriber.alerts(kind="end") if alert["alert_id"] == opened["alert_id"]],
        READY_S,
        "the end of the alert that was open",
    )[0]
    assert ended["end_reason"] == "shutdown"
    assert ended["confirmed_at"] <= ended["ended_at"] <= ended["published_at"]
    daemon.wait_for_log("alerts were open when the daemon last ended", 5)
    subscriber.wait_for(lambda: is_told(b'"State":false'), 20, "the rule is broken no more")
    # a switch does not outlive the daemon, and what it retained of it neither
    subscriber.wait_for(lambda: is_switched(subscriber) == b"ON", 20, "the camera is on as the settings say")
    # and goes on numbering where it was
    later = subscriber.wait_for(
        lambda: [alert for alert in subscriber.alerts(kind="new") if alert["seq"] > ended["seq"]],
        120,
        "a new alert",
    )[0]
    assert later["alert_id"] != opened["alert_id"]
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b"no weights at all", "retinaface"),
        (None, "missing"),
    ],
    ids=["garbage", "absent"],
)
def test_wrong_weights_end_it_with_a_reason(
    tmp_path: Path, site: Site, start, broken: bytes | None, said: str
):
    weights = tmp_path / "retinaface.safetensors"
    if broken is not None:
        weights.write_bytes(broken)
    site.data["inference"] = {"retinaface_weights": str(weights)}
    daemon = start(site)
    assert daemon.process.wait(120) == 1
    lines = daemon.log.splitlines()
    assert lines[-1].startswith("ppewatch run: ")
    assert said in daemon.log
    assert "Traceback" not in daemon.log


def test_a_site_that_cannot_be_used_ends_at_once(tmp_path: Path, site: Site, start):
    site.state_dir.write_text("a file where the state directory should be")
    daemon = start(site)
    started = time.monotonic()
    assert daemon.process.wait(60) == 1
    assert time.monotonic() - started < 30
    assert daemon.log.splitlines()[-1].startswith("ppewatch run: ")
    assert str(site.state_dir) in daemon.log
    assert json.dumps(daemon.log).count("Traceback") == 0
