"""Sudden death: of the daemon, and of the power."""

import os
import random
import shutil
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path

from faults.registry import Size, fault
from faults.rig import FaultRig, StuckError

from streamer.soak.ledger import compare


@fault("daemon killed (SIGKILL)", full=Size(50, 300), short=Size(2, 8))
def daemon_killed(rig: FaultRig, *, times: int, seed: int) -> None:
    """At random moments: by turns while alerts flow, in a picture's write, in a transaction; some while it starts."""
    chance = random.Random(seed)
    half_pictures = half_transactions = starting = 0
    for number in range(times):
        if number % 10 == 9:
            rig.start_daemon(wait=False)
            time.sleep(chance.uniform(0.0, 4.0))
            starting += 1
        else:
            rig.start_daemon()
            rig.wait_stored(2)
            _wait_for_moment(rig, number % 3, chance)
        os.kill(rig.pid, signal.SIGKILL)
        rig.kill_daemon()
        rig.injected += 1
        half_pictures += any(rig.state_dir.glob("snapshots/*/.*.part"))
        half_transactions += unfinished_frames(rig.state_dir / "outbox.sqlite3-wal") > 0
    rig.notes.append(
        f"{half_pictures} kills left a picture half written, {half_transactions} an unfinished transaction in the "
        f"journal, {starting} came while the daemon was starting"
    )


@fault("database without its end (power cut)", full=Size(12, 120), short=Size(1, 8))
def database_cut(rig: FaultRig, *, times: int, seed: int) -> None:
    """Copies of the state, with random ends of journal and database cut off or torn, each with a daemon of its own."""
    chance = random.Random(seed)
    rig.start_daemon()
    rig.wait_delivered()
    rig.broker.stop()
    # some of it delivered, most of it not
    rig.wait_stored(rig.alerts)
    rig.kill_daemon()
    rig.stored()
    rig.broker.start()
    told = 0
    for number in range(times):
        folder = rig.folder / f"cut{number}"
        shutil.copytree(rig.state_dir, folder / "state")
        what = cut_off(folder / "state", chance)
        rig.injected += 1
        told += _try_copy(rig, folder, what)
    rig.notes.append(f"{told} of {times} copies had lost messages and said so")


def _wait_for_moment(rig: FaultRig, kind: int, chance: random.Random) -> None:
    """0: any time; 1: a picture is being written; 2: the journal has just been written to."""
    journal = rig.state_dir / "outbox.sqlite3-wal"
    if kind == 0:
        time.sleep(chance.uniform(0.0, 1.5))
    elif kind == 1:
        _spin(lambda: any(rig.state_dir.glob("snapshots/*/.*.part")))
    else:
        before = journal.stat().st_mtime_ns
        _spin(lambda: journal.stat().st_mtime_ns != before)


def _spin(condition: Callable[[], bool], at_most_s: float = 20.0) -> None:
    """Look as often as possible: what is waited for lasts a millisecond."""
    end_s = time.monotonic() + at_most_s
    while not condition() and time.monotonic() < end_s:
        time.sleep(0)


def unfinished_frames(journal: Path) -> int:
    """Pages at the end of a write-ahead log that belong to no committed transaction (sqlite.org/fileformat2, 4)."""
    data = journal.read_bytes() if journal.exists() else b""
    if len(data) < 32:
        return 0
    page_size, salts = struct.unpack_from(">I", data, 8)[0], data[16:24]
    unfinished = 0
    for begin in range(32, len(data) - 24 - page_size + 1, 24 + page_size):
        if data[begin + 8 : begin + 16] != salts:
            break
        commits = struct.unpack_from(">I", data, begin + 4)[0] != 0
        unfinished = 0 if commits else unfinished + 1
    return unfinished


def cut_off(state: Path, chance: random.Random) -> str:
    """Take a random part from the end of the journal, of the database or of both, or tear it; what was done."""
    done = []
    for suffix in chance.choice((["-wal"], ["-wal"], [""], ["-wal", ""])):
        path = state / f"outbox.sqlite3{suffix}"
        size = path.stat().st_size
        keep = chance.choice((0, chance.randrange(size + 1), max(0, size - chance.randrange(1, 9000))))
        torn = chance.choice((b"", bytes(512), chance.randbytes(512)))
        with path.open("r+b") as file:
            file.truncate(keep)
            file.seek(max(0, keep - 256))
            file.write(torn[: size - max(0, keep - 256)])
        done.append(f"{path.name} {keep} of {size} bytes")
    return ", ".join(done)


def _try_copy(rig: FaultRig, folder: Path, what: str) -> bool:
    """Run the daemon on a copy and compare what a subscriber gets with the whole outbox; whether a loss was told."""
    with FaultRig(folder) as copy:
        copy.ledger.entries = dict(rig.ledger.entries)
        try:
            copy.start_daemon()
            copy.stop_daemon()
            copy.stored()
            while copy.ledger.pending:
                copy.start_daemon()
                copy.stop_daemon()
                copy.stored()
        except StuckError as stuck:
            copy.problems.append(str(stuck))
        copy.ledger.read(whole=True)
        copy.witness.wait_for(lambda: copy.witness.has({copy.ledger.last_seq}), 10.0)
        counts = compare(copy.ledger, copy.witness.alerts, log=copy.log, above_seq=rig.delivered_seq)
        rig.others.append(counts)
        rig.problems += [f"{what}: {problem}" for problem in copy.problems]
        if not counts.clean:
            rig.problems.append(f"{what}: {counts}")
    return counts.dropped > 0
