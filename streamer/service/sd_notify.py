"""Tell the service manager how we are: systemd's notification protocol, as documented in sd_notify(3).

One datagram per message to the AF_UNIX socket that ``NOTIFY_SOCKET`` names: ``VARIABLE=value`` lines, UTF-8.
A path that begins with ``@`` lies in the abstract namespace. Without that variable everything here does
nothing, so the same program runs in a terminal.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, MutableMapping
from threading import Lock
from typing import Final, Self

_log = logging.getLogger(__name__)

#: A manager that does not read must not stop the service: the socket's queue holds some hundred messages.
_SEND_TIMEOUT_S: Final = 1.0

_MICROSECONDS: Final = 1_000_000


class ServiceNotifier:
    """Sends messages to the service manager; safe for all threads. Each method returns whether it was sent.

    ``address``: value of ``NOTIFY_SOCKET``; None: there is no manager. A message that cannot be sent is
    logged once and otherwise ignored: the service is worth more than its status line.
    """

    def __init__(self, address: str | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._address = _socket_address(address)
        self._monotonic = monotonic
        self._lock = Lock()
        self._complained = False

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> Self:
        """For the manager that started this process.

        ``NOTIFY_SOCKET`` is taken out of ``environ``, so that child processes do not speak for the service.
        """
        return cls(environ.pop("NOTIFY_SOCKET", None))

    @property
    def enabled(self) -> bool:
        """Whether there is a manager to talk to."""
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """Starting, or reloading, is done."""
        return self._send("READY=1", *_status_line(status))

    def reloading(self, status: str = "") -> bool:
        """Settings are being read anew; ``ready`` must follow. Fit for ``Type=notify-reload``."""
        now_us = int(self._monotonic() * _MICROSECONDS)
        return self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}", *_status_line(status))

    def stopping(self, status: str = "") -> bool:
        """The service is ending."""
        return self._send("STOPPING=1", *_status_line(status))

    def status(self, text: str) -> bool:
        """One line for people, shown by ``systemctl status``."""
        return self._send(*_status_line(text))

    def watchdog(self) -> bool:
        """All is well: the manager's watchdog starts counting anew."""
        return self._send("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> bool:
        """Starting, reloading or stopping takes up to ``seconds`` more from now."""
        return self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}")

    def _send(self, *lines: str) -> bool:
        if self._address is None or not lines:
            return False
        message = "\n".join(lines).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_SEND_TIMEOUT_S)
                sender.connect(self._address)
                sender.sendall(message)
        except OSError as error:
            with self._lock:
                first, self._complained = not self._complained, True
            if first:
                _log.warning("the service manager cannot be told how we are: %s", error)
            return False
        return True


def watchdog_interval_s(environ: Mapping[str, str] = os.environ, *, pid: int | None = None) -> float | None:
    """Seconds within which the manager wants a sign of life, from ``WATCHDOG_USEC``; None: it wants none.

    As sd_watchdog_enabled(3) has it, a ``WATCHDOG_PID`` of another process means none, too. Values that are
    no positive number mean none and are logged.
    """
    wanted_pid = environ.get("WATCHDOG_PID")
    if wanted_pid is not None and wanted_pid != str(os.getpid() if pid is None else pid):
        return None
    text = environ.get("WATCHDOG_USEC")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        _log.warning("WATCHDOG_USEC is no positive number: the watchdog is off")
        return None
    return int(text) / _MICROSECONDS


def _socket_address(address: str | None) -> str | None:
    if not address:
        return None
    if address.startswith("@"):
        return "\0" + address[1:]
    if address.startswith("/"):
        return address
    _log.warning("NOTIFY_SOCKET is neither a path nor an abstract name: it is not used")
    return None


def _status_line(text: str) -> list[str]:
    """A status is one line: a line break in it would begin another variable."""
    return [f"STATUS={' '.join(text.split())}"] if text else []
