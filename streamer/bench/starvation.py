"""Many cameras with both models: whether one starves, and how long a frame waits for its verdict."""

import statistics
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from streamer.bench.broker import bench_broker
from streamer.bench.figures import percentiles_ms, spread
from streamer.bench.load import Load, Outcome, run_apart

#: More looks a second of each camera than any of them gets, to learn what the machine could do.
_WANTED_FPS: Final = 25.0


def measure_starvation(
    clip: Path,
    *,
    models: Collection[str],
    cameras: int = 16,
    fps: float = 1.0,
    input_size_px: int = 640,
    seconds: float = 30.0,
    repeats: int = 3,
    settle_s: float = 3.0,
) -> dict[str, Any]:
    """Run ``cameras`` at ``fps``, and half of them, ``repeats`` times each, and the floor; the figures.

    ``looks_per_s_of_a_camera``: of each camera in each run. ``latency``: of all looks of all runs, from the frame's
    arrival to the verdict of the rules; ``own_p95`` is the daemon's own figure, to the detections, the worst camera's.
    ``least_share`` is what the worst camera got of what it asked for. The floor looks at the same cameras as fast as it
    can; ``floor_share`` is the part of that which is asked for.
    """
    runs: dict[str, list[Outcome]] = {"full": [], "half": [], "floor": []}
    with bench_broker() as (broker, port):
        load = Load(
            clip=str(clip.resolve()),
            cameras=cameras,
            fps=fps,
            models=tuple(sorted(models)),
            seconds=seconds,
            broker_port=port,
            settle_s=settle_s,
            input_size_px=input_size_px,
        )
        for _ in range(repeats):
            runs["floor"].append(run_apart("floor", replace(load, fps=_WANTED_FPS, seconds=seconds / 2)))
            runs["full"].append(run_apart("daemon", load))
            runs["half"].append(run_apart("daemon", replace(load, cameras=max(1, cameras // 2))))
    possible = statistics.median(one.looks_per_s for one in runs["floor"])
    figures: dict[str, Any] = {
        "clip": clip.name,
        "models": " ".join(sorted(models)),
        "cameras": cameras,
        "fps_wanted": fps,
        "input_size_px": input_size_px,
        "broker": broker,
        "floor_looks_per_s": spread([one.looks_per_s for one in runs["floor"]], digits=2),
    }
    for name in ("full", "half"):
        figures |= {
            f"{name}_load_{key}": value
            for key, value in _figures_of(runs[name], fps=fps, possible_per_s=possible).items()
        }
    figures["peak_memory_mb"] = max(one.peak_memory_mb for many in runs.values() for one in many)
    return figures


def _figures_of(outcomes: Sequence[Outcome], *, fps: float, possible_per_s: float) -> dict[str, Any]:
    rates = [looks / one.seconds for one in outcomes for looks in one.looks]
    worst = [min(one.looks) / one.seconds / fps for one in outcomes]
    p95_ms = [percentiles_ms(one.latencies_s)["p95_ms"] for one in outcomes]
    look_ms = 1000 / possible_per_s
    return {
        "looks_per_s_of_a_camera": spread(rates, digits=2),
        "least_share": spread(worst, digits=2),
        "missed_looks": sum(sum(one.missed_looks) for one in outcomes),
        "load": spread([one.load for one in outcomes], digits=2),
        "floor_share": round(fps * len(outcomes[0].looks) / possible_per_s, 2),
        "latency": percentiles_ms([second for one in outcomes for second in one.latencies_s]),
        "p95_ms": spread(p95_ms, digits=0),
        "own_p95_ms": spread([1000 * max(one.own_p95_s) for one in outcomes], digits=0),
        "ratio_p95_to_a_look": spread([p95 / look_ms for p95 in p95_ms], digits=2),
        "processor_ms_a_look": spread([one.processor_ms_a_look for one in outcomes], digits=1),
    }
