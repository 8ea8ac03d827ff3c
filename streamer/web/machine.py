"""How busy this machine is, for the system page; a cluster's other machines tell theirs to Ray."""

import os
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLoad:
    """``load`` is how many processes ran or waited to, on the average of the last minute, beside the ``processors``
    that the daemon may use; memory is in bytes, ``own_bytes`` what the daemon holds of it.
    """

    processors: int
    load: float
    own_bytes: int
    free_bytes: int
    total_bytes: int


def machine_load() -> MachineLoad:
    """As it is now."""
    memory = psutil.virtual_memory()
    return MachineLoad(
        processors=len(os.sched_getaffinity(0)),
        load=psutil.getloadavg()[0],
        own_bytes=psutil.Process().memory_info().rss,
        free_bytes=memory.available,
        total_bytes=memory.total,
    )
