"""Signals as events of the main thread: end on SIGTERM and SIGINT, reload on SIGHUP.

A Python signal handler runs between any two bytecodes of the main thread, also inside a lock that it would
need itself. So the handlers do nothing; the interpreter writes the signal's number into a socket
(``signal.set_wakeup_fd``), and the main thread waits for that.
"""

import contextlib
import select
import signal
import socket
import time
from enum import Enum
from types import FrameType, TracebackType
from typing import Any, Final, Self

_STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

#: Written by ``request_stop``; no signal has the number 0.
_STOP_BYTE: Final = b"\0"


class Request(Enum):
    """What the outside asks of the daemon."""

    STOP = "stop"
    RELOAD = "reload"


class SignalRequests:
    """Context manager of the main thread that turns signals into ``Request`` values; restores all on exit.

    After the first SIGINT a second one ends the process at once, as people in a terminal expect. Entering
    raises ``ValueError`` in any other thread than the main one.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._pending: set[Request] = set()
        self._old_handlers: dict[signal.Signals, Any] = {}
        self._old_wakeup = -1

    def __enter__(self) -> Self:
        try:
            self._old_wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        except ValueError:
            self._close()
            raise
        for number in _HANDLED:
            self._old_handlers[number] = signal.signal(number, _do_nothing)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        self._close()

    def wait(self, timeout_s: float) -> Request | None:
        """The next request, or None after ``timeout_s``.

        STOP goes before RELOAD and is final: every later call returns it at once. Several reloads become one.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            self._read()
            if Request.STOP in self._pending:
                return Request.STOP
            if Request.RELOAD in self._pending:
                self._pending.discard(Request.RELOAD)
                return Request.RELOAD
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return None
            select.select([self._receiver], [], [], left_s)

    def request_stop(self) -> None:
        """Make ``wait`` return STOP, from any thread: a part of the daemon cannot go on."""
        with contextlib.suppress(BlockingIOError):  # a full socket wakes the main thread too
            self._sender.send(_STOP_BYTE)

    def _close(self) -> None:
        self._receiver.close()
        self._sender.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while numbers := self._receiver.recv(256):
                for number in numbers:
                    if number == signal.SIGINT:
                        signal.signal(signal.SIGINT, signal.SIG_DFL)
                    if number == 0 or number in _STOP_SIGNALS:
                        self._pending.add(Request.STOP)
                    elif number == signal.SIGHUP:
                        self._pending.add(Request.RELOAD)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """The wake-up socket carries the signal; a handler must exist so that it does not end the process."""
