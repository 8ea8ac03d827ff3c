"""Runs a scenario in simulated time, and says what came of it."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from streamer.capacity.scenario import Scenario
from streamer.capacity.simulation.world import World

#: More frames than this are not followed one by one, where that is not asked for.
_MOST_FRAMES: Final = 4_000_000
_HOURS_A_MONTH: Final = 730.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """What came of it in the counted ``seconds``; latency runs from a frame's arrival to the verdict of the rules.

    - ``looks_per_s`` and ``wanted_per_s``: of all cameras. ``least_share``: what the worst camera got of its wish.
    - ``latency_ms``: p50, p95, p99 and the most. ``longest_gap_s``: between two verdicts of a camera, the longest of
      all, and what one in a hundred cameras had or more.
    - ``drops``: frames by what became of them; ``events``: failures and cameras that were taken over.
    - ``unwatched_camera_s``: time in which cameras were with nobody, in all and the longest of one.
    - ``processor``, ``devices``: used shares over all nodes and graphics devices, in the mean and of the busiest.
    """

    seconds: float
    every_frame: bool
    looks_per_s: float
    wanted_per_s: float
    least_share: float
    latency_ms: dict[str, float]
    longest_gap_s: dict[str, float]
    mean_batch: float
    drops: dict[str, int]
    events: dict[str, int]
    unwatched_camera_s: dict[str, float]
    processor: dict[str, float]
    devices: dict[str, float]
    price_per_hour: float
    price_per_camera_month: float
    simulated_in_s: float
    actions: int


def simulate(
    scenario: Scenario,
    *,
    seconds: float,
    settle_s: float = 5.0,
    seed: int = 0,
    every_frame: bool | None = None,
    rivals: Sequence[float] = (),
    rivals_every_s: float = 0.5,
    tell: Callable[[float], None] = lambda _share: None,
) -> SimulationResult:
    """Run ``scenario`` for ``settle_s`` and then ``seconds`` that count.

    ``every_frame`` None: where networks share the cores with decoders, and where there are not too many of them.
    ``rivals``: threads of others that want the cores of every node, as measured each ``rivals_every_s``, over and over;
    where each frame is followed. ``tell`` hears the share that is done. Raises ``FiguresError`` where figures do not
    hold what is asked for.
    """
    if every_frame is None:
        every_frame = _should_follow(scenario, seconds + settle_s)
    began_s = time.perf_counter()
    world = World(scenario, seed=seed, every_frame=every_frame, counted_from_s=settle_s)
    world.let_others_run(rivals, rivals_every_s)
    # hundreds of thousands of small objects that live long: looking for circles among them took a third of the time
    collects = gc.isenabled()
    gc.disable()
    try:
        world.run(settle_s)
        busy_before = [node.cores.busy_s() for node in world.nodes]
        device_before = [looker.device_busy_s for looker in world.lookers]
        for part in range(1, 51):
            world.run(settle_s + seconds * part / 50)
            tell(part / 50)
    finally:
        if collects:
            gc.enable()
    world.end()
    cores = [
        (node.cores.busy_s() - before) / seconds / node.group.core_count
        for node, before in zip(world.nodes, busy_before, strict=True)
    ]
    devices = [
        (looker.device_busy_s - before) / seconds
        for looker, before in zip(world.lookers, device_before, strict=True)
        if looker.beside
    ]
    account = world.account
    wanted = sum(camera.kind.looks_fps for camera in world.cameras)
    shares = [account.cameras[one.name].looks / seconds / one.kind.looks_fps for one in world.cameras]
    gaps_s = [one.longest_gap_s for one in account.cameras.values()]
    pictures = sum(size * count for size, count in account.batches.items())
    price = scenario.price_per_hour
    return SimulationResult(
        seconds=seconds,
        every_frame=every_frame,
        looks_per_s=round(len(account.latencies_s) / seconds, 3),
        wanted_per_s=round(wanted, 3),
        least_share=round(min(shares), 4),
        latency_ms=_percentiles(world),
        longest_gap_s={
            "p99": round(float(np.percentile(gaps_s, 99)), 3),
            "most": round(max(gaps_s), 3),
        },
        mean_batch=round(pictures / max(1, account.batches.total()), 2),
        drops=dict(sorted(account.drops.items())),
        events=dict(sorted(account.events.items())),
        unwatched_camera_s={
            "all": round(account.unwatched_s, 1),
            "longest": round(account.longest_unwatched_s, 2),
        },
        processor=_mean_and_most(cores),
        devices=_mean_and_most(devices),
        price_per_hour=price,
        price_per_camera_month=round(price * _HOURS_A_MONTH / scenario.camera_count, 4),
        simulated_in_s=round(time.perf_counter() - began_s, 2),
        actions=world.agenda.done,
    )


def _should_follow(scenario: Scenario, seconds: float) -> bool:
    frames = seconds * sum(kind.count * kind.stream_fps for kind in scenario.cameras)
    shares_cores = any(node.inference and not node.has_accelerator for node in scenario.nodes)
    return shares_cores or frames <= _MOST_FRAMES


def _percentiles(world: World) -> dict[str, float]:
    values = world.account.latencies() * 1000
    if not len(values):
        return {}
    told: dict[str, Any] = {f"p{q}": round(float(np.percentile(values, q)), 1) for q in (50, 95, 99)}
    return {**told, "most": round(float(values.max()), 1)}


def _mean_and_most(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    return {"mean": round(sum(values) / len(values), 3), "most": round(max(values), 3)}
