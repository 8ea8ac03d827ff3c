"""The simulation beside the real daemon, with figures measured in the same run."""

import os
import statistics
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np

from streamer.bench.broker import bench_broker
from streamer.bench.capacity import measure_capacity
from streamer.bench.clips import camera_clip
from streamer.bench.figures import spread
from streamer.bench.load import Load, Outcome, run_apart
from streamer.bench.others import SAMPLED_EVERY_S, watched_others
from streamer.capacity.figures import MachineFigures
from streamer.capacity.scenario import CameraKind, NodeGroup, Scenario
from streamer.capacity.simulation.outcome import SimulationResult, simulate

#: How far simulation and daemon may be apart.
AGREES_WITHIN: Final = 0.15

_SIMULATED_S: Final = 300.0
_IMAGE_HW: Final = (720, 1280)


@dataclass(slots=True)
class _Size:
    """What was seen at one number of cameras, run by run."""

    real: list[Outcome] = field(default_factory=list)
    simulated: list[SimulationResult] = field(default_factory=list)
    others: list[float] = field(default_factory=list)


def measure_agreement(
    clip: Path,
    *,
    models: Collection[str],
    sizes: Sequence[int] = (2, 4, 8),
    fps: float = 2.0,
    seconds: float = 20.0,
    repeats: int = 3,
    input_size_px: int = 640,
    tell: Callable[[str], None] = lambda _text: None,
) -> dict[str, Any]:
    """Measure figures, then run the daemon with each of ``sizes`` cameras and the simulation beside it,
    ``repeats`` times.

    Cameras loop ``clip`` as a camera's stream of 720p. ``ratio_looks`` and ``ratio_p95`` are the simulation's by the
    daemon's; ``rivals`` are threads of other processes, which the simulation is given too; ``agree`` says whether the
    medians of all are within ``AGREES_WITHIN``.
    """
    found = {size: _Size() for size in sizes}
    origins = []
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as kept, bench_broker() as (broker, port):
        stream = camera_clip(clip, Path(kept), image_hw=_IMAGE_HW)
        for repeat in range(repeats):
            tell(f"figures, {repeat + 1} of {repeats}")
            figures = measure_capacity(
                stream,
                models=[models],
                streams=[stream],
                input_sizes_px=[input_size_px],
                memory=False,
            )
            origins.append(figures)
            for size in sizes:
                tell(f"{size} cameras, {repeat + 1} of {repeats}")
                load = Load(
                    clip=str(stream),
                    cameras=size,
                    fps=fps,
                    models=tuple(sorted(models)),
                    seconds=seconds,
                    broker_port=port,
                    input_size_px=input_size_px,
                )
                with watched_others(rivals=True) as others:
                    found[size].real.append(run_apart("daemon", load))
                found[size].others.append(others.mean_rivals)
                found[size].simulated.append(
                    simulated_load(load, figures, image_hw=_IMAGE_HW, seed=repeat, rivals=others.rivals)
                )
    figures_told: dict[str, Any] = {
        "clip": clip.name,
        "models": " ".join(sorted(models)),
        "input_size_px": input_size_px,
        "fps_wanted": fps,
        "broker": broker,
        "look_alone_wall_ms": spread([one.batches[0].wall_mean_ms for one in origins], digits=1),
        "look_alone_processor_ms": spread([one.batches[0].processor_mean_ms for one in origins], digits=1),
        "frame_ms": spread([one.decode[0].mean_ms + one.host.frame_ms for one in origins], digits=2),
    }
    apart = []
    for size, seen in found.items():
        told, ratios = _compared(seen)
        figures_told |= {f"{size}_cameras_{name}": value for name, value in told.items()}
        figures_told |= {f"ratio_{name}_at_{size}_cameras": value for name, value in ratios.items()}
        apart += [abs(value["median"] - 1) for value in ratios.values()]
    figures_told["furthest_apart"] = round(max(apart), 3)
    figures_told["agree"] = max(apart) <= AGREES_WITHIN
    return figures_told


def simulated_load(
    load: Load,
    figures: MachineFigures,
    *,
    image_hw: tuple[int, int],
    seed: int = 0,
    rivals: Sequence[float] = (),
) -> SimulationResult:
    """What the simulation says of the daemon under ``load`` on the machine of ``figures``, while others run ``rivals``
    threads on it (``Others.rivals``).
    """
    kind = CameraKind(
        count=load.cameras,
        size=(image_hw[1], image_hw[0]),
        stream_fps=figures.decode_of("h264", image_hw).fps,
        fps=load.fps,
        models=cast("tuple[Literal['retinaface', 'maskrcnn'], ...]", load.models),
        input_size=load.input_size_px,
        live=False,
        jitter_s=0.0,
    )
    scenario = Scenario(cameras=(kind,), nodes=(NodeGroup(figures=figures),))
    return simulate(scenario, seconds=_SIMULATED_S, seed=seed, rivals=rivals, rivals_every_s=SAMPLED_EVERY_S)


def _compared(seen: _Size) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    real_ms = [1000 * float(np.percentile(one.latencies_s, 95)) for one in seen.real]
    simulated_ms = [one.latency_ms["p95"] for one in seen.simulated]
    told = {
        "looks_per_s": spread([one.looks_per_s for one in seen.real], digits=2),
        "simulated_looks_per_s": spread([one.looks_per_s for one in seen.simulated], digits=2),
        "p50_ms": spread([1000 * statistics.median(one.latencies_s) for one in seen.real], digits=1),
        "simulated_p50_ms": spread([one.latency_ms["p50"] for one in seen.simulated], digits=1),
        "p95_ms": spread(real_ms, digits=1),
        "simulated_p95_ms": spread(simulated_ms, digits=1),
        "busy_cores": spread([one.processor_s["all"] / one.seconds for one in seen.real], digits=2),
        "simulated_busy_cores": spread(
            [one.processor["mean"] * (os.cpu_count() or 1) for one in seen.simulated], digits=2
        ),
        "rivals": spread(seen.others, digits=2),
    }
    ratios = {
        "looks": spread(
            [one.looks_per_s / real.looks_per_s for one, real in zip(seen.simulated, seen.real, strict=True)],
            digits=3,
        ),
        "p95": spread([one / real for one, real in zip(simulated_ms, real_ms, strict=True)], digits=3),
    }
    return told, ratios
