"""Against a real datagram socket that stands in the manager's place."""

import os
import socket
import time
import uuid
from contextlib import contextmanager

import pytest

from streamer.service.sd_notify import ServiceNotifier, watchdog_interval_s


@contextmanager
def manager(address):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + address[1:] if address.startswith("@") else address)
        receiver.settimeout(30)
        yield receiver


@pytest.fixture(params=["path", "abstract"])
def address(request, tmp_path):
    return str(tmp_path / "notify") if request.param == "path" else f"@ppewatch-test-{uuid.uuid4()}"


def test_every_message_is_one_datagram_of_documented_assignments(address):
    with manager(address) as receiver:
        notifier = ServiceNotifier(address, monotonic=lambda: 12.5)
        assert notifier.enabled
        sent = [
            (notifier.ready("4 cameras"), b"READY=1\nSTATUS=4 cameras"),
            (notifier.reloading(), b"RELOADING=1\nMONOTONIC_USEC=12500000"),
            (notifier.status("caméra gate"), "STATUS=caméra gate".encode()),
            (notifier.watchdog(), b"WATCHDOG=1"),
            (notifier.extend_timeout(1.5), b"EXTEND_TIMEOUT_USEC=1500000"),
            (notifier.stopping(), b"STOPPING=1"),
        ]
        for was_sent, expected in sent:
            assert was_sent
            assert receiver.recv(4096) == expected


def test_a_status_cannot_smuggle_in_another_variable(address):
    with manager(address) as receiver:
        ServiceNotifier(address).status("gate\nWATCHDOG=trigger\r\n MAINPID=1")
        assert receiver.recv(4096) == b"STATUS=gate WATCHDOG=trigger MAINPID=1"


def test_the_clock_of_a_reload_is_the_one_that_the_manager_compares_with(address):
    with manager(address) as receiver:
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        ServiceNotifier(address).reloading()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        stamp = int(receiver.recv(4096).split(b"MONOTONIC_USEC=")[1])
        assert before - 1 <= stamp <= after + 1


def test_the_environment_names_the_socket_and_children_do_not_see_it(address):
    environ = {"NOTIFY_SOCKET": address, "PATH": "/bin"}
    with manager(address) as receiver:
        assert ServiceNotifier.from_environment(environ).ready()
        assert receiver.recv(4096) == b"READY=1"
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_socket_nothing_happens(environ):
    notifier = ServiceNotifier.from_environment(environ)
    assert not notifier.enabled
    assert not notifier.ready()
    assert not notifier.watchdog()


def test_a_manager_that_is_gone_is_mentioned_once_and_stops_nothing(tmp_path, caplog):
    notifier = ServiceNotifier(str(tmp_path / "nobody"))
    assert [notifier.watchdog() for _ in range(5)] == [False] * 5
    assert len(caplog.records) == 1


def test_a_manager_that_does_not_read_does_not_block_the_service_for_long(address, caplog):
    with manager(address):
        notifier = ServiceNotifier(address)
        started = time.monotonic()
        results = []
        while len(results) < 10_000 and False not in results:
            results.append(notifier.watchdog())
        assert results[-1] is False
        assert time.monotonic() - started < 10
    assert "cannot be told" in caplog.text


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": ""}, None),
    ],
)
def test_the_watchdog_interval_follows_sd_watchdog_enabled(environ, expected):
    assert watchdog_interval_s(environ) == expected
