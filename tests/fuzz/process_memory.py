"""What a process holds and has open, from /proc."""

import os
from pathlib import Path

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def held_mb(pid: int | None = None) -> float:
    """Resident memory of a process; of this one by default."""
    return int(_of(pid, "statm").read_text().split()[1]) * _PAGE_MB


def forget_peak() -> None:
    """Begin to measure ``peak_mb`` of this process anew."""
    _of(None, "clear_refs").write_text("5")


def peak_mb() -> float:
    """The most resident memory of this process since ``forget_peak``."""
    for line in _of(None, "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1.024e-3
    return 0.0


def open_files(pid: int | None = None) -> int:
    """File descriptors that are open."""
    return len(os.listdir(_of(pid, "fd")))


def _of(pid: int | None, name: str) -> Path:
    return Path("/proc") / ("self" if pid is None else str(pid)) / name
