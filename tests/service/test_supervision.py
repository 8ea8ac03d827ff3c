import socket
import threading
import time

import pytest

from streamer.service.heartbeats import Heartbeats
from streamer.service.sd_notify import ServiceNotifier
from streamer.service.supervisor import Supervisor, stack_of


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def received(manager):
    messages = []
    manager.setblocking(False)
    while True:
        try:
            messages.append(manager.recv(4096))
        except BlockingIOError:
            return messages


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        yield receiver


@pytest.fixture
def notifier(manager):
    return ServiceNotifier(manager.getsockname())


def test_a_stage_is_late_after_its_own_limit():
    clock = Clock()
    beats = Heartbeats(clock=clock)
    rules, camera = beats.add("rules"), beats.add("camera gate", limit_s=30)
    clock.now += 10.0
    assert beats.late() == []
    clock.now += 0.1
    assert [stage.name for stage in beats.late()] == ["rules"]
    rules.beat()
    assert beats.late() == []
    clock.now += 20
    assert [stage.name for stage in beats.late()] == ["rules", "camera gate"]
    beats.remove(camera)
    rules.beat()
    assert beats.late() == []


def test_a_long_step_that_was_announced_is_not_late_and_the_next_beat_ends_it():
    clock = Clock()
    beats = Heartbeats(clock=clock)
    pulse = beats.add("inference")
    pulse.allow(300)
    clock.now += 299
    assert beats.late() == []
    pulse.beat()
    clock.now += 11
    assert [stage.name for stage in beats.late()] == ["inference"]
    pulse.allow(1)  # never shortens the stage's own limit
    clock.now += 9
    assert beats.late() == []


def test_a_replaced_stage_is_not_removed_by_the_one_it_replaced():
    beats = Heartbeats()
    old = beats.add("camera gate")
    beats.add("camera gate")
    beats.remove(old)
    assert [stage.name for stage in beats.ages()] == ["camera gate"]


@pytest.mark.parametrize("limit_s", [0, -1])
def test_a_limit_must_be_above_zero(limit_s):
    with pytest.raises(ValueError, match="limit_s"):
        Heartbeats().add("x", limit_s=limit_s)


def test_the_watchdog_is_fed_only_while_every_stage_beats(manager, notifier):
    clock = Clock()
    beats = Heartbeats(clock=clock)
    stages = [beats.add(name) for name in ("camera gate", "inference", "rules", "publisher")]
    supervisor = Supervisor(beats, notifier=notifier, watchdog_s=30)
    assert supervisor.look() == []
    assert received(manager) == [b"WATCHDOG=1"]
    for stuck in stages:
        clock.now += 11
        for stage in stages:
            if stage is not stuck:
                stage.beat()
        assert [late.name for late in supervisor.look()] == [stuck.name]
        assert received(manager) == []
        stuck.beat()
        supervisor.look()
        assert received(manager) == [b"WATCHDOG=1"]


def test_without_a_watchdog_nothing_is_fed(manager, notifier):
    Supervisor(Heartbeats(), notifier=notifier).look()
    assert received(manager) == []


def test_the_thread_feeds_at_half_the_interval_at_the_latest(manager, notifier):
    supervisor = Supervisor(Heartbeats(), notifier=notifier, watchdog_s=0.2)
    supervisor.start()
    time.sleep(1.0)
    supervisor.stop()
    count = len(received(manager))
    assert 8 <= count <= 12
    time.sleep(0.25)
    assert received(manager) == []


def wait_where_it_is_stuck(gate, password="hunter2"):
    gate.wait(10)


def test_a_stuck_stage_is_named_with_its_stack_once_and_its_recovery_too(notifier, caplog):
    clock = Clock()
    beats = Heartbeats(clock=clock)
    gate = threading.Event()
    pulse = beats.add("camera gate")

    def stage():
        pulse.beat()
        wait_where_it_is_stuck(gate)
        pulse.beat()

    thread = threading.Thread(target=stage)
    thread.start()
    while pulse.age().thread_id is None:
        time.sleep(0.001)
    clock.now += 11
    supervisor = Supervisor(
        beats, notifier=notifier, watchdog_s=30, redact=lambda text: text.replace("gate.wait", "***")
    )
    for _ in range(3):
        assert supervisor.look()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "stage camera gate" in errors[0]
    assert "wait_where_it_is_stuck" in errors[0]
    assert "***" in errors[0], "the stack passes through the redaction"
    assert "hunter2" not in errors[0], "values of variables are no part of it"
    gate.set()
    thread.join()
    assert supervisor.look() == []
    assert "stage camera gate is alive again" in caplog.text
    clock.now += 11
    supervisor.look()
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2


def test_the_stack_of_a_thread_that_ended_or_never_beat():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    assert stack_of(None) == "(its thread is not running)"
    assert "test_the_stack_of" in stack_of(threading.get_ident())
