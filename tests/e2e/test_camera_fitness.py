"""The daemon before a real RTSP camera whose picture freezes, lives again, and is gone."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto, free_port
from peers.subscriber import Subscriber

from models.weights import STORE
from streamer.fitness_trial.defects import shown
from streamer.fitness_trial.material import drawn

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet"),
]

PREFIX = "ppewatch/fitness"
FPS = 5
#: After a picture freezes the encoder's rate control takes some ten seconds to code it always alike.
LIVING_S, FROZEN_S = 12, 36


def write_clip(path: Path) -> Path:
    """A yard that lives, and then one picture of it again and again, all through one encoder."""
    yard = drawn(1)
    held = shown(next(yard))[:352]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = held.shape
        stream.pix_fmt, stream.gop_size, stream.max_b_frames = "yuv420p", 2 * FPS, 0
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "24"}
        for number in range(FPS * (LIVING_S + FROZEN_S)):
            if number < FPS * LIVING_S:
                held = shown(next(yard))[:352]
            frame = av.VideoFrame.from_ndarray(np.repeat(held[..., None], 3, 2), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    running = Subscriber(broker.port, PREFIX)
    yield running
    running.stop()


class Told:
    """What the subscriber heard of the camera."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    @property
    def status(self) -> dict[str, Any]:
        return self._subscriber.latest("cameras/yard/status") or {
            "fitness": {"findings": [{"code": "none yet"}]}
        }

    @property
    def codes(self) -> set[str]:
        return {finding["code"] for finding in self.status["fitness"]["findings"]}

    def event(self, kind: str, code: str) -> dict[str, Any]:
        """The first event of this kind; it may come a little after the status."""
        found: dict[str, Any] = self._subscriber.wait_for(
            lambda: next(iter(self._events(kind, code)), None), 30, f"the event {kind} {code}"
        )
        return found

    def _events(self, kind: str, code: str) -> list[dict[str, Any]]:
        topic = f"{PREFIX}/cameras/yard/fitness"
        told = [json.loads(each.payload) for each in list(self._subscriber.messages) if each.topic == topic]
        return [event for event in told if (event["type"], event["code"]) == (kind, code)]


def test_a_picture_that_freezes_is_told_and_so_is_its_end(
    tmp_path: Path, rtsp_server, broker, subscriber
) -> None:
    camera = rtsp_server(file=write_clip(tmp_path / "yard.mp4"))
    site = {
        "site": {"name": "fitness"},
        "mqtt": {"port": broker.port, "topic_prefix": PREFIX, "onvif": True},
        "http": {"listen": f"127.0.0.1:{free_port()}"},
        "state_dir": str(tmp_path / "state"),
        "cameras": {"yard": {"url": camera.url, "fps": 3, "fitness": {"frozen_after": "5s"}}},
        "rules": [{"name": "masks", "where": ["yard"], "require": ["face_mask"]}],
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(site))
    told = Told(subscriber)
    daemon = DaemonProcess(path, tmp_path / "daemon.log")
    try:
        subscriber.wait_for(lambda: "frozen" in told.codes, 150, "the frozen picture in the status")
        assert (told.status["state"], told.status["fitness"]["state"]) == ("online", "unfit")
        subscriber.wait_for(lambda: "frozen" not in told.codes, 60, "the picture that lives again")
        new, end = told.event("new", "frozen"), told.event("end", "frozen")
        assert new["since"] == end["since"] < end["ended_at"]
        lost = "onvif-ej/VideoSource/SignalLoss/&yard"
        assert subscriber.latest(lost)["Data"] == {"State": False}
        camera.stop()
        subscriber.wait_for(
            lambda: subscriber.latest(lost)["Data"] == {"State": True}, 60, "the loss in ONVIF's words"
        )
        assert subscriber.latest(lost)["Source"] == {"Source": "yard"}
        subscriber.wait_for(lambda: "signal_loss" in told.codes, 10, "the loss in the status")
    finally:
        daemon.end()
