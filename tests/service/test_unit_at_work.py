"""The unit as it ships, run by a real systemd: the daemon works under every restriction of it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from peers.mosquitto import Mosquitto, free_port
from peers.subscriber import Subscriber
from systemd_in_a_box import SystemdBox, missing_reason

from streamer.demo.site import CLIP

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "ppewatch.service"
PATIENCE_S = 250

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason())),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def readable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the service's user may read."""
    folder = tmp_path_factory.mktemp("unit")
    for place in (folder, *folder.parents[:2]):
        place.chmod(0o755)
    return folder


def test_the_daemon_watches_the_demo_clip_under_the_units_restrictions(
    broker: Mosquitto, readable: Path
) -> None:
    site = readable / "site.yaml"
    site.write_text(
        yaml.safe_dump(
            {
                "site": {"name": "boxed", "timezone": "UTC"},
                "mqtt": {"port": broker.port, "topic_prefix": "ppewatch/boxed"},
                "http": {"listen": f"127.0.0.1:{free_port()}"},
                "cameras": {"entrance": {"url": str(CLIP), "loop": True, "fps": 5}},
                "rules": [{"name": "masks", "where": ["entrance"], "require": ["face_mask"], "dwell": "1s"}],
            }
        )
    )
    log = readable / "log"
    # the program as it lies here, and what it says into a file; no restriction is changed but those that hide its files
    command = f"ExecStart=/usr/bin/env PYTHONPATH={ROOT} {sys.executable} -m streamer.cli run {site}"
    unit = re.sub(r"^ExecStart=.*$", command, UNIT.read_text(), flags=re.MULTILINE)
    here = "[Service]\n" + f"StandardOutput=append:{log}\nStandardError=append:{log}\n"
    cache = networks_exported_before()
    here += f"Environment=PPEWATCH_CACHE_DIR={cache}\n"
    hidden = hidden_by_the_sandbox(str(ROOT), sys.prefix, sys.base_prefix, str(readable), cache)
    here += "".join(f"BindReadOnlyPaths={path}\n" for path in hidden)
    if any(not path.startswith("/tmp/") for path in hidden):
        here += "ProtectHome=tmpfs\n"
    box = SystemdBox(
        {"ppewatch.service": unit, "ppewatch.service.d/here.conf": here},
        start="ppewatch.service",
        user="ppewatch",
    )
    subscriber = Subscriber(broker.port, "ppewatch/boxed")
    try:
        wait_until(box, log, "active")
        alert = subscriber.wait_for(lambda: subscriber.alerts(kind="new"), PATIENCE_S, "the demo's alert")[0]
        assert (alert["snapshot"]["topic"], alert["snapshot"]["sha256"]) in subscriber.pictures()
        assert subscriber.latest("health")["state"] == "ready"
        shown = box.show(
            "ppewatch.service", "MainPID", "StatusText", "WatchdogTimestampMonotonic", "NRestarts"
        )
        assert shown["StatusText"] == "1 cameras, 1 rules"
        assert shown["NRestarts"] == "0"
        assert int(shown["WatchdogTimestampMonotonic"]) > 0, "the watchdog is fed"
        status = Path(f"/proc/{box.pid_outside(shown['MainPID'])}/status").read_text()
        for line in (
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
        ):
            assert line in status, status
        box.stop_unit("ppewatch.service")
        wait_until(box, log, "inactive")
        assert box.show("ppewatch.service", "Result")["Result"] == "success", log.read_text()[-3000:]
        subscriber.wait_for(
            lambda: subscriber.latest("health")["state"] == "stopped", PATIENCE_S, "that it has stopped"
        )
    finally:
        subscriber.stop()
        box.stop()


def networks_exported_before() -> str:
    """The session's cache, with the networks of this site in it and readable for everybody."""
    load = "from streamer.detector_loading import load_detector; load_detector(device='cpu', models={'retinaface'})"
    subprocess.run([sys.executable, "-c", load], cwd=ROOT, check=True, timeout=PATIENCE_S)
    cache = Path(os.environ["PPEWATCH_CACHE_DIR"])
    for path in (cache, *cache.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return str(cache)


def hidden_by_the_sandbox(*folders: str) -> list[str]:
    """Those that ``ProtectHome`` or ``PrivateTmp`` would hide."""
    return sorted(
        path for path in set(folders) if path.startswith(("/home/", "/root/", "/tmp/", "/run/user/"))
    )


def wait_until(box: SystemdBox, log: Path, wanted: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        state = box.show("ppewatch.service", "ActiveState", "Result", "ExecMainStatus")
        if state.get("ActiveState") == wanted:
            return
        told = log.read_text()[-3000:] if log.exists() else ""
        assert state.get("ActiveState") != "failed", f"{state}\n{told}"
        assert time.monotonic() < end, f"{state}\n{told}\n{box.log.read_text()}"
        time.sleep(0.2)
