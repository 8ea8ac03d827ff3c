"""How busy this machine is, for the system page; a cluster's other machines tell theirs to Ray."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MEMINFO: Final = Path("/proc/meminfo")
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLoad:
    """``load`` is how many processes ran or waited to, on the average of the last minute, beside ``processors``; memory
    is in bytes, ``own_bytes`` what the daemon holds of it. None: the system does not tell.
    """

    processors: int
    load: float | None = None
    own_bytes: int | None = None
    free_bytes: int | None = None
    total_bytes: int | None = None


def machine_load() -> MachineLoad:
    """As it is now. Reads two small files of the kernel."""
    try:
        load = os.getloadavg()[0]
    except OSError:
        load = None
    memory, own = _sizes(_MEMINFO), _sizes(_STATUS)
    return MachineLoad(
        processors=len(os.sched_getaffinity(0)),
        load=load,
        own_bytes=own.get("VmRSS"),
        free_bytes=memory.get("MemAvailable"),
        total_bytes=memory.get("MemTotal"),
    )


def _sizes(path: Path) -> dict[str, int]:
    """The lines ``Name: 123 kB`` of a file in bytes; none where it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    return {word[0].rstrip(":"): 1024 * int(word[1]) for word in words if len(word) == 3 and word[2] == "kB"}
