"""The broker that a bench's daemon publishes to."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.demo.broker import EmbeddedBroker


@contextmanager
def bench_broker() -> Iterator[tuple[str, int]]:
    """Name and port: mosquitto where it is installed, as sites have it; else the embedded broker, which costs time of
    its own.
    """
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        with EmbeddedBroker() as embedded:
            yield "embedded (amqtt)", embedded.port
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen(
        [program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_port(port)
        yield "mosquitto", port
    finally:
        process.terminate()
        process.wait(5)


def wait_for_port(port: int, *, seconds: float = 10.0) -> None:
    """Until something takes connections on ``port`` of this machine. Raises ``OSError`` when nothing does."""
    end_s = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.05)
        else:
            return
