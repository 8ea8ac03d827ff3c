"""How a command that started other processes ends."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.commands import ExitCode


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block in order, as Ctrl-C does: no daemon and no broker outlives it."""
    before = signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(ExitCode.FAILED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
