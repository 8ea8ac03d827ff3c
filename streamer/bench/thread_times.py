"""Processor time of this process by what its threads are for."""

import os
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: By the beginning of a thread's name in Python. What has none was begun by the networks' runtime, or by a decoder.
_PURPOSES: Final = {
    "decode-": "decoding",
    "camera-": "supervising",
    "inference": "looking",
    "judge": "judging",
    "mqtt": "publishing",
    "status": "telling",
    "supervisor": "supervising",
    "MainThread": "main",
}
UNNAMED: Final = "networks"


def processor_s_by_purpose() -> Mapping[str, float]:
    """Seconds of processor time so far, by purpose, of the threads that live now; resolved to hundredths."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    seconds: defaultdict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        try:
            fields = (task / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        seconds[_purpose(names.get(int(task.name)))] += (int(fields[11]) + int(fields[12])) * tick_s
    return seconds


def _purpose(name: str | None) -> str:
    if name is None:
        return UNNAMED
    return next((purpose for begin, purpose in _PURPOSES.items() if name.startswith(begin)), name)
