"""What other processes take of the machine while something is measured, and how hard they compete for it."""

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: Seconds between two looks at all threads of the machine.
SAMPLED_EVERY_S: Final = 1.0

#: By so much a thread's weight grows with each step of niceness less (Linux, ``sched_prio_to_weight``).
_WEIGHT_A_STEP: Final = 1.25


@dataclass(slots=True)
class Others:
    """What they took.

    - ``share``: of all cores that went to processes that are neither this one nor those it started and waited for.
    - ``rivals``: each ``SAMPLED_EVERY_S``, threads of others that wanted a core, weighed by their niceness beside ours:
      1 takes as much of a full machine as a thread of ours. Empty unless it was asked for.
    """

    share: float = 0.0
    rivals: list[float] = field(default_factory=list)

    @property
    def mean_rivals(self) -> float:
        """Over the whole time."""
        return statistics.fmean(self.rivals) if self.rivals else 0.0


@contextmanager
def watched_others(*, rivals: bool = False) -> Iterator[Others]:
    """Fills in the share when the block ends, and meanwhile the rivals. A process that was begun in it counts as ours
    only if it ended too; of rivals all that descend from this one are ours.
    """
    others, stop = Others(), threading.Event()
    watcher = threading.Thread(target=_sample, args=(others.rivals, stop), daemon=True)
    if rivals:
        watcher.start()
    began_s, all_before, own_before = time.monotonic(), _all_s(), _own_s()
    try:
        yield others
    finally:
        cores = os.cpu_count() or 1
        passed_s = max(1e-6, time.monotonic() - began_s) * cores
        foreign_s = (_all_s() - all_before) - (_own_s() - own_before)
        others.share = min(1.0, max(0.0, foreign_s / passed_s))
        stop.set()
        if rivals:
            watcher.join()


def _sample(rivals: list[float], stop: threading.Event) -> None:
    while not stop.wait(SAMPLED_EVERY_S):
        rivals.append(round(rivals_now(), 3))


def rivals_now() -> float:
    """Threads of others that want a core at this moment, weighed beside ours."""
    own_nice = os.nice(0)
    running = running_others(own=os.getpid())
    return sum(_WEIGHT_A_STEP ** (own_nice - nice) for many in running.values() for nice in many)


def running_others(*, own: int) -> dict[int, list[int]]:
    """By process the niceness of its threads that want a core now, of all that do not descend from process ``own``."""
    parents: dict[int, int] = {}
    running: dict[int, list[int]] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            for state, parent, nice in _threads(process):
                parents.setdefault(int(process.name), parent)
                if state == "R":
                    running.setdefault(int(process.name), []).append(nice)
    return {pid: many for pid, many in running.items() if not _descends(pid, own, parents)}


def _threads(process: Path) -> Iterator[tuple[str, int, int]]:
    """State, parent and niceness of a process' threads, its main one first; none where it has just ended."""
    try:
        for task in sorted((process / "task").iterdir(), key=lambda task: task.name != process.name):
            fields = (task / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            yield fields[0], int(fields[1]), int(fields[16])
    except OSError:
        return


def _descends(pid: int, own: int, parents: dict[int, int]) -> bool:
    seen = set()
    while pid not in seen and pid > 1:
        if pid == own:
            return True
        seen.add(pid)
        pid = parents.get(pid, 0)
    return False


def _all_s() -> float:
    """Busy seconds of all cores so far: user, nice, system, interrupts, and what the host took for others."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
