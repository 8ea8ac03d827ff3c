"""`ppewatch run --cluster local`: alerts with their pictures, nothing listens beyond the loopback, nothing is left."""

import ipaddress
import os
from pathlib import Path

import pytest
from cluster_site import write_cluster_site
from peers import ray_nodes
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto
from peers.subscriber import Subscriber

from models.weights import STORE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(ray_nodes.missing_reason() is not None, reason=str(ray_nodes.missing_reason())),
    pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet"),
]

PREFIX = "ppewatch/cluster"
_LISTENING = "0A"


@pytest.mark.campaign
def test_a_cluster_of_this_machine_alone(tmp_path: Path, slow_clip: Path):
    with Mosquitto(tmp_path) as broker:
        subscriber = Subscriber(broker.port, PREFIX)
        site = write_cluster_site(tmp_path, {"gate": str(slow_clip)}, broker_port=broker.port)
        daemon = DaemonProcess(site, tmp_path / "daemon.log", options=("--cluster", "local"))
        try:
            daemon.wait_for_log(" ready: 1 cameras", 300)
            family = ray_nodes.family_of(daemon.process.pid)
            assert len(family) > 4, "the head, three parts, and what Ray has"
            alert = subscriber.wait_for(lambda: subscriber.alerts(kind="new"), 120, "an alert")[0]
            subscriber.wait_for(
                lambda: any(digest == alert["snapshot"]["sha256"] for _, digest in subscriber.pictures()),
                30,
                "its picture",
            )
            subscriber.wait_for(lambda: subscriber.alerts(kind="end"), 120, "its end")
            status = subscriber.wait_for(
                lambda: subscriber.latest("cameras/gate/status"), 30, "the camera's status"
            )
            assert status["wanted_fps"] == 2
            assert open_beyond_loopback(family) == set()
            assert daemon.stop(60) == 0
        finally:
            daemon.end()
            subscriber.stop()
        left = [pid for pid in family if Path(f"/proc/{pid}").exists() and not is_zombie(pid)]
        assert left == []


def test_a_cluster_that_is_not_there_is_said_in_one_line(tmp_path: Path, slow_clip: Path):
    site = write_cluster_site(tmp_path, {"gate": str(slow_clip)}, broker_port=1)
    daemon = DaemonProcess(
        site,
        tmp_path / "daemon.log",
        options=("--cluster", "nowhere"),
    )
    try:
        assert daemon.process.wait(120) == 1
    finally:
        daemon.end()
    assert "ppewatch run: no Ray cluster at nowhere" in daemon.log
    assert "Traceback" not in daemon.log


def open_beyond_loopback(pids: list[int]) -> set[str]:
    """Addresses other than the loopback's on which processes listen."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(descriptor)
            except OSError:  # it has just been closed
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    assert inodes
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, state, inode = fields[1].partition(":")[0], fields[3], fields[9]
            if state == _LISTENING and inode in inodes and not is_loopback(address):
                found.add(f"{table} {fields[1]}")
    return found


def is_loopback(address: str) -> bool:
    """As /proc/net has it: words of 32 bits in the machine's order."""
    words = [bytes.fromhex(address[start : start + 8])[::-1] for start in range(0, len(address), 8)]
    parsed = ipaddress.ip_address(b"".join(words))
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
