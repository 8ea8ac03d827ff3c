"""Many cameras with both models: whether one starves, and how long a frame waits for its verdict."""

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamer.bench.broker import bench_broker
from streamer.bench.figures import percentiles_ms, spread
from streamer.bench.load import Load, Outcome, run_apart


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
    """Run ``cameras`` at ``fps``, and half of them, ``repeats`` times each beside the floor of each; the figures.

    ``looks_per_s_of_a_camera``: of each camera in each run, ``least_share`` what the worst got of what it asked for.
    ``latency``: of all looks of all runs, from the frame's arrival to the verdict of the rules (of the floor: to the
    detections); ``own_p95`` is what the daemon itself tells, to the detections, of the worst camera. ``busy`` is the
    processor time by that of all cores.
    """
    sizes = {"full": cameras, "half": max(1, cameras // 2)}
    pairs: dict[str, list[tuple[Outcome, Outcome]]] = {name: [] for name in sizes}
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
            for name, count in sizes.items():
                part = replace(load, cameras=count)
                pairs[name].append((run_apart("daemon", part), run_apart("floor", part)))
    figures: dict[str, Any] = {
        "clip": clip.name,
        "models": " ".join(sorted(models)),
        "cameras": cameras,
        "fps_wanted": fps,
        "input_size_px": input_size_px,
        "broker": broker,
    }
    for name, many in pairs.items():
        figures |= {f"{name}_load_{key}": value for key, value in _figures_of(many, fps).items()}
        figures |= {f"ratio_{key}_at_{name}_load": value for key, value in _ratios_of(many).items()}
    figures["peak_memory_mb"] = max(daemon.peak_memory_mb for many in pairs.values() for daemon, _ in many)
    return figures


def _figures_of(pairs: Sequence[tuple[Outcome, Outcome]], fps: float) -> dict[str, Any]:
    daemons, floors = [daemon for daemon, _ in pairs], [floor for _, floor in pairs]
    rates = [looks / one.seconds for one in daemons for looks in one.looks]
    return {
        "looks_per_s_of_a_camera": spread(rates, digits=2),
        "least_share": spread([min(one.looks) / one.seconds / fps for one in daemons], digits=2),
        "missed_looks": sum(sum(one.missed_looks) for one in daemons),
        "load": spread([one.load for one in daemons], digits=2),
        "latency": percentiles_ms([second for one in daemons for second in one.latencies_s]),
        "floor_latency": percentiles_ms([second for one in floors for second in one.latencies_s]),
        "p95_ms": spread([_p95_ms(one) for one in daemons], digits=0),
        "own_p95_ms": spread([1000 * max(one.own_p95_s) for one in daemons], digits=0),
        "busy": spread([_busy(one) for one in daemons], digits=2),
        "floor_busy": spread([_busy(one) for one in floors], digits=2),
    }


def _ratios_of(pairs: Sequence[tuple[Outcome, Outcome]]) -> dict[str, Any]:
    return {
        "p95": spread([_p95_ms(daemon) / _p95_ms(floor) for daemon, floor in pairs], digits=2),
        "processor": spread(
            [daemon.processor_ms_a_look / floor.processor_ms_a_look for daemon, floor in pairs], digits=3
        ),
    }


def _p95_ms(outcome: Outcome) -> float:
    return percentiles_ms(outcome.latencies_s)["p95_ms"]


def _busy(outcome: Outcome) -> float:
    return outcome.processor_s["all"] / outcome.seconds / len(os.sched_getaffinity(0))
