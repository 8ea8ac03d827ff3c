"""kill -9 and a full disk, on real processes and real files."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_factory import PREFIX, make_alert, picture_bytes
from peers.mosquitto import Mosquitto
from subscriber import Subscriber, wait_until

from streamer.alerts.broker import Broker
from streamer.alerts.errors import OutboxError, OutboxFullError
from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher

SITE = Path(__file__).with_name("crashing_site.py")


def run_and_kill(
    state_dir: Path, *, host: str = "-", port: int = 0, rate: float = 500.0, after_s: float
) -> list[str]:
    """Run a site, kill it ``after_s`` after its first alert, and return the lines that it has printed in full."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SITE.parents[2]), str(SITE.parent)])}
    command = [sys.executable, str(SITE), str(state_dir), host, str(port), str(rate)]
    site = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    first = site.stdout.readline()
    time.sleep(after_s)
    site.send_signal(signal.SIGKILL)
    rest = site.stdout.read()
    site.stdout.close()
    assert site.wait(10) == -signal.SIGKILL
    return [line for line in (first + rest).decode().split("\n")[:-1] if line]


def test_kill_9_loses_nothing_that_was_stored_and_spends_no_number_twice(tmp_path: Path):
    moments = random.Random(1)
    stored: list[str] = []
    for _ in range(6):
        stored += run_and_kill(tmp_path, after_s=moments.uniform(0.0, 0.3))
    assert len(stored) > 20
    with Outbox(tmp_path) as outbox:
        messages = outbox.pending(limit=100_000)
        assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
        kept = {f"{message.seq} {message.alert_id}" for message in messages}
        assert set(stored) <= kept
        # killed between the commit and the print: at most one each time
        assert len(kept) - len(stored) <= 6
        assert all(message.snapshot.stat().st_size == message.snapshot_bytes for message in messages)
        assert outbox.recovered_from is None


def test_a_publishing_site_that_is_killed_delivers_everything_after_its_restart(
    mosquitto: Mosquitto, tmp_path: Path
):
    state_dir = tmp_path / "state"
    with Subscriber(mosquitto) as subscriber:
        stored: list[str] = []
        for after_s in (0.2, 0.05, 0.3):
            stored += run_and_kill(
                state_dir, host=mosquitto.host, port=mosquitto.port, rate=200, after_s=after_s
            )
        with Outbox(state_dir) as outbox:
            publisher = Publisher(
                Broker(host=mosquitto.host, port=mosquitto.port), outbox, topic_prefix=PREFIX
            )
            publisher.start()
            wait_until(lambda: outbox.stats().pending == 0)
            publisher.stop()
            last = outbox.stats().last_seq
        wait_until(lambda: len({alert["seq"] for alert in subscriber.alerts(PREFIX)}) == last)
        alerts = subscriber.alerts(PREFIX)
    # after duplicates are left out by number, everything is there once and in order
    unique = dict.fromkeys((alert["seq"], alert["alert_id"]) for alert in alerts)
    assert [seq for seq, _ in unique] == list(range(1, last + 1))
    assert set(stored) <= {f"{seq} {alert_id}" for seq, alert_id in unique}
    assert subscriber.of(f"{PREFIX}/available").count(b"offline") >= 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a few pictures; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_gives_up_history_before_it_refuses_an_alert(
    small_disk: Path, caplog: pytest.LogCaptureFixture
):
    with Outbox(small_disk) as outbox:
        delivered = 0
        # more than the disk holds: each is delivered at once, and history gives way by itself
        for n in range(40):
            jpeg = picture_bytes(n, 100_000)
            outbox.acknowledge(outbox.enqueue(make_alert(f"A{n}", jpeg), jpeg, at=float(n)), at=float(n))
            delivered += 1
        assert delivered == 40
        assert outbox.stats().last_seq == 40
    assert "the disk is full" in caplog.text


def test_a_full_disk_is_a_typed_error_that_stores_nothing(small_disk: Path):
    with Outbox(small_disk) as outbox:
        count = _enqueue_until_full(outbox, 100_000)
        assert 3 <= count < 11
        assert [message.seq for message in outbox.pending()] == list(range(1, count + 1))
        assert len(list(small_disk.rglob("*.jpg"))) == count
        assert not list(small_disk.rglob("*.part"))


def test_alerts_that_meet_a_full_disk_wait_in_memory_and_are_stored_in_order(
    small_disk: Path, caplog: pytest.LogCaptureFixture
):
    ballast = small_disk / "ballast"
    clock = [0.0]
    with Outbox(small_disk) as outbox:
        intake = AlertIntake(outbox, clock=lambda: clock[0])
        assert intake.submit(make_alert("A0")) == 1
        _fill_up(ballast)
        held = [intake.submit(make_alert(f"A{n}", picture_bytes(n)), picture_bytes(n)) for n in range(1, 6)]
        assert held == [None] * 5
        assert intake.status.held == 5
        assert "no room" in intake.status.problem
        assert len([record for record in caplog.records if "held in memory" in record.getMessage()]) == 1
        ballast.unlink()
        intake.housekeeping()
        assert intake.status.held == 5
        clock[0] += 10.0
        intake.housekeeping()
        assert (intake.status.held, intake.status.lost, intake.status.problem) == (0, 0, "")
        assert [message.alert_id for message in outbox.pending()] == [f"A{n}" for n in range(6)]
        assert [message.seq for message in outbox.pending()] == [1, 2, 3, 4, 5, 6]


def test_a_database_at_its_limit_is_a_typed_error(tmp_path: Path):
    with Outbox(tmp_path, max_pages=40) as outbox:
        _enqueue_until_full(outbox, 0)
        stored = outbox.stats().last_seq
        assert stored > 10
        for message in outbox.pending(limit=10):
            outbox.acknowledge(message.seq, at=2.0)
        assert outbox.enqueue(make_alert("B"), at=3.0) == stored + 1


def test_a_file_size_limit_is_a_typed_error_and_leaves_the_outbox_usable(tmp_path: Path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(make_alert("A1"), at=1.0)
        jpeg = picture_bytes(1, 4_000_000)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
            with pytest.raises(OutboxError, match="no room"):
                outbox.enqueue(make_alert("A2", jpeg), jpeg, at=1.0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        assert outbox.enqueue(make_alert("A2", jpeg), jpeg, at=1.0) == 2


def _enqueue_until_full(outbox: Outbox, picture_size: int) -> int:
    """Returns how many alerts found room; fails when a thousand did."""
    for n in range(1000):
        jpeg = picture_bytes(n, picture_size) if picture_size else None
        try:
            outbox.enqueue(make_alert(f"A{n}", jpeg), jpeg, at=1.0)
        except OutboxFullError:
            return n
    raise AssertionError("the outbox is never full")


def _fill_up(path: Path) -> None:
    with path.open("wb") as file:
        size = 65536
        while size:
            try:
                os.write(file.fileno(), bytes(size))
            except OSError:
                size //= 2
