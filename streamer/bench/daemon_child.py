"""The daemon as a child process: when it is READY, and what memory it holds."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streamer.errors import StreamerError

_READY_WITHIN_S: Final = 600.0
_STOP_WITHIN_S: Final = 60.0


class BenchError(StreamerError):
    """Something could not be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MB (1e6 bytes): resident; shared pages by their part (PSS); on the heap and the stacks."""

    rss_mb: float
    pss_mb: float
    anonymous_mb: float


def memory_of(pid: int) -> Memory:
    """What process ``pid`` holds, from its ``smaps_rollup``. Raises ``OSError`` when it is gone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(*(kib[name] * 1024 / 1e6 for name in ("Rss", "Pss", "Anonymous")))


class DaemonChild:
    """``ppewatch run SITE.yaml`` of this interpreter and source tree; what it says goes to ``daemon.log`` beside it.

    A context manager that ends the daemon. ``environ`` is added to the environment.
    """

    def __init__(self, site: Path, *, environ: Mapping[str, str] | None = None) -> None:
        self._site = site
        self._log = site.with_name("daemon.log")
        self._environ = dict(environ or {})
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # an empty name asks Linux for a free one in the abstract namespace
        self._manager.bind("")
        return self

    def start(self) -> float:
        """Start the daemon and wait until it is READY; the seconds that took. Raises ``BenchError``."""
        notify = "@" + self._manager.getsockname()[1:].decode()
        started_s = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamer.cli", "run", str(self._site)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environ, "NOTIFY_SOCKET": notify},
            )
        self._manager.settimeout(0.25)
        while time.monotonic() < started_s + _READY_WITHIN_S:
            try:
                message = self._manager.recv(4096)
            except TimeoutError:
                message = b""
            self.check_alive()
            if b"READY=1" in message.splitlines():
                return time.monotonic() - started_s
        raise BenchError(f"the daemon was not ready after {_READY_WITHIN_S:.0f} s: {self._last_words()}")

    @property
    def pid(self) -> int:
        """Its process id; raises ``BenchError`` before ``start``."""
        if self._process is None:
            raise BenchError("the daemon has not been started")
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; raises ``BenchError`` before ``start``. After SIGKILL it is gone when this returns."""
        if self._process is None:
            raise BenchError("the daemon has not been started")
        self._process.send_signal(number)
        if number is signal.SIGKILL:
            self._process.wait()

    def memory(self) -> Memory:
        """What it holds now. Raises ``BenchError`` when it has ended."""
        self.check_alive()
        self._drain()
        return memory_of(self.pid)

    def processor_s(self) -> float:
        """Processor time that it has taken, in all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alerts(self) -> int:
        """How many new episodes its log tells."""
        return self._log.read_text(encoding="utf-8", errors="replace").count(" new alert ")

    def check_alive(self) -> None:
        """Raise ``BenchError`` when it has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise BenchError(f"the daemon ended with {self._process.returncode}: {self._last_words()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._manager.close()
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _drain(self) -> None:
        """Take what it told the service manager: a full socket would make it wait."""
        self._manager.settimeout(0.0)
        try:
            while self._manager.recv(4096):
                pass
        except BlockingIOError:
            return

    def _last_words(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
