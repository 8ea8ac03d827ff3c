"""The broker of a soak: mosquitto as a process of its own, which can be killed, stopped and frozen."""

import getpass
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final, Self

from streamer.bench.broker import wait_for_port
from streamer.errors import StreamerError

#: Written at every change and nothing held back from a subscriber that is there: what is acknowledged to the daemon
#: outlives a broker that is killed.
_SETTINGS: Final = (
    "allow_anonymous true",
    "persistence true",
    "autosave_interval 1",
    "autosave_on_changes true",
    "max_queued_messages 0",
    "max_inflight_messages 0",
)


class NoBrokerError(StreamerError):
    """There is no mosquitto on this machine."""


class SoakBroker:
    """Listens on ``port`` of 127.0.0.1; everything it keeps is in ``folder``. A context manager.

    Raises ``NoBrokerError``, and ``OSError`` when it does not start.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None:
            raise NoBrokerError("a soak needs mosquitto, whose sessions outlive its restarts: install it")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self._log = folder / "mosquitto.log"
        settings = folder / "mosquitto.conf"
        # one that root starts drops to another user, who cannot write here
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"persistence_location {folder}/",
            f"user {getpass.getuser()}",
        ]
        settings.write_text("\n".join([*lines, *_SETTINGS]) + "\n", encoding="utf-8")
        self._command = [program, "-c", str(settings)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes connections; one that runs stays."""
        if self._process is not None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for_port(self.port)

    def stop(self) -> None:
        """SIGTERM: it saves what it holds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Its connections stay and nothing answers (SIGSTOP)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(number)
        self._process.wait(30)
        self._process = None
