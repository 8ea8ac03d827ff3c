"""The machine's clock is set while the daemon runs; its monotonic clock is not."""

import os
from pathlib import Path

from faults.registry import Size, fault
from faults.rig import FaultRig


def _library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def no_faketime() -> str | None:
    """Why the clock cannot be set for one process here, or None."""
    return None if _library() is not None else "needs libfaketime"


@fault("clock set an hour back and forward", full=Size(6, 160), short=Size(2, 8), needs=no_faketime)
def clock_set(rig: FaultRig, *, times: int, seed: int) -> None:
    """libfaketime gives the process another time of day, by turns an hour behind and right again, then ahead."""
    if rig.daemon is not None:
        rig.stop_daemon()
    offset = rig.folder / "clock"
    offset.write_text("+0\n")
    rig.environ |= {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    rig.clock_is_steady = False
    rig.start_daemon()
    for number in range(times):
        rig.wait_stored(rig.share(times))
        new = offset.with_suffix(".new")
        new.write_text(("-3600\n", "+0\n", "+3600\n", "+0\n")[number % 4])
        os.replace(new, offset)
        rig.injected += 1
    rig.wait_stored(rig.share(times))
