"""Those who connect and dawdle, or come in crowds, keep nobody else out."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from http_client import ask
from web_site import FIRST_ALERT, Site

from streamer.web.app import create_app
from streamer.web.connections import ConnectionGuard
from streamer.web.counters import Refusal
from streamer.web.server import WebServer

Start = Callable[..., WebServer]


@pytest.fixture
def start(site: Site) -> Iterator[Start]:
    running: list[WebServer] = []

    def make(**limits: float) -> WebServer:
        app = create_app(site, site_name="yard", version="1")
        guard = ConnectionGuard(app.state.counters, **limits)  # type: ignore[arg-type]
        running.append(WebServer(app, "127.0.0.1", 0, guard=guard))
        running[-1].start()
        return running[-1]

    yield make
    for server in running:
        server.stop()


def connect(server: WebServer) -> socket.socket:
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def refused(server: WebServer, reason: Refusal) -> int:
    return int(server._app.state.counters[reason])


def ends(connection: socket.socket) -> bool:
    """Whether the server ends it; what it sent before does not matter."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


def dribble(connection: socket.socket) -> None:
    """A byte now and then, until the other side has had enough; a minute is too long."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            connection.sendall(b"a")
        except OSError:
            return
        time.sleep(0.02)
    pytest.fail("it goes on for ever")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["nothing", "half a header", "half a body", "half a chunk"],
)
def test_a_request_that_never_ends_is_cut(start: Start, sent: bytes) -> None:
    server = start(request_s=0.4)
    with connect(server) as slow:
        slow.sendall(sent)
        assert ends(slow)
    assert refused(server, Refusal.SLOW) == 1


def test_one_byte_at_a_time_wins_no_time(start: Start) -> None:
    server = start(request_s=0.6)
    with connect(server) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
        dribble(slow)
    assert refused(server, Refusal.SLOW) == 1


def test_one_byte_at_a_time_after_the_answer_wins_no_time_either(start: Start) -> None:
    server = start(request_s=0.6)
    with connect(server) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n")
        assert slow.recv(12).startswith(b"HTTP/1.1 403")
        dribble(slow)
    assert refused(server, Refusal.SLOW) == 1


def test_an_answer_that_is_never_read_is_cut(start: Start, site: Site) -> None:
    site.snapshots[FIRST_ALERT] = bytes(30_000_000)
    server = start(idle_s=1, request_s=0.5)
    with connect(server) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(f"GET /api/alerts/{FIRST_ALERT}/snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert deaf.recv(12).startswith(b"HTTP/1.1 200")
        deadline = time.monotonic() + 60
        while server._guard.open_connections and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not server._guard.open_connections


def test_a_crowd_of_one_address_leaves_room_for_the_others(start: Start) -> None:
    server = start(most=5, most_per_client=3, request_s=30.0)
    crowd = [connect(server) for _ in range(3)]
    try:
        with connect(server) as another:
            assert ends(another)
        assert refused(server, Refusal.CONNECTIONS) == 1
    finally:
        for connection in crowd:
            connection.close()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if ask(server, "/healthz").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("their places were not given free")


def test_no_more_connections_than_there_are_places() -> None:
    class Nothing:
        def add(self, _reason: Refusal) -> None:
            return

    guard = ConnectionGuard(Nothing(), most=4, most_per_client=2, proxies=frozenset({"192.0.2.9"}))  # type: ignore[arg-type]
    assert [guard.admit(host) for host in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1")][-1] is None
    assert guard.admit("192.0.2.9")
    assert guard.admit("192.0.2.9"), "a proxy's connections are those of many"
    assert guard.admit("192.0.2.2") is None
    guard.leave("192.0.2.9")
    assert guard.admit("192.0.2.2")


def test_further_requests_of_a_connection_have_their_own_time(start: Start) -> None:
    server = start(request_s=5.0)
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(server) as patient:
        for count in (1, 1, 3):  # and several at once are answered in turn
            patient.sendall(request * count)
            told = b""
            while told.count(b'"ok"}') < count:
                told += patient.recv(4096)
            assert told.count(b" 200 ") == count
            time.sleep(2.5)
    assert refused(server, Refusal.SLOW) == 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["long path", "long header", "many headers", "no host", "TLS"],
)
def test_requests_that_are_none_or_too_large_are_refused(start: Start, request_bytes: bytes) -> None:
    server = start()
    with connect(server) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        try:
            told = connection.recv(65536)
        except ConnectionResetError:
            told = b""
        assert not told.startswith(b"HTTP/1.1 200")
    assert ask(server, "/healthz").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_damage_behind_a_request_leaves_no_traceback(
    start: Start, caplog: pytest.LogCaptureFixture, method: str, pause_s: float
) -> None:
    server = start()
    request = f"{method} /api/overview HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with caplog.at_level("INFO"):
        for _ in range(5):
            with connect(server) as connection:
                connection.sendall(request)
                time.sleep(pause_s)
                connection.sendall(b"\0 no request\r\n\r\n" * 3)
                assert ends(connection)
        assert ask(server, "/healthz").status == 200
    assert not [record for record in caplog.records if record.exc_info]
    # said once, however often it happens
    assert len([record for record in caplog.records if record.name == "uvicorn.error"]) <= 1
