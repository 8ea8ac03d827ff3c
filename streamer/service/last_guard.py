"""Ends the process when nobody in it can: the supervisor hangs, or a library keeps the interpreter's lock for good."""

import faulthandler
import os
import sys
import time
from typing import Final

#: The supervisor looks every second; three times what a stage gets.
GUARD_S: Final = 25.0

#: Renewing starts a thread in the interpreter each time.
_RENEW_EVERY_S: Final = 5.0


class LastGuard:
    """A timer of ``faulthandler``: a thread in C, which needs no lock of the interpreter's.

    Unless it is renewed for ``seconds`` (None: ``GUARD_S``) it writes the Python stacks of all threads (no values) to
    standard error and ends the process with exit code 1. The process has one such timer. Where standard error is full
    and nobody reads it, it is not waited for.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = GUARD_S if seconds is None else seconds
        self._renewed_s: float | None = None
        self._stderr = _unblocking_stderr()

    def renew(self) -> None:
        """All is well: count anew."""
        now_s = time.monotonic()
        if self._renewed_s is None or now_s - self._renewed_s >= min(_RENEW_EVERY_S, self._seconds / 4):
            self._renewed_s = now_s
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._stderr)

    def release(self) -> None:
        """Guard no longer."""
        faulthandler.cancel_dump_traceback_later()


def _unblocking_stderr() -> int:
    """Standard error opened anew, so that waiting for its reader is nobody else's matter; as it is where that cannot be
    done (a socket).
    """
    try:
        return os.open(
            "/proc/self/fd/2", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        )
    except OSError:
        return os.dup(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
