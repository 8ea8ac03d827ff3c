"""A disk without room."""

import os
import resource
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from faults.registry import Size, fault
from faults.rig import FaultRig

_DISK = "size=4m"
#: No file may grow beyond it, the journal of the outbox among them.
_MOST_BYTES = 8192


@cache
def cannot_mount() -> str | None:
    """Why no small file system can be mounted here, or None."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", _DISK, "tmpfs", folder], capture_output=True, check=False
        )
        if done.returncode:
            return "needs the right to mount a file system"
        subprocess.run(["umount", folder], check=True)
    return None


@fault("disk full", full=Size(4, 160), short=Size(2, 10), needs=cannot_mount)
def disk_full(rig: FaultRig, *, times: int, seed: int) -> None:
    """The state's file system has no room left, by turns with a broker that takes alerts and with one that is away."""
    if rig.daemon is not None:
        rig.stop_daemon()
    rig.state_dir.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", _DISK, "tmpfs", str(rig.state_dir)], check=True)
    rig.exit.callback(subprocess.run, ["umount", "-l", str(rig.state_dir)], check=True)
    rig.start_daemon()
    ballast = rig.state_dir / "ballast"
    for number in range(times):
        rig.wait_stored(2)
        away = number % 2 == 1
        if away:
            rig.broker.stop()
        _take_all_room(ballast)
        rig.injected += 1
        wanted = rig.raised() + rig.share(times)
        rig.wait_until(
            lambda wanted=wanted: _raised_on(ballast, rig) >= wanted, "alerts while the disk is full"
        )
        ballast.unlink()
        if away:
            rig.broker.start()
        rig.wait_until(lambda: not _held(rig), "room for what was held in memory")
        rig.wait_delivered()
    log = rig.log
    rig.notes.append(
        f"{log.count('alerts cannot be stored')} times alerts were held in memory, "
        f"{log.count('the disk is full')} times delivered history gave way"
    )


@fault("disk takes no more (file size limit)", full=Size(4, 120), short=Size(1, 10))
def file_size_limit(rig: FaultRig, *, times: int, seed: int) -> None:
    """No file of the daemon may grow (RLIMIT_FSIZE, set from outside): writing meets an error, not a full disk."""
    if rig.daemon is not None:
        rig.stop_daemon()
    rig.log_through_pipe()
    rig.start_daemon()
    for _ in range(times):
        rig.wait_stored(2)
        before = resource.prlimit(rig.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(rig.pid, resource.RLIMIT_FSIZE, (_MOST_BYTES, before[1]))
        rig.injected += 1
        wanted = rig.raised() + rig.share(times)
        rig.wait_until(lambda wanted=wanted: rig.raised() >= wanted, "alerts while nothing can be written")
        resource.prlimit(rig.pid, resource.RLIMIT_FSIZE, before)
        rig.wait_until(lambda: not _held(rig), "room for what was held in memory")
        rig.wait_delivered()
    rig.notes.append(f"{rig.log.count('alerts cannot be stored')} times alerts were held in memory")


def _raised_on(ballast: Path, rig: FaultRig) -> int:
    """What was raised so far. Somebody else takes the room that is left, and that which history has given way to."""
    _take_all_room(ballast)
    rig.stored()
    return rig.raised()


def _held(rig: FaultRig) -> bool:
    """Whether alerts wait in memory, by what the log said last."""
    log = rig.log
    return log.rfind("alerts cannot be stored") > log.rfind("the outbox takes alerts again")


def _take_all_room(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        size = 65536
        while size:
            try:
                os.write(file.fileno(), bytes(size))
            except OSError:
                size //= 2
