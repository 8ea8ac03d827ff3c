"""Real signals to a real process whose main thread waits as the daemon's does."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.service.signals import Request, SignalRequests

ROOT = Path(__file__).parents[2]

DAEMON = """
from streamer.service.sd_notify import ServiceNotifier
from streamer.service.signals import Request, SignalRequests
notifier = ServiceNotifier.from_environment()
with SignalRequests() as signals:
    notifier.ready()
    while True:
        request = signals.wait(60)
        if request is Request.RELOAD:
            notifier.reloading()
            notifier.ready()
        elif request is Request.STOP:
            notifier.stopping()
            {after_stop}
            break
"""


@contextmanager
def daemon(address, after_stop="pass"):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(60)
        process = subprocess.Popen(
            [sys.executable, "-c", DAEMON.format(after_stop=after_stop)],
            cwd=ROOT,
            env=os.environ | {"NOTIFY_SOCKET": str(address)},
        )
        try:
            assert manager.recv(4096) == b"READY=1"
            yield process, manager
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_at_once(tmp_path, number):
    with daemon(tmp_path / "notify") as (process, manager):
        started = time.monotonic()
        process.send_signal(number)
        assert manager.recv(4096) == b"STOPPING=1"
        assert process.wait(60) == 0
        assert time.monotonic() - started < 30


def test_sighup_reloads_and_the_daemon_goes_on(tmp_path):
    with daemon(tmp_path / "notify") as (process, manager):
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
            assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(4096) == b"READY=1"
        assert process.poll() is None


def test_a_second_interrupt_ends_a_daemon_that_takes_its_time(tmp_path):
    with daemon(tmp_path / "notify", after_stop="import time; time.sleep(60)") as (process, manager):
        process.send_signal(signal.SIGINT)
        assert manager.recv(4096) == b"STOPPING=1"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT


def test_several_reloads_become_one():
    with SignalRequests() as signals:
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
        assert signals.wait(30) is Request.RELOAD
        assert signals.wait(0) is None


def test_the_end_goes_first_and_is_final_whoever_asks_again():
    with SignalRequests() as signals:
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(number)
        assert [signals.wait(30) for _ in range(3)] == [Request.STOP] * 3


def test_a_flood_of_signals_while_the_main_thread_is_busy_neither_blocks_nor_is_lost():
    with SignalRequests() as signals:
        for _ in range(2_000):
            signal.raise_signal(signal.SIGHUP)
        assert signals.wait(30) is Request.RELOAD
        assert signals.wait(0) is None


def test_another_thread_can_ask_for_the_end_and_everything_is_restored_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    with SignalRequests() as signals:
        threading.Timer(0.1, signals.request_stop).start()
        started = time.monotonic()
        assert signals.wait(60) is Request.STOP
        assert time.monotonic() - started < 30
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_only_the_main_thread_may_handle_signals():
    errors = []

    def enter():
        try:
            with SignalRequests():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert len(errors) == 1
