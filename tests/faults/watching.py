"""What a fault does beside the alerts: to cameras' statuses, to the looks at the others, to what the process holds."""

import json
import os
import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any, Self

from faults.rig import FaultRig, StuckError

#: A status is told at once; a loaded machine may take so much longer than stated before it counts as late.
LENIENCE_S = 60.0
#: What a process may hold more after a fault than before: descriptors of the database's files come and go.
MORE_FDS = 3
MORE_MB = 64.0
#: And for each camera that goes on: its pictures lie elsewhere now, and what was theirs is not given back yet.
MORE_MB_A_CAMERA = 0.5

_EVERY_S = 0.25


def status_of(rig: FaultRig, camera: str) -> dict[str, Any]:
    """The retained status of a camera as it stands; empty before the first."""
    payload = rig.witness.states.get(f"cameras/{camera}/status", b"")
    told: dict[str, Any] = json.loads(payload) if payload else {}
    return told


def wait_status(
    rig: FaultRig,
    camera: str,
    states: str,
    *reasons: str,
    since_s: float | None = None,
    within_s: float = 60.0,
) -> float:
    """Wait until a camera's status says one of ``states``, with one of ``reasons`` where any are given; the seconds
    since ``since_s`` (monotonic; None: since now).
    """
    begun_s = time.monotonic() if since_s is None else since_s

    def is_told() -> bool:
        status = status_of(rig, camera)
        return status.get("state") in states.split() and (not reasons or status.get("reason") in reasons)

    if not rig.witness.wait_for(is_told, within_s):
        told = {name: status_of(rig, camera).get(name) for name in ("state", "reason", "detail")}
        raise StuckError(f"{camera} is not {states} {'/'.join(reasons)} within {within_s:.0f} s: {told}")
    return time.monotonic() - begun_s


def apply_site(rig: FaultRig) -> None:
    """Let the daemon go by ``rig.site``: start it, or reload it and wait until it says so."""
    if rig.daemon is None:
        rig.start_daemon()
        return
    before = rig.log.count(" reloaded: ")
    rig.write_site()
    os.kill(rig.pid, signal.SIGHUP)
    rig.wait_until(lambda: rig.log.count(" reloaded: ") > before, "the reload")


@contextmanager
def camera(rig: FaultRig, name: str, url: str, **settings: object) -> Iterator[str]:
    """A further camera for as long as the fault takes, looked for again after half a second at most."""
    rig.site["cameras"][name] = {
        "url": url,
        "fps": 4,
        "input_size": 256,
        "models": ["retinaface"],
        "reconnect": {"timeout": 5, "stall": 2, "initial": 0.2, "max": 1},
        **settings,
    }
    apply_site(rig)
    try:
        wait_status(rig, name, "online")
        yield name
    finally:
        del rig.site["cameras"][name]
        if rig.daemon is not None and rig.daemon.process.poll() is None:
            apply_site(rig)


def wait_alerts_of(rig: FaultRig, name: str, more: int = 1) -> None:
    """Wait until ``more`` messages of this camera have come than until now."""

    def count() -> int:
        return sum(told.camera == name for told in list(rig.witness.alerts))

    wanted = count() + more
    rig.wait_until(lambda: count() >= wanted, f"{more} messages of {name}")


@dataclass(frozen=True)
class Held:
    """What the process holds at one moment."""

    threads: int
    fds: int
    rss_mb: float

    @classmethod
    def now(cls, pid: int) -> Self:
        place = Path(f"/proc/{pid}")
        rss_kib = next(
            int(line.split()[1])
            for line in (place / "status").read_text().splitlines()
            if line.startswith("VmRSS")
        )
        return cls(len(list((place / "task").iterdir())), len(list((place / "fd").iterdir())), rss_kib / 1024)


class Watching:
    """A context manager around what a fault does to ``rig``'s daemon, which runs and is steady.

    ``others`` are the cameras that the fault is not about: their looks are counted, with and without ``fault()``.
    ``more_threads`` are those that the fault may add for good. On leaving, notes and problems of the row tell of looks,
    threads, descriptors and memory.
    """

    def __init__(self, rig: FaultRig, *, others: Collection[str], more_threads: int = 0) -> None:
        self._rig = rig
        self._more_threads = more_threads
        self._others = set(others)
        self._begun = Held.now(rig.pid)
        self._faulty = False
        self._rates: dict[bool, list[float]] = {False: [], True: []}
        self._told_s: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count_looks, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            self._report_looks()
            self._report_held()

    @contextmanager
    def fault(self) -> Iterator[None]:
        """While the fault is there; counted as one injection."""
        self._rig.injected += 1
        self._faulty = True
        try:
            yield
        finally:
            self._faulty = False

    def told_after(self, seconds: float, *, stated_s: float, what: str) -> None:
        """A status was told ``seconds`` after the fault began; the stated time is part of the row's problems if not."""
        self._told_s.append(seconds)
        if seconds > stated_s + LENIENCE_S:
            self._rig.problems.append(f"{what} was told after {seconds:.1f} s, not {stated_s:g} s")

    def _count_looks(self) -> None:
        before: tuple[float, dict[str, int], bool] | None = None
        payload = b""
        touched = False
        while not self._stop.wait(_EVERY_S):
            touched |= self._faulty
            told = self._rig.witness.states.get("stats", b"")
            if told == payload:
                continue
            payload = told
            stats = json.loads(told)
            counts = {
                name: account["analysed"]
                for name, account in stats["cameras"].items()
                if name in self._others
            }
            now_s = stats["uptime_s"]
            if before is not None and now_s - before[0] > 1.0 and counts.keys() == before[1].keys():
                looks = [(counts[name] - before[1][name]) / (now_s - before[0]) for name in counts]
                self._rates[touched] += looks
                touched = self._faulty
            before = (now_s, counts, touched)

    def _report_looks(self) -> None:
        # many cameras are looked at less than once between two readings
        told = {faulty: fmean(rates) for faulty, rates in self._rates.items() if rates}
        if True in told:
            beside = f", {told[False]:.2f} without" if False in told else ""
            self._rig.notes.append(f"looks a second at each other camera: {told[True]:.2f}{beside}")
        enough = all(len(rates) >= 4 * len(self._others) for rates in self._rates.values())
        if len(told) == 2 and enough and told[True] < 0.5 * told[False]:
            self._rig.problems.append(f"the other cameras were starved: {told}")
        if self._told_s:
            self._rig.notes.append(
                f"told after {median(self._told_s):.1f} s ({min(self._told_s):.1f} to {max(self._told_s):.1f})"
            )

    def _report_held(self) -> None:
        """What it holds once the fault is over: threads of connections that hang end at their own time limits."""
        begun, end_s = self._begun, time.monotonic() + 60.0
        while True:
            now = Held.now(self._rig.pid)
            if now.threads <= begun.threads + self._more_threads and now.fds <= begun.fds + MORE_FDS:
                break
            if time.monotonic() > end_s:
                self._rig.problems.append(f"it holds more than before: {begun} then, {now} now")
                break
            time.sleep(_EVERY_S)
        if now.rss_mb > begun.rss_mb + MORE_MB + MORE_MB_A_CAMERA * len(self._others):
            self._rig.problems.append(f"memory grew from {begun.rss_mb:.0f} to {now.rss_mb:.0f} MB")
        self._rig.notes.append(
            f"threads {begun.threads} to {now.threads}, descriptors {begun.fds} to {now.fds},"
            f" memory {begun.rss_mb:.0f} to {now.rss_mb:.0f} MB"
        )
