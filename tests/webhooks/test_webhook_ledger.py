"""What is owed to each target, on the disk: from the moment an alert is stored, whatever happens to the process."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alerts.alert_factory import make_alert
from alerts.subscriber import wait_until
from peers.webhook_server import TAKEN, Reply, WebhookServer
from webhooks.couriers import courier, episode, target_at

from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import encode_json
from streamer.service.heartbeats import Heartbeats
from streamer.webhooks.desk import WebhookDesk
from streamer.webhooks.target import CAMERA_FITNESS, CAMERA_STATUS

SITE = Path(__file__).with_name("posting_site.py")


def status(state: str) -> bytes:
    return encode_json({"camera": "gate", "state": state})


def test_a_target_is_owed_what_comes_after_it_was_named(tmp_path: Path):
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(make_alert("BEFORE"), at=1.0)
        outbox.webhooks.add_target("desk")
        ids = [f"A_{outbox.enqueue(alert, at=1.0)}" for alert in episode("A")]
        outbox.enqueue(episode("A")[0], at=1.0)
    with Outbox(tmp_path) as outbox:
        outbox.webhooks.add_target("desk")
        assert [entry.event_id for entry in outbox.webhooks.entries("desk")] == ids
        assert [entry.type for entry in outbox.webhooks.entries("desk")] == [
            "alert.new",
            "alert.update",
            "alert.end",
        ]
        # delivered to the broker, still owed to the webhook
        for message in outbox.pending():
            outbox.acknowledge(message.seq, at=2.0)
        assert [entry.event_id for entry in outbox.webhooks.entries("desk")] == ids
        # removed from the outbox: given up, and counted
        assert outbox.enforce_limits(at=3e9) == 4
        assert outbox.webhooks.entries("desk") == []
        assert outbox.webhooks.targets() == {"desk": 3}


def test_a_damaged_database_loses_no_alert_that_can_be_read_and_counts_the_others(tmp_path: Path):
    with Outbox(tmp_path) as outbox:
        outbox.webhooks.add_target("desk")
        outbox.webhooks.add(
            ["desk", "stranger"], event_id="camera_1", type_=CAMERA_STATUS, subject="gate", body=b"{}", at=1.0
        )
        for number in range(60):
            outbox.enqueue(make_alert(f"A{number}"), at=1.0)
        for seq in range(1, 11):
            outbox.acknowledge(seq, at=2.0)
    spoil_index(tmp_path / "outbox.sqlite3")
    with Outbox(tmp_path) as outbox:
        assert outbox.recovered_from is not None
        owed = outbox.webhooks.entries("desk")
        assert {entry.event_id for entry in owed} == {"camera_1"} | {f"A{n}_{n + 1}" for n in range(10, 60)}
        # the broker had taken these, so they are not read back
        assert outbox.webhooks.targets() == {"desk": 10}
        assert outbox.webhooks.body("desk", "camera_1") == b"{}"


def test_a_database_that_is_replaced_while_it_is_read_goes_on(tmp_path: Path):
    with Outbox(tmp_path) as outbox, WebhookServer() as server, courier(outbox, target_at(server.url)):
        outbox.enqueue(make_alert("A"), at=time.time())
        server.wait_taken(1)
        # as when a damage is found: another database takes its place
        before = outbox.webhooks
        with outbox._db.lock:
            outbox._db.close()
            outbox._db = outbox._start_anew(RuntimeError("it was damaged"))
        assert outbox.webhooks is not before
        outbox.enqueue(make_alert("B"), at=time.time())
        # what the broker has not taken is read back, and may come once more
        wait_until(lambda: [posted.told["data"]["alert_id"] for posted in server.taken][-1] == "B")


def test_killed_processes_lose_nothing_and_each_alert_is_told_in_order(tmp_path: Path):
    moments = random.Random(3)

    def reply(posted):
        # a fifth of the posts fails, so that the kill finds waits and attempts on their way
        return Reply(500) if posted.number % 5 == 0 else TAKEN

    stored: list[str] = []
    with WebhookServer(reply) as server:
        for _ in range(5):
            stored += run_and_kill(tmp_path, server.url, after_s=moments.uniform(0.1, 0.6))
        with Outbox(tmp_path) as outbox:
            owed = {entry.event_id for entry in outbox.webhooks.entries("desk")}
            known = {f"{message.alert_id}_{message.seq}" for message in outbox.pending(limit=100_000)}
            with courier(outbox, target_at(server.url)):
                wait_until(lambda: not outbox.webhooks.entries("desk"))
            assert outbox.webhooks.targets() == {"desk": 0}
    assert len(stored) > 30
    taken = [posted.event_id for posted in server.taken]
    # nothing lost, nothing that was never stored, nothing forgotten while it was owed
    assert set(stored) <= known == set(taken)
    assert owed <= set(taken)
    first_times = list(dict.fromkeys(taken))
    assert first_times == sorted(first_times, key=lambda one: int(one.rpartition("_")[2]))


def run_and_kill(state_dir: Path, url: str, *, after_s: float) -> list[str]:
    """Run a site, kill it ``after_s`` after its first alert; the events that it had stored."""
    paths = [str(SITE.parents[2]), str(SITE.parents[1]), str(SITE.parents[1] / "alerts")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    site = subprocess.Popen(
        [sys.executable, str(SITE), str(state_dir), url], stdout=subprocess.PIPE, env=environment
    )
    first = site.stdout.readline()
    time.sleep(after_s)
    site.send_signal(signal.SIGKILL)
    rest = site.stdout.read()
    site.stdout.close()
    assert site.wait(10) == -signal.SIGKILL
    return (first + rest).decode().split("\n")[:-1]


@pytest.fixture
def desk(tmp_path: Path):
    with Outbox(tmp_path / "state") as outbox:
        made = WebhookDesk(outbox, Heartbeats())
        yield outbox, made
        made.stop(0.0)


def test_cameras_are_told_of_when_their_state_changes(desk):
    _, webhooks = desk
    with WebhookServer() as server:
        webhooks.set_targets([target_at(server.url, types=frozenset({CAMERA_STATUS, CAMERA_FITNESS}))])
        for at, state in enumerate(("connecting", "online", "online", "stalled", "connecting", "online")):
            webhooks.camera_status("gate", status(state), at=time.time() + at)
        webhooks.camera_fitness("gate", encode_json({"code": "dark"}), at=time.time())
        taken = server.wait_taken(5)
    told = [(posted.told["type"], posted.told["data"].get("state")) for posted in taken]
    states = [(CAMERA_STATUS, state) for state in ("online", "stalled", "connecting", "online")]
    assert told == [*states, (CAMERA_FITNESS, None)]
    assert len({posted.event_id for posted in taken}) == 5


def test_targets_come_and_go_with_the_settings(desk, caplog):
    outbox, webhooks = desk
    with WebhookServer() as server, WebhookServer(lambda _posted: Reply(503)) as busy:
        first = target_at(server.url)
        webhooks.set_targets([first, target_at(busy.url, name="busy")])
        outbox.enqueue(make_alert("A"), at=time.time())
        webhooks.notify()
        server.wait_taken(1)
        busy.wait_for(lambda: busy.posted)
        assert [told.name for told in webhooks.conditions()] == ["desk", "busy"]
        # another address: what waited goes there
        webhooks.set_targets([first, target_at(server.url + "/2", name="busy")])
        assert server.wait_taken(2)[-1].path == "/hook/2"
        outbox.webhooks.add(
            ["busy"], event_id="camera_9", type_=CAMERA_STATUS, subject="g", body=b"{}", at=1.0
        )
        webhooks.set_targets([first])
        assert "configured no more" in caplog.text
        assert list(outbox.webhooks.targets()) == ["desk"]
        assert [topic for topic, _ in webhooks.states()] == ["webhooks/desk/status"]


def spoil_index(database: Path) -> None:
    """Overwrite the root page of an index; the tables stay readable."""
    db = sqlite3.connect(database)
    page_size = db.execute("PRAGMA page_size").fetchone()[0]
    page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages_alert'").fetchone()[0]
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with database.open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(b"\xff" * page_size)
