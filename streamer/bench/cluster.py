"""What a cluster costs beside one process on the same cores: looks a second, and processor time of a look."""

import os
import statistics
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from streamer.bench.broker import bench_broker
from streamer.bench.cluster_load import ClusterLoad, Outcome, Side, run_apart
from streamer.bench.figures import spread

#: Every frame of streams that give few: more looks than there is time for, and little decoding beside them.
_WANTED_FPS: Final = 5.0


def measure_cluster(
    clip: Path,
    *,
    models: Collection[str],
    cameras: int = 8,
    seconds: float = 12.0,
    repeats: int = 5,
    fps: float = _WANTED_FPS,
    inference: int = 2,
    cores_each: float = 1.0,
    input_size_px: int | None = None,
) -> dict[str, Any]:
    """Alternate the daemon in one process and on a cluster of this machine, ``repeats`` times each for ``seconds``.

    The cluster has one part that reads, ``inference`` that look with ``cores_each`` threads, one that judges, and the
    head. ``ratio_looks`` is its looks a second by those of one process beside it: on a machine that others use too it
    says who got more of the cores. ``ratio_processor`` is the processor time of a further look likewise, everything of
    Ray's included; ``standing_cores`` are busy without any look. From both follows how many looks a second all cores
    of the machine give once they are full: ``overhead_percent`` is what the cluster gives less. All are medians of
    pairs with the least and the most.
    """
    outcomes: dict[Side, list[Outcome]] = {"single": [], "cluster": []}
    with bench_broker() as (broker, port):
        load = ClusterLoad(
            clip=str(clip.resolve()),
            cameras=cameras,
            fps=fps,
            models=tuple(sorted(models)),
            seconds=seconds,
            broker_port=port,
            inference=inference,
            cores_each=cores_each,
            input_size_px=input_size_px,
        )
        for repeat in range(repeats):
            sides: tuple[Side, ...] = ("single", "cluster") if repeat % 2 == 0 else ("cluster", "single")
            for side in sides:
                outcomes[side].append(run_apart(side, load))
    pairs = list(zip(outcomes["cluster"], outcomes["single"], strict=True))
    looks = [one.looks_per_s / single.looks_per_s for one, single in pairs]
    costs = [one.further_look_ms / single.further_look_ms for one, single in pairs]
    cores = len(os.sched_getaffinity(0))
    full = [one.looks_per_s_of(cores) / single.looks_per_s_of(cores) for one, single in pairs]
    figures: dict[str, Any] = {
        "clip": clip.name,
        "models": " ".join(sorted(models)),
        "cameras": cameras,
        "fps_wanted": fps,
        "inference_parts": inference,
        "cores": cores,
        "broker": broker,
    }
    for side, many in outcomes.items():
        figures[f"{side}_looks_per_s"] = spread([one.looks_per_s for one in many], digits=2)
        figures[f"{side}_processor_ms_a_look"] = spread([one.processor_ms_a_look for one in many], digits=1)
        figures[f"{side}_further_look_ms"] = spread([one.further_look_ms for one in many], digits=1)
        figures[f"{side}_standing_cores"] = spread([one.standing_cores for one in many], digits=3)
        figures[f"{side}_looks_per_s_of_full_cores"] = spread(
            [one.looks_per_s_of(cores) for one in many], digits=1
        )
        figures[f"{side}_latency_p50_ms"] = spread([1000 * one.latency_p50_s for one in many], digits=0)
        figures[f"{side}_latency_p95_ms"] = spread([1000 * one.latency_p95_s for one in many], digits=0)
    figures["ratio_looks"] = spread(looks, digits=3)
    figures["ratio_processor"] = spread(costs, digits=3)
    figures["overhead_percent"] = spread([100 * (1 - ratio) for ratio in full], digits=1)
    figures["cluster_by_part_ms_a_look"] = by_part_ms(outcomes["cluster"])
    return figures


def by_part_ms(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Median milliseconds of processor time a look, by what processes are for."""
    names = sorted({name for one in outcomes for name in one.processor_s} - {"all"})
    return {
        name: round(
            statistics.median(1000 * one.processor_s.get(name, 0.0) / max(1, one.looks) for one in outcomes),
            2,
        )
        for name in names
    }
