"""Whether the daemon's memory grows while it runs for long."""

import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from streamer.bench.broker import bench_broker
from streamer.bench.daemon_child import DaemonChild, Memory
from streamer.bench.figures import spread
from streamer.bench.sites import MANY_DWELLS_S, write_site
from streamer.bench.trend import trend

#: A trend over less than this says nothing about an hour.
_LEAST_FOR_TREND_S: Final = 1800.0
#: What counts as flat; the slope has to be within it, or beyond it, by two standard errors.
_FLAT_MB_PER_HOUR: Final = 1.0
_COURSE_PARTS: Final = 12


def follow_memory(
    clips: Sequence[Path],
    *,
    models: Collection[str],
    seconds: float,
    fps: float = 1.0,
    settle_s: float = 300.0,
    every_s: float = 10.0,
    tell: Callable[[str], None] = lambda _text: None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run one daemon with a camera for each of ``clips`` and see whether its memory grows.

    After READY and ``settle_s`` it is read each ``every_s`` for ``seconds``; the slope in MB an hour is that of the
    least squares line through the lowest reading of each minute. ``tell`` gets each reading for people to follow.
    """
    at_s: list[float] = []
    samples: list[Memory] = []
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder, bench_broker() as (_, port):
        site = write_site(
            Path(folder), clips, broker_port=port, fps=fps, models=models, dwells_s=MANY_DWELLS_S
        )
        with DaemonChild(site, environ=environ) as daemon:
            ready_s = daemon.start()
            at_ready = daemon.memory()
            begun_s = time.monotonic()
            due_s = begun_s
            while time.monotonic() < begun_s + settle_s + seconds:
                due_s += every_s
                time.sleep(max(0.0, due_s - time.monotonic()))
                at_s.append(time.monotonic() - begun_s)
                samples.append(daemon.memory())
                tell(
                    f"{at_s[-1]:7.0f} s  {samples[-1].rss_mb:8.1f} MB, {samples[-1].anonymous_mb:8.1f} MB its own"
                )
            alerts, processor_s = daemon.alerts(), daemon.processor_s()
    counted = [index for index, at in enumerate(at_s) if at >= settle_s]
    hours = [(at_s[index] - settle_s) / 3600 for index in counted]
    figures: dict[str, Any] = {
        "clips": " ".join(clip.name for clip in clips),
        "models": " ".join(sorted(models)),
        "cameras": len(clips),
        "fps_wanted": fps,
        "ready_s": round(ready_s, 2),
        "rss_at_ready_mb": round(at_ready.rss_mb, 1),
        "settled_after_s": settle_s,
        "followed_s": seconds,
        "alerts": alerts,
        "processor_share": round(processor_s / at_s[-1], 2),
    }
    for name in ("rss_mb", "pss_mb", "anonymous_mb"):
        values = [float(getattr(samples[index], name)) for index in counted]
        figures[name] = spread(values, digits=1)
        figures[f"course_of_{name}"] = [
            round(float(np.median(part)), 2)
            for part in np.array_split(np.array(values), min(_COURSE_PARTS, len(values)))
        ]
        figures[f"growth_of_{name}_per_hour"] = growth(*lows(hours, values))
    figures["peak_memory_mb"] = round(max(one.rss_mb for one in samples), 1)
    return figures


def lows(hours: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The lowest of each minute, and when it was: what is held between looks, without pictures that are just there."""
    lowest: dict[int, tuple[float, float]] = {}
    for hour, value in zip(hours, values, strict=True):
        minute = int(hour * 60)
        lowest[minute] = min(lowest.get(minute, (value, hour)), (value, hour))
    return [hour for _, hour in lowest.values()], [value for value, _ in lowest.values()]


def growth(hours: Sequence[float], values: Sequence[float]) -> dict[str, Any]:
    """The slope in MB an hour of ``values`` over ``hours``, its standard error, and what that allows to say."""
    if len(values) < 3:
        return {"verdict": "too short to tell"}
    line = trend(hours, values)
    doubt = 2 * line.standard_error
    if (hours[-1] - hours[0]) * 3600 < 0.98 * _LEAST_FOR_TREND_S or (
        abs(line.slope) - doubt < _FLAT_MB_PER_HOUR < abs(line.slope) + doubt
    ):
        verdict = "too short to tell"
    elif abs(line.slope) < _FLAT_MB_PER_HOUR:
        verdict = "flat"
    else:
        verdict = "grows" if line.slope > 0 else "shrinks"
    return {
        "slope": round(line.slope, 2),
        "standard_error": round(line.standard_error, 2),
        "verdict": verdict,
    }
