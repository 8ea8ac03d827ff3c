"""How soon the daemon is ready, what memory it holds, and what each further camera adds.

The daemon is a process of its own, as systemd starts it, with cameras that loop a recording, alerts that flow to a
broker, and a state folder of its own. Its memory is read from the kernel's account; the floor is a process that holds
the same networks, prepared for the same size, and nothing else.
"""

import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from streamer.bench.broker import bench_broker
from streamer.bench.daemon_child import DaemonChild, Memory
from streamer.bench.figures import spread
from streamer.bench.held_networks import floor_mb
from streamer.bench.sites import write_site
from streamer.bench.trend import trend


def measure_memory(
    clip: Path,
    *,
    models: Collection[str],
    cameras: Sequence[int] = (1, 2, 4),
    fps: float = 5.0,
    settle_s: float = 20.0,
    repeats: int = 3,
) -> dict[str, Any]:
    """Start the daemon anew ``repeats`` times for each number of ``cameras`` that loop ``clip``; the figures.

    Medians with least and most: seconds to READY, MB resident then and after ``settle_s``, and MB that each further
    camera adds: a line through all runs, with its standard error.
    """
    ready_s: list[float] = []
    at_ready: dict[int, list[Memory]] = {count: [] for count in cameras}
    settled: dict[int, list[Memory]] = {count: [] for count in cameras}
    floors_mb: list[float] = []
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder, bench_broker() as (_, port):
        for run in range(repeats):
            floors_mb.append(floor_mb(models))
            for count in cameras:
                place = Path(folder) / f"{run}-{count}"
                place.mkdir()
                site = write_site(place, [clip] * count, broker_port=port, fps=fps, models=models)
                with DaemonChild(site) as daemon:
                    seconds = daemon.start()
                    at_ready[count].append(daemon.memory())
                    time.sleep(settle_s)
                    settled[count].append(_steady(daemon))
                if count == cameras[0]:
                    ready_s.append(seconds)
    first = cameras[0]
    figures: dict[str, Any] = {
        "clip": clip.name,
        "models": " ".join(sorted(models)),
        f"ready_s_with_{first}_cameras": spread(ready_s, digits=2),
        "floor_networks_alone_rss_mb": spread(floors_mb, digits=1),
    }
    for count in cameras:
        figures[f"{count}_cameras_rss_at_ready_mb"] = spread([m.rss_mb for m in at_ready[count]], digits=1)
        figures[f"{count}_cameras_rss_settled_mb"] = spread([m.rss_mb for m in settled[count]], digits=1)
        figures[f"{count}_cameras_pss_settled_mb"] = spread([m.pss_mb for m in settled[count]], digits=1)
    ratios = [one.rss_mb / floor for one, floor in zip(settled[first], floors_mb, strict=True)]
    figures["ratio_settled_to_floor"] = spread(ratios, digits=3)
    if len(cameras) > 1:
        pairs = [(count, one.rss_mb) for count in cameras for one in settled[count]]
        if len(pairs) > 2:
            line = trend([float(count) for count, _ in pairs], [rss for _, rss in pairs])
            figures["each_further_camera_mb"] = {
                "slope": round(line.slope, 1),
                "standard_error": round(line.standard_error, 1),
            }
    return figures


def _steady(daemon: DaemonChild) -> Memory:
    """The middle of five readings, a second apart."""
    readings = []
    for _ in range(5):
        readings.append(daemon.memory())
        time.sleep(1.0)
    return sorted(readings, key=lambda one: one.rss_mb)[2]
