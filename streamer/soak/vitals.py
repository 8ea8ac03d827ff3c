"""What a process holds over hours: memory, open files, threads; and whether any of it grows."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streamer.bench.daemon_child import memory_of
from streamer.bench.memory_growth import growth, lows

#: Files and threads that come and go: a reconnect, a command, a look at the page.
_SPARE: Final = {"files": 4, "threads": 2}
#: Of less than this nothing can be said.
_LEAST_READINGS: Final = 9


@dataclass(frozen=True, slots=True)
class Vitals:
    """A process at ``at_s`` of some clock: MB resident and of its own, open files, threads."""

    at_s: float
    rss_mb: float
    anonymous_mb: float
    files: int
    threads: int


def vitals_of(pid: int, at_s: float) -> Vitals:
    """Read from /proc. Raises ``OSError`` when the process is gone."""
    memory = memory_of(pid)
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (threads,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
    return Vitals(at_s, memory.rss_mb, memory.anonymous_mb, len(os.listdir(f"/proc/{pid}/fd")), threads)


def judge(readings: Sequence[Vitals]) -> dict[str, Any]:
    """What grows, by name, with the figures that say so; ``verdict`` is that of ``memory_growth`` for all three.

    Memory: the slope through the lowest reading of each minute. Files and threads: the middle of the last third of the
    readings beside that of the first; they may come and go by a few.
    """
    found: dict[str, Any] = {}
    hours = [(one.at_s - readings[0].at_s) / 3600 for one in readings]
    for name in ("rss_mb", "anonymous_mb"):
        values = [float(getattr(one, name)) for one in readings]
        found[name] = {"last": values[-1] if values else None, **growth(*lows(hours, values))}
    third = len(readings) // 3
    for name, spare in _SPARE.items():
        counts = [int(getattr(one, name)) for one in readings]
        if len(counts) < _LEAST_READINGS:
            found[name] = {"verdict": "too short to tell"}
            continue
        first, last = statistics.median(counts[:third]), statistics.median(counts[-third:])
        verdict = "grows" if last > first + spare else "flat"
        found[name] = {"first_third": first, "last_third": last, "most": max(counts), "verdict": verdict}
    return found


def growing(judged: dict[str, Any]) -> list[str]:
    """The names of what grows."""
    return [name for name, figures in judged.items() if figures["verdict"] == "grows"]
