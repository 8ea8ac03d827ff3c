import socket
import threading
import time
from contextlib import contextmanager

import pytest

from streamer.service.heartbeats import Heartbeats
from streamer.service.sd_notify import ServiceNotifier
from streamer.service.stage_health import GivenUp, StageReason, StageState
from streamer.service.supervisor import GRACE_S, Supervisor, stack_of


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


@contextmanager
def living(pulse):
    """A thread that has given one sign of life and goes on without another."""
    gate, begun = threading.Event(), threading.Event()

    def stage(password="hunter2"):
        pulse.beat()
        begun.set()
        gate.wait(60)

    thread = threading.Thread(target=stage)
    thread.start()
    begun.wait(10)
    try:
        yield thread
    finally:
        gate.set()
        thread.join()


def dead(pulse):
    thread = threading.Thread(target=pulse.beat)
    thread.start()
    thread.join()


class Watched:
    """A supervisor that looks every second of a clock that the test turns; what it was told and what it did."""

    def __init__(self, notifier, **options):
        self.clock = Clock()
        self.beats = Heartbeats(clock=self.clock)
        self.given_up = []
        self.supervisor = Supervisor(
            self.beats, notifier=notifier, clock=self.clock, on_given_up=self.given_up.append, **options
        )

    def after(self, seconds, *beating):
        """Let time pass while these pulses beat; the stages as they are then."""
        stages = []
        for _ in range(round(seconds)):
            self.clock.now += 1.0
            for pulse in beating:
                pulse.beat()
            stages = self.supervisor.look()
        return {stage.name: stage for stage in stages}

    def settle(self):
        """Look until what is being mended is mended; no time passes."""
        end = time.monotonic() + 10
        while True:
            stages = self.supervisor.look()
            if all(stage.state is not StageState.RESTARTING for stage in stages):
                return {stage.name: stage for stage in stages}
            assert time.monotonic() < end


def test_a_stage_is_late_after_its_own_limit_of_less_than_ten_seconds():
    clock = Clock()
    beats = Heartbeats(clock=clock)
    rules, camera = beats.add("rules"), beats.add("camera gate", limit_s=30)
    clock.now += 8.0
    assert beats.late() == []
    clock.now += 0.1
    assert [stage.name for stage in beats.late()] == ["rules"]
    rules.beat()
    assert beats.late() == []
    clock.now += 22
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
    clock.now += 9
    assert [stage.name for stage in beats.late()] == ["inference"]
    pulse.allow(1)  # never shortens the stage's own limit
    clock.now += 7
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
    watched = Watched(notifier, watchdog_s=30)
    stages = [watched.beats.add(name) for name in ("camera gate", "inference", "rules", "publisher")]
    watched.after(1, *stages)
    assert received(manager) == [b"WATCHDOG=1"]
    for stuck in stages:
        others = [stage for stage in stages if stage is not stuck]
        found = watched.after(9, *others)
        assert [stage.name for stage in found.values() if stage.state is StageState.LATE] == [stuck.name]
        received(manager)
        watched.after(3, *others)
        assert received(manager) == []
        watched.after(1, *stages)
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


def test_a_silent_stage_is_named_with_its_stack_once_and_its_recovery_too(notifier, caplog):
    watched = Watched(notifier, watchdog_s=30, redact=lambda text: text.replace("gate.wait", "***"))
    pulse = watched.beats.add("camera gate")
    with living(pulse):
        watched.after(20)
        errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert len(errors) == 1
        assert "stage camera gate: no sign of life for 9.0 s (limit 8 s)" in errors[0]
        assert "in stage" in errors[0]
        assert "***" in errors[0], "the stack passes through the redaction"
        assert "hunter2" not in errors[0], "values of variables are no part of it"
        pulse.beat()
        assert watched.after(1)["camera gate"].state is StageState.BEATING
        assert "stage camera gate is alive again" in caplog.text
        watched.after(9)
        assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2


def test_time_in_which_nobody_could_look_counts_for_no_stage(notifier):
    watched = Watched(notifier)
    pulse = watched.beats.add("rules")
    watched.after(3, pulse)
    watched.clock.now += 3600  # the process was stopped, or its machine
    assert watched.after(1)["rules"].state is StageState.BEATING
    assert watched.after(5)["rules"].state is StageState.BEATING
    assert watched.after(3)["rules"].state is StageState.LATE


def test_a_stage_that_died_is_mended_at_the_next_look(notifier, caplog):
    mended = []
    watched = Watched(notifier, mend=lambda *what: mended.append(what))
    pulse = watched.beats.add("status")
    dead(pulse)
    watched.after(1)
    found = watched.settle()
    assert mended == [("status", StageReason.DIED)]
    assert (found["status"].state, found["status"].reason, found["status"].restarts) == ("beating", "", 1)
    assert "stage status: its thread has ended" in caplog.text
    assert "stage status was restarted" in caplog.text
    assert watched.after(2, pulse)["status"].restarts == 1
    assert watched.given_up == []


def test_a_stage_that_hangs_gets_some_grace_before_it_is_mended(notifier):
    mended = []
    watched = Watched(notifier, mend=lambda *what: mended.append(what))
    pulse = watched.beats.add("mqtt")
    with living(pulse):
        assert watched.after(8 + GRACE_S)["mqtt"].state is StageState.LATE
        assert mended == []
        watched.after(1)
        assert watched.settle()["mqtt"].restarts == 1
        assert mended == [("mqtt", StageReason.HANGS)]


def test_what_keeps_failing_is_given_up_but_not_for_what_it_did_long_ago(notifier):
    watched = Watched(notifier, mend=lambda *_: None)
    pulse = watched.beats.add("status")
    for _ in range(5):
        dead(pulse)
        watched.after(1)
        assert watched.settle()["status"].state is StageState.BEATING
        watched.after(301, pulse)
    for _ in range(2):
        dead(pulse)
        watched.after(1)
        watched.settle()
    assert watched.given_up == []
    dead(pulse)
    assert watched.after(1)["status"].state is StageState.FAILED
    assert [(given.stage, given.reason) for given in watched.given_up] == [("status", "stage_keeps_failing")]


def test_what_cannot_be_mended_is_given_up_once_with_the_reason(manager, notifier):
    why = GivenUp("inference", StageReason.MODELS_FAILED, "no device runs the models")
    watched = Watched(notifier, watchdog_s=30, mend=lambda *_: why)
    inference, rules = watched.beats.add("inference"), watched.beats.add("rules")
    dead(inference)
    watched.after(1, rules)
    found = watched.settle()
    assert (found["inference"].state, found["inference"].reason) == ("failed", "models_failed")
    received(manager)
    dead(rules)
    assert watched.after(3)["rules"].state is StageState.LATE
    assert watched.given_up == [why]
    assert received(manager) == [], "the watchdog is fed no more"


def test_a_mending_that_fails_or_hangs_ends_in_giving_up(notifier, caplog):
    def fails(_stage, _reason):
        raise OSError("no more threads")

    watched = Watched(notifier, mend=fails)
    dead(watched.beats.add("status"))
    watched.after(1)
    watched.settle()
    assert [given.reason for given in watched.given_up] == ["stage_died"]
    assert "no more threads" in caplog.text

    gate = threading.Event()
    hanging = Watched(notifier, mend=lambda *_: gate.wait(60) and None)
    dead(hanging.beats.add("status"))
    assert hanging.after(10)["status"].state is StageState.RESTARTING
    assert hanging.after(7)["status"].state is StageState.FAILED
    assert "hangs, too" in hanging.given_up[0].detail
    gate.set()


def test_while_the_daemon_stops_nothing_is_mended_and_the_watchdog_is_fed(manager, notifier):
    mended = []
    watched = Watched(notifier, watchdog_s=30, mend=lambda *what: mended.append(what))
    dead(watched.beats.add("rules"))
    watched.supervisor.stand_down()
    fed = []
    for _ in range(30):
        watched.after(1)
        # a kernel may keep no more than ten messages for a manager that reads none (net.unix.max_dgram_qlen)
        fed += received(manager)
    assert mended == []
    assert watched.given_up == []
    assert fed == [b"WATCHDOG=1"] * 30


def test_the_stack_of_a_thread_that_ended_or_never_beat():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    assert stack_of(None) == "(its thread is not running)"
    assert "test_the_stack_of" in stack_of(threading.get_ident())
