"""The story of one episode while it is written."""

from collections.abc import Callable
from typing import Final

from rules.violations import TraceEntry

#: A trace keeps its beginning and its end; what lies between is dropped, and the gap is told.
KEPT_FIRST: Final = 24
KEPT_LAST: Final = 24


class Trace:
    """Entries with times on the camera's timeline; they become wall time when they are told."""

    def __init__(self, entries: list[tuple[float, str, str]] | None = None, left_out: int = 0) -> None:
        self._entries = list(entries or [])
        self._left_out = left_out

    def add(self, t: float, event: str, detail: str) -> None:
        """Append an entry."""
        self._entries.append((t, event, detail))
        if len(self._entries) > KEPT_FIRST + KEPT_LAST:
            del self._entries[KEPT_FIRST]
            self._left_out += 1

    def extend(self, other: "Trace") -> None:
        """Append the entries of another trace."""
        for entry in other.entries:
            self.add(*entry)
        self._left_out += other.left_out

    @property
    def entries(self) -> tuple[tuple[float, str, str], ...]:
        """Time, event and detail, oldest first."""
        return tuple(self._entries)

    @property
    def left_out(self) -> int:
        """How many entries were dropped after the first ``KEPT_FIRST``."""
        return self._left_out

    def told(self, wall: Callable[[float], float]) -> tuple[TraceEntry, ...]:
        """The entries in wall time."""
        entries = [TraceEntry(wall(t), event, detail) for t, event, detail in self._entries]
        if self._left_out:
            after = entries[KEPT_FIRST - 1]
            entries.insert(KEPT_FIRST, TraceEntry(after.at, "left_out", f"{self._left_out} entries"))
        return tuple(entries)
