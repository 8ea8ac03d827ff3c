"""Looks a second of the whole daemon under more cameras than it can serve, beside its floor."""

import statistics
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from streamer.bench.broker import bench_broker
from streamer.bench.figures import spread
from streamer.bench.load import Load, Outcome, Side, run_apart

#: More looks a second of each camera than any of them gets.
_WANTED_FPS: Final = 25.0


def measure_throughput(
    clip: Path,
    *,
    models: Collection[str],
    cameras: int = 4,
    seconds: float = 12.0,
    repeats: int = 5,
    fps: float = _WANTED_FPS,
    settle_s: float = 3.0,
) -> dict[str, Any]:
    """Alternate floor and daemon ``repeats`` times, each in a process of its own for ``seconds``; the figures.

    ``ratio_looks`` is the daemon's looks a second by those of the floor beside it, ``ratio_processor`` the processor
    time of a look likewise: medians of pairs with the least and the most. ``..._ms_a_look`` is processor time.
    """
    outcomes: dict[Side, list[Outcome]] = {"floor": [], "daemon": []}
    with bench_broker() as (broker, port):
        load = Load(
            clip=str(clip.resolve()),
            cameras=cameras,
            fps=fps,
            models=tuple(sorted(models)),
            seconds=seconds,
            broker_port=port,
            settle_s=settle_s,
        )
        for repeat in range(repeats):
            sides: tuple[Side, ...] = ("floor", "daemon") if repeat % 2 == 0 else ("daemon", "floor")
            for side in sides:
                outcomes[side].append(run_apart(side, load))
    pairs = list(zip(outcomes["daemon"], outcomes["floor"], strict=True))
    figures: dict[str, Any] = {
        "clip": clip.name,
        "models": " ".join(sorted(models)),
        "cameras": cameras,
        "fps_wanted": fps,
        "broker": broker,
    }
    for side, many in outcomes.items():
        figures[f"{side}_looks_per_s"] = spread([one.looks_per_s for one in many], digits=2)
        figures[f"{side}_processor_ms_a_look"] = spread([one.processor_ms_a_look for one in many], digits=1)
    figures["ratio_looks"] = spread([one.looks_per_s / floor.looks_per_s for one, floor in pairs], digits=3)
    figures["ratio_processor"] = spread(
        [one.processor_ms_a_look / floor.processor_ms_a_look for one, floor in pairs], digits=3
    )
    for side, many in outcomes.items():
        figures[f"{side}_by_thread_ms_a_look"] = by_purpose_ms(many)
    for side, many in outcomes.items():
        figures[f"{side}_peak_memory_mb"] = max(one.peak_memory_mb for one in many)
    return figures


def by_purpose_ms(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Median milliseconds of processor time a look, by purpose of the threads, the largest first."""
    purposes = {purpose for one in outcomes for purpose in one.processor_s} - {"all"}
    medians = {
        purpose: statistics.median(
            1000 * one.processor_s.get(purpose, 0.0) / max(1, sum(one.looks)) for one in outcomes
        )
        for purpose in purposes
    }
    largest_first = sorted(medians.items(), key=lambda pair: -pair[1])
    return {purpose: round(ms, 2) for purpose, ms in largest_first if ms >= 0.01}
