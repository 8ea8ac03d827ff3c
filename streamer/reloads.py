"""Settings read anew: who asks for it waits for what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """``error`` None: the settings of the file are in force."""

    error: str | None


class Reloads:
    """Between whoever asks and the thread that reloads. ``request`` asks that thread and returns at once."""

    def __init__(self, request: Callable[[], None]) -> None:
        self._request = request
        self._changed = Condition()
        self._begun = 0
        self._ended = 0
        self._error: str | None = None

    def began(self) -> None:
        """The file is about to be read."""
        with self._changed:
            self._begun += 1

    def ended(self, error: str | None) -> None:
        """What was begun has an outcome."""
        with self._changed:
            self._ended = self._begun
            self._error = error
            self._changed.notify_all()

    def ask(self, timeout_s: float) -> ReloadOutcome | None:
        """Have the file read after this moment, and wait; None: that took longer."""
        with self._changed:
            # one that has begun may have read the file already
            wanted = self._begun + 1
        self._request()
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended >= wanted, timeout_s):
                return None
            return ReloadOutcome(self._error)
