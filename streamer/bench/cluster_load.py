"""One stretch of work under a given load, on a cluster of this machine or in one process: each in a process of its own.

``python -m streamer.bench.cluster_load single|cluster LOAD`` prints an ``Outcome`` as JSON; ``LOAD`` is the JSON of a
``ClusterLoad``. Both sides are the whole daemon; looks and their latencies are what it tells itself.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from config import SiteSettings, load_site
from models.runtime.memory import keep_no_large_blocks
from streamer.app import Daemon
from streamer.bench.sites import write_site
from streamer.inference.batcher import BatcherSnapshot

Side = Literal["single", "cluster"]

_FIRST_LOOKS_WITHIN_S: Final = 300.0
#: Rates are taken between reports, which come twice a second.
_REPORTED_S: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLoad:
    """Cameras that loop ``clip``, each looked at ``fps`` times a second by ``models``, for ``seconds``.

    ``inference``: parts that run the models, each with ``cores_each`` threads; the cluster's side alone.
    """

    clip: str
    cameras: int
    fps: float
    models: tuple[str, ...]
    seconds: float
    broker_port: int
    inference: int = 2
    cores_each: float = 1.0
    input_size_px: int | None = None
    settle_s: float = 3.0


#: Looks a second of each camera while what runs anyhow is measured.
_IDLE_FPS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. ``idle_...``: the same while almost nothing is looked at, over ``idle_seconds``.

    ``processor_s``: of all processes in the counted seconds, by what they are for (``all`` of them together).
    ``latency_p50_s``, ``latency_p95_s``: from a frame's arrival to its detections, medians of the cameras.
    """

    seconds: float
    looks: int
    looks_per_s: float
    processor_s: dict[str, float]
    latency_p50_s: float
    latency_p95_s: float
    idle_seconds: float
    idle_looks: int
    idle_processor_s: dict[str, float]

    @property
    def processor_ms_a_look(self) -> float:
        """Everything that all processes did, by the looks."""
        return 1000 * self.processor_s["all"] / max(1, self.looks)

    @property
    def further_look_ms(self) -> float:
        """Processor time that one more look takes: the difference between work and idling, by that of the looks."""
        more_s = self.processor_s["all"] / self.seconds - self.idle_processor_s["all"] / self.idle_seconds
        more_looks = self.looks_per_s - self.idle_looks / self.idle_seconds
        return 1000 * more_s / max(0.1, more_looks)

    @property
    def standing_cores(self) -> float:
        """Cores that are busy without any look."""
        idle = self.idle_processor_s["all"] - self.idle_looks * self.further_look_ms / 1000
        return max(0.0, idle / self.idle_seconds)

    def looks_per_s_of(self, cores: float) -> float:
        """Looks a second that so many cores give once they are full: what stands is taken off first."""
        return 1000 * max(0.0, cores - self.standing_cores) / self.further_look_ms


def run_apart(side: Side, load: ClusterLoad) -> Outcome:
    """Run ``side`` in a process of its own. Raises ``subprocess.CalledProcessError``."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, side, json.dumps(asdict(load))],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def run_side(side: Side, load: ClusterLoad) -> Outcome:
    """One side, in this process and those that it starts."""
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        site = _site(Path(folder), load)
        daemon = _daemon(site, side)
        daemon.start()
        try:
            _wait_for_looks(daemon, load)
            busy = _stretch(daemon, load)
            cameras = daemon.looks().cameras
            daemon.reload(_site(Path(folder), replace(load, fps=_IDLE_FPS)))
            idle = _stretch(daemon, load)
        finally:
            daemon.stop()
    return Outcome(
        seconds=busy.seconds,
        looks=busy.looks,
        looks_per_s=round(busy.looks / busy.seconds, 3),
        processor_s=busy.processor_s,
        latency_p50_s=statistics.median(look.latency_p50_s or 0.0 for look in cameras),
        latency_p95_s=statistics.median(look.latency_p95_s or 0.0 for look in cameras),
        idle_seconds=idle.seconds,
        idle_looks=idle.looks,
        idle_processor_s=idle.processor_s,
    )


@dataclass(frozen=True, slots=True)
class _Stretch:
    seconds: float
    looks: int
    processor_s: dict[str, float]


def _site(folder: Path, load: ClusterLoad) -> SiteSettings:
    path = write_site(
        folder,
        [Path(load.clip)] * load.cameras,
        broker_port=load.broker_port,
        fps=load.fps,
        models=load.models,
        camera={} if load.input_size_px is None else {"input_size": load.input_size_px},
    )
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["cluster"] = {
        "ingest": 1,
        "inference": load.inference,
        "rules": 1,
        "inference_cores": load.cores_each,
        # what a busy machine delays is slow here, not gone
        "lost_after": 30,
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_site(path)


def _daemon(site: SiteSettings, side: Side) -> Daemon:
    if side == "single":
        return Daemon(site)
    from streamer.cluster.making import cluster_watch  # noqa: PLC0415 - Ray, which the other side does not load

    return Daemon(site, watch=cluster_watch(site, "local", cores=64))


def _wait_for_looks(daemon: Daemon, load: ClusterLoad) -> None:
    end_s = time.monotonic() + _FIRST_LOOKS_WITHIN_S
    while not _all_are_looked_at(daemon.looks(), load.cameras) or not _all_parts_look(daemon, load):
        if time.monotonic() > end_s:
            raise TimeoutError(f"not every camera was looked at within {_FIRST_LOOKS_WITHIN_S:g} s")
        time.sleep(0.1)


def _stretch(daemon: Daemon, load: ClusterLoad) -> _Stretch:
    """The looks and the processor time of ``load.seconds``, once things have settled."""
    time.sleep(load.settle_s)
    looks, began_s = _settled_count(daemon)
    processor = _processor_s(daemon)
    time.sleep(load.seconds)
    looks_after, ended_s = _settled_count(daemon)
    took = {name: seconds - processor.get(name, 0.0) for name, seconds in _processor_s(daemon).items()}
    return _Stretch(
        round(ended_s - began_s, 3),
        looks_after - looks,
        {name: round(seconds, 3) for name, seconds in took.items()},
    )


def _settled_count(daemon: Daemon) -> tuple[int, float]:
    """Looks so far and when that was so: at the moment at which another report has come."""
    before = _count(daemon.looks())
    end_s = time.monotonic() + _REPORTED_S
    while (now := _count(daemon.looks())) == before and time.monotonic() < end_s:
        time.sleep(0.005)
    return now, time.monotonic()


def _count(snapshot: BatcherSnapshot) -> int:
    return sum(look.analysed for look in snapshot.cameras)


def _all_are_looked_at(snapshot: BatcherSnapshot, cameras: int) -> bool:
    return len(snapshot.cameras) == cameras and all(look.analysed > 2 for look in snapshot.cameras)


def _all_parts_look(daemon: Daemon, load: ClusterLoad) -> bool:
    parts: Mapping[str, Any] = daemon.watch_stats().get("cluster", {})
    looking = [part for name, part in parts.items() if name.startswith("inference")]
    return not parts or sum(part["ready"] and part["cameras"] > 0 for part in looking) == load.inference


def _processor_s(daemon: Daemon) -> dict[str, float]:
    """Processor time so far by what processes are for: the head, the parts by kind, and Ray's own."""
    parts: Mapping[str, Any] = daemon.watch_stats().get("cluster", {})
    kinds = {part["pid"]: name.rpartition("-")[0] for name, part in parts.items()}
    seconds: defaultdict[str, float] = defaultdict(float)
    for pid, own_s in family_s(os.getpid()):
        seconds["head" if pid == os.getpid() else kinds.get(pid, "ray")] += own_s
    seconds["all"] = sum(seconds.values())
    return dict(seconds)


def family_s(pid: int) -> Iterable[tuple[int, float]]:
    """This process and all that descend from it, each with its processor time."""
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    stats: dict[int, tuple[int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        stats[int(path.parent.name)] = int(fields[1]), (int(fields[11]) + int(fields[12])) * tick_s
    family = [pid]
    for member in family:
        family += [child for child, (parent, _) in stats.items() if parent == member]
    return [(member, stats[member][1]) for member in family if member in stats]


if __name__ == "__main__":
    _side, _load = sys.argv[1:]
    keep_no_large_blocks()  # as `ppewatch run` does
    print(
        json.dumps(
            asdict(run_side("cluster" if _side == "cluster" else "single", ClusterLoad(**json.loads(_load))))
        )
    )
