"""``ppewatch soak``: what it follows, the site it makes of another, and a short one up to its verdict."""

import json
import os
from pathlib import Path

import pytest
from commands.command_line import ppewatch

from config import load_site
from streamer.soak.site import soak_site
from streamer.soak.vitals import Vitals, growing, judge, vitals_of


def readings(
    *, files: float = 0.0, threads: float = 0.0, mb: float = 0.0, hours: float = 2.0
) -> list[Vitals]:
    """One each ten seconds; each thing grows by so much an hour, and comes and goes a little."""
    found = []
    for number in range(int(hours * 360)):
        at_h = number / 360
        found.append(
            Vitals(
                at_h * 3600,
                300 + mb * at_h + number % 3,
                200 + mb * at_h + number % 3,
                int(40 + files * at_h) + number % 2,
                int(12 + threads * at_h) + (number % 7 == 0),
            )
        )
    return found


def test_what_is_flat_is_said_to_be_flat():
    judged = judge(readings())
    assert growing(judged) == []
    assert {figures["verdict"] for figures in judged.values()} == {"flat"}


@pytest.mark.parametrize(
    ("leak", "found"),
    [
        ({"files": 10.0}, ["files"]),
        ({"threads": 4.0}, ["threads"]),
        ({"mb": 20.0}, ["rss_mb", "anonymous_mb"]),
    ],
)
def test_what_grows_is_found(leak: dict[str, float], found: list[str]):
    assert growing(judge(readings(**leak))) == found


def test_a_few_readings_say_nothing():
    assert {figures["verdict"] for figures in judge(readings()[:5]).values()} == {"too short to tell"}


def test_the_vitals_of_a_process_are_those_of_the_kernel():
    before = vitals_of(os.getpid(), 1.0)
    held = [open("/proc/self/status") for _ in range(5)]  # noqa: SIM115 - to be counted
    assert vitals_of(os.getpid(), 2.0).files == before.files + 5
    for file in held:
        file.close()
    assert before.threads >= 1
    assert before.rss_mb > before.anonymous_mb > 1


def test_a_given_site_keeps_its_cameras_and_rules_and_gets_a_broker_of_the_soak(tmp_path: Path):
    own, folder = tmp_path / "own", tmp_path / "soak"
    own.mkdir()
    folder.mkdir()
    (own / "gate.mp4").write_bytes(b"")
    (own / "site.yaml").write_text(
        """
site: {name: north-yard}
mqtt: {host: broker.example, user: somebody, password: canary}
http: {listen: "0.0.0.0:80", user: a, password: bbbbbbbbbbbb}
state_dir: /var/lib/ppewatch
cameras:
  gate: {url: gate.mp4, loop: true}
  yard: {url: "rtsp://10.0.0.1/stream"}
rules:
  - {name: masks, where: ["*"], require: [face_mask], schedule: {days: mon-fri, from: "06:00", to: "18:00"}}
"""
    )
    path = soak_site(folder, broker_port=4711, given=own / "site.yaml")
    site = load_site(path)
    assert (site.mqtt.host, site.mqtt.port, site.mqtt.topic_prefix) == (
        "127.0.0.1",
        4711,
        "ppewatch/north-yard",
    )
    assert site.state_dir == folder / "state"
    assert not site.http.enabled
    assert site.cameras["gate"].url.address.get_secret_value() == str(own / "gate.mp4")
    assert site.cameras["yard"].url.address.get_secret_value() == "rtsp://10.0.0.1/stream"
    assert site.rules == load_site(own / "site.yaml").rules
    assert "canary" not in path.read_text()


@pytest.mark.e2e
@pytest.mark.timeout(400)
@pytest.mark.campaign
def test_a_short_soak_loses_nothing_and_says_so(tmp_path: Path):
    words = [
        "soak",
        "--hours",
        "0.01",
        "--every",
        "5",
        "--seed",
        "7",
        "--keep",
        str(tmp_path / "kept"),
        "--json",
    ]
    done = ppewatch(*words, timeout=380)
    assert done.code == 0, done.said
    figures = json.loads(done.out)
    assert figures["problems"] == []
    assert figures["alerts"]["expected"] == figures["alerts"]["delivered"] > 10
    assert sum(figures["faults"].values()) >= 2
    assert figures["process"]["files"]["verdict"] in {"flat", "too short to tell"}
