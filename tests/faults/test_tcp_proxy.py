"""The proxy does what it says, before anything is concluded from it."""

import contextlib
import gc
import socket
import threading
import time
import warnings
from collections.abc import Iterator

import pytest
from peers.tcp_proxy import TcpProxy


class Echo:
    """Sends back what it gets; ``ended`` counts connections of which it has seen the end."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.ended = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join(10)

    def _accept(self) -> None:
        serving = []
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                break
            serving.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            serving[-1].start()
        for thread in serving:
            thread.join(10)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass
            self.ended.release()


@pytest.fixture
def echo() -> Iterator[Echo]:
    running = Echo()
    yield running
    running.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(echo.port, seed=7) as running:
        yield running


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=20)


def exchange(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    back = b""
    while len(back) < len(data):
        part = connection.recv(65536)
        if not part:
            break
        back += part
    return back


def read_to_end(connection: socket.socket) -> None:
    while connection.recv(100):
        pass


def test_it_passes_what_it_gets_and_ends_both_sides(proxy: TcpProxy, echo: Echo):
    message = bytes(range(256)) * 1000
    with connect(proxy) as connection:
        assert exchange(connection, message) == message
        assert proxy.open == 1
    assert echo.ended.acquire(timeout=20)
    assert (proxy.up.passed_bytes, proxy.down.passed_bytes) == (len(message), len(message))


def test_it_delays_and_throttles_each_direction(proxy: TcpProxy):
    with connect(proxy) as connection:
        proxy.up.delay_s, proxy.down.delay_s = 0.2, 0.1
        begun_s = time.monotonic()
        assert exchange(connection, b"late") == b"late"
        assert time.monotonic() - begun_s >= 0.3
        proxy.heal()
        proxy.down.bytes_per_s = 10_000
        begun_s = time.monotonic()
        assert exchange(connection, b"s" * 5000) == b"s" * 5000
        assert time.monotonic() - begun_s >= 0.4


def test_what_is_held_goes_on(proxy: TcpProxy):
    with connect(proxy) as connection:
        proxy.down.held = True
        connection.sendall(b"patience")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        proxy.down.held = False
        connection.settimeout(20)
        assert connection.recv(100) == b"patience"


def test_swallowed_bytes_never_come_and_the_sockets_stay_open(proxy: TcpProxy, echo: Echo):
    with connect(proxy) as half_open:
        proxy.up.swallow = proxy.down.swallow = True
        half_open.sendall(b"into the void")
        half_open.settimeout(0.2)
        with pytest.raises(TimeoutError):
            half_open.recv(100)
        proxy.heal()
        half_open.sendall(b"still the void")
        with pytest.raises(TimeoutError):
            half_open.recv(100)
        with connect(proxy) as whole:
            assert exchange(whole, b"heard") == b"heard"
        assert echo.ended.acquire(timeout=20)
    assert not echo.ended.acquire(timeout=0.2), "the other side of a half-open connection hears of no end"
    assert proxy.up.swallowed_bytes == len(b"into the voidstill the void")
    assert proxy.reset() == 1
    assert echo.ended.acquire(timeout=20)


def test_it_drops_resets_cuts_and_refuses(proxy: TcpProxy, echo: Echo):
    with connect(proxy) as connection:
        exchange(connection, b"x")
        assert proxy.drop() == 1
        assert connection.recv(100) == b""
    with connect(proxy) as connection:
        exchange(connection, b"x")
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
    proxy.down.cut_after_bytes = 10
    with connect(proxy) as connection:
        exchange(connection, b"12345")
        connection.sendall(b"67890")
        with pytest.raises(ConnectionResetError):
            read_to_end(connection)
    for _ in range(3):
        assert echo.ended.acquire(timeout=20)
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    assert proxy.port == port
    with connect(proxy) as connection:
        assert exchange(connection, b"x") == b"x"


def test_it_turns_bits_at_its_rate_and_the_same_ones_with_the_same_seed(echo: Echo):
    sent = bytes(100_000)

    def bent(seed: int) -> bytes:
        with TcpProxy(echo.port, seed=seed) as proxy:
            proxy.down.flip_rate = 0.01
            with connect(proxy) as connection:
                back = exchange(connection, sent)
            assert proxy.down.flipped_bytes == sum(byte != 0 for byte in back)
            return back

    first = bent(1)
    assert all(byte.bit_count() <= 1 for byte in first)
    assert 700 < sum(byte != 0 for byte in first) < 1300
    assert first == bent(1)
    assert first != bent(2)


def test_a_filter_sees_the_bytes_of_each_connection(proxy: TcpProxy):
    proxy.down.new_filter = lambda: bytes.upper
    with connect(proxy) as connection:
        assert exchange(connection, b"quiet") == b"QUIET"


def test_a_client_is_reset_when_nobody_is_behind_the_proxy(unused_port: int):
    def try_it() -> None:
        with connect(proxy) as connection:
            connection.recv(100)

    # it may come while the client still believes that it connects
    with TcpProxy(unused_port) as proxy, pytest.raises(ConnectionResetError):
        try_it()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_is_still_open_at_the_end_is_closed():
    """A connection that was ended in the regular way waits for a client that reads nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        proxy = TcpProxy(upstream.getsockname()[1])
        proxy.start()
        with connect(proxy):
            far, _ = upstream.accept()
            with far:
                far.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    while True:
                        far.send(bytes(65536))
            # taken by nobody at the other end yet
            with connect(proxy), warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                proxy.stop()
                del proxy
                gc.collect()
    assert not [str(one.message) for one in told if issubclass(one.category, ResourceWarning)]
