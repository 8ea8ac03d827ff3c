"""The curves of docs/scaling.md: plans and simulations over the figures in benchmarks/figures, as SVG.

``python benchmarks/plot_scaling.py`` writes them to docs/images and prints what they show. ``--agreement FILE`` puts
the daemon's own runs beside the simulation: the JSON of ``ppewatch bench agreement --json``. ``--figures FILE`` takes
those of another machine.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from streamer.capacity.figures import MachineFigures, read_figures
from streamer.capacity.fitting import INPUT_SIZES, ways_to_look
from streamer.capacity.scenario import CameraKind, NodeGroup, Scenario
from streamer.capacity.simulation.outcome import SimulationResult, simulate

_HERE = Path(__file__).resolve().parent
_BOTH = ("maskrcnn", "retinaface")
_BLUE, _ORANGE, _GREEN, _GREY = "#2a6fbb", "#d9822b", "#2e8b57", "#777777"
_HUNDRED = 100


def site(figures: MachineFigures, cameras: int, fps: float) -> Scenario:
    """Cameras of 720p on one machine that does everything, looked at by both models at 640."""
    kind = CameraKind(
        count=cameras, size=(1280, 720), fps=fps, models=_BOTH, input_size=640, live=False, jitter_s=0.0
    )
    return Scenario(cameras=(kind,), nodes=(NodeGroup(figures=figures),))


def cluster(figures: MachineFigures, *, workers: int, cameras: int, price: float = 2.0) -> Scenario:
    """Cameras of 720p at five looks a second on machines of 32 cores and one device each."""
    kind = CameraKind(count=cameras, size=(1280, 720), fps=5.0, models=_BOTH)
    group = NodeGroup(figures=figures, count=workers, max_batch=32, price_per_hour=price)
    return Scenario(cameras=(kind,), nodes=(group,))


def plot_site(figures: MachineFigures, agreement: dict[str, Any] | None) -> plt.Figure:
    """Looks a second and latency of one machine, by its cameras."""
    counts = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
    drawing, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    for fps, colour in ((2.0, _BLUE), (1.0, _ORANGE)):
        results = [simulate(site(figures, count, fps), seconds=60) for count in counts]
        _print(f"one machine, {fps:g} looks a second", counts, results)
        left.plot(counts, [one.looks_per_s for one in results], color=colour, label=f"{fps:g} a second each")
        left.plot(counts, [one.wanted_per_s for one in results], color=colour, linestyle=":", linewidth=1)
        right.plot(
            counts, [one.latency_ms["p95"] for one in results], color=colour, label=f"p95, {fps:g} a second"
        )
        right.plot(
            counts,
            [one.latency_ms["p50"] for one in results],
            color=colour,
            linestyle="--",
            label=f"p50, {fps:g} a second",
        )
    if agreement is not None:
        sizes = sorted(int(name.split("_")[0]) for name in agreement if name.endswith("cameras_p95_ms"))
        for axes, name in ((left, "looks_per_s"), (right, "p95_ms")):
            values = [agreement[f"{size}_cameras_{name}"]["median"] for size in sizes]
            axes.plot(sizes, values, "o", color="black", label="the daemon")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
    _dress(left, "cameras", "looks a second, all cameras", "What is looked at (dotted: asked for)")
    _dress(right, "cameras", "ms from frame to verdict", "How long a verdict takes")
    return drawing


def plot_fits(figures: MachineFigures) -> plt.Figure:
    """How many cameras fit, by models and input."""
    drawing, axes = plt.subplots(figsize=(6.4, 3.8))
    scenario = replace(site(figures, 1, 1.0), usable=0.8)
    ways = ways_to_look(scenario)
    sizes = [size for size in INPUT_SIZES if size <= 1280]
    for models, colour, marker in (
        (("retinaface",), _GREEN, "s"),
        (("maskrcnn",), _ORANGE, "^"),
        (_BOTH, _BLUE, "o"),
    ):
        counts = [one.cameras for one in ways if one.models == models]
        print(f"cameras at one look a second, {' '.join(models)}: {dict(zip(sizes, counts, strict=True))}")
        axes.plot(sizes, counts, color=colour, marker=marker, label=" + ".join(models))
    axes.set_ylim(bottom=0)
    _dress(
        axes, "longest side of the input, pixels", "cameras", "Cameras of 720p that fit, one look a second"
    )
    return drawing


def plot_device(figures: MachineFigures) -> plt.Figure:
    """Latency, batches and price by cameras for each device."""
    each = (5, 10, 20, 30, 40, 50, 60)
    results = [
        simulate(cluster(figures, workers=3, cameras=3 * count), seconds=12, every_frame=False)
        for count in each
    ]
    _print("cameras a device (assumed)", each, results)
    drawing, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    for name, colour in (("p50", _GREEN), ("p95", _BLUE), ("p99", _ORANGE)):
        left.plot(each, [one.latency_ms[name] for one in results], color=colour, marker=".", label=name)
    left.set_ylim(bottom=0)
    _dress(left, "cameras for each device", "ms from frame to verdict", "Latency, 5 looks a second each")
    right.plot(
        each, [one.mean_batch for one in results], color=_BLUE, marker=".", label="pictures in a batch"
    )
    right.plot(
        each,
        [_HUNDRED * one.looks_per_s / one.wanted_per_s / 10 for one in results],
        color=_GREEN,
        marker=".",
        label="looks done, tenths of what is asked",
    )
    right.plot(
        each,
        [one.price_per_camera_month / 10 for one in results],
        color=_GREY,
        marker=".",
        label="price of a camera and month, tens",
    )
    right.set_ylim(bottom=0)
    _dress(right, "cameras for each device", "", "Batches, looks and price (2 an hour a machine)")
    return drawing


def _print(title: str, counts: Sequence[int], results: Sequence[SimulationResult]) -> None:
    print(title)
    names = ("cameras", "looks/s", "wanted", "p50", "p95", "p99", "batch", "used")
    print("".join(f"{name:>9}" for name in names))
    for count, one in zip(counts, results, strict=True):
        used = one.devices.get("mean", one.processor["mean"])
        latency = "".join(f"{one.latency_ms[name]:>9.1f}" for name in ("p50", "p95", "p99"))
        looks = f"{one.looks_per_s:>9.2f}{one.wanted_per_s:>9.1f}"
        print(f"{count:>9}{looks}{latency}{one.mean_batch:>9.2f}{used:>9.0%}")


def _dress(axes: Axes, below: str, beside: str, title: str) -> None:
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--figures", type=Path, default=_HERE / "figures" / "two-cores.json")
    parser.add_argument("--device", type=Path, default=_HERE / "figures" / "assumed-device.json")
    parser.add_argument("--agreement", type=Path)
    parser.add_argument("--out", type=Path, default=_HERE.parent / "docs" / "images")
    options = parser.parse_args()
    figures, device = read_figures(options.figures), read_figures(options.device)
    agreement = None
    if options.agreement is not None:
        agreement = json.loads(options.agreement.read_text(encoding="utf-8"))["agreement"]
    # the same file each time, and text that can be searched
    mpl.rcParams.update({"svg.hashsalt": "scaling", "svg.fonttype": "none", "font.size": 9})
    for name, drawing in (
        ("site", plot_site(figures, agreement)),
        ("fits", plot_fits(figures)),
        ("device", plot_device(device)),
    ):
        drawing.tight_layout()
        drawing.savefig(options.out / f"scaling-{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
