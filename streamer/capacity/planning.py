"""How much of each resource a scenario asks for, and which one binds: arithmetic alone.

What queues do on top of that the simulation says; a plan therefore fills a resource to ``Scenario.usable`` at most.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from streamer.capacity.scenario import CameraKind, NodeGroup, Scenario
from streamer.inference.demand import PRIORITY_WEIGHTS
from streamer.inference.fair_shares import RateDemand, grant_rates
from streamer.inference.schedule import GUARANTEED_SHARE, USABLE_SHARE

#: Bytes of a pixel that goes from node to node.
_PIXEL_BYTES: Final = 3

ResourceName = Literal["processor", "inference", "verdicts", "memory", "network", "one stream"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a group of nodes: ``wanted`` and ``available`` in ``unit``, over all its nodes.

    ``verdicts`` is the rules' thread behind each worker; ``one stream`` the core in which a camera is decoded, which
    does not grow with nodes.
    """

    group: str
    name: ResourceName
    unit: str
    wanted: float
    available: float

    @property
    def share(self) -> float:
        """Wanted by available."""
        return self.wanted / self.available if self.available > 0 else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a scenario asks for.

    - ``binding``: the resource of which the largest share is wanted. ``head_room``: what its use could be multiplied
      by until it is filled to ``usable``; below 1 it does not fit.
    - ``granted_fps``: looks a second by kind of camera, lowered as the daemon would where inference is short.
    """

    resources: tuple[Resource, ...]
    binding: Resource
    usable: float
    head_room: float
    granted_fps: tuple[float, ...]
    price_per_hour: float

    @property
    def fits(self) -> bool:
        """Whether nothing is filled beyond ``usable``."""
        return self.binding.share <= self.usable


@dataclass(slots=True)
class _Wanted:
    """What is asked of one group: cores, seconds of inference a second, megabits a second, streams."""

    decoding: float = 0.0
    one_stream: float = 0.0
    looking: float = 0.0
    batches: float = 0.0
    verdicts: float = 0.0
    megabits: float = 0.0
    streams: float = 0.0


def plan(scenario: Scenario) -> Plan:
    """What ``scenario`` asks of its nodes. Raises ``FiguresError`` where figures do not hold what is asked for."""
    resources = tuple(one for group in scenario.nodes for one in resources_of(scenario, group))
    binding = max(resources, key=lambda one: one.share)
    return Plan(
        resources=resources,
        binding=binding,
        usable=scenario.usable,
        head_room=scenario.usable / binding.share if binding.share > 0 else math.inf,
        granted_fps=_granted(scenario),
        price_per_hour=scenario.price_per_hour,
    )


def resources_of(scenario: Scenario, group: NodeGroup) -> list[Resource]:
    """What is asked of one group. Groups share cameras by their cores, and looks by their workers."""
    wanted, count, memory = _wanted(scenario, group), group.count, group.figures.memory
    cores = wanted.decoding + wanted.looking + count * group.figures.host.second_ms / 1000
    found = [Resource(group.name, "processor", "cores", cores, float(count * group.core_count))]
    if group.inference:
        free = count * _free_workers(group, wanted.decoding)
        found.append(Resource(group.name, "inference", "workers", wanted.batches, free))
        found.append(Resource(group.name, "verdicts", "threads", wanted.verdicts, float(_workers(group))))
    needed_mb = count * memory.daemon_mb + wanted.streams * memory.camera_mb
    found.append(Resource(group.name, "memory", "MB", needed_mb, count * group.memory))
    found.append(Resource(group.name, "network", "Mbit/s", wanted.megabits, count * group.network_megabits_s))
    if group.ingest:
        found.append(Resource(group.name, "one stream", "cores", wanted.one_stream, 1.0))
    return found


def _wanted(scenario: Scenario, group: NodeGroup) -> _Wanted:
    wanted, figures = _Wanted(), group.figures
    ingest = _part_of_cores(scenario, group)
    looks_part = _part_of_workers(scenario, group)
    for kind in scenario.cameras:
        streams, looks = ingest * kind.count, looks_part * kind.count * kind.looks_fps
        if streams:
            cores = kind.stream_fps * figures.frame_mean_ms(kind.codec, kind.image_hw) / 1000
            wanted.one_stream = max(wanted.one_stream, cores)
            wanted.decoding += streams * cores
            wanted.streams += streams
            wanted.megabits += streams * figures.megabits_s(kind.codec, kind.image_hw, kind.stream_fps)
        if looks:
            processor_s, wall_s = _picture_s(group, kind)
            wanted.looking += looks * (processor_s + figures.host.around_look_ms / 1000)
            wanted.batches += looks * wall_s
            wanted.verdicts += looks * figures.host.verdict_mean_ms / 1000
        # what both groups do stays on a node; else pictures of the network's size go over
        height, width = kind.input_hw
        crossing = abs(looks - streams * kind.looks_fps)
        wanted.megabits += crossing * height * width * _PIXEL_BYTES * 8e-6
    return wanted


def _part_of_cores(scenario: Scenario, group: NodeGroup) -> float:
    """The part of all cameras that a group takes in."""
    every = sum(one.count * one.core_count for one in scenario.nodes if one.ingest)
    return group.count * group.core_count / every if group.ingest else 0.0


def _part_of_workers(scenario: Scenario, group: NodeGroup) -> float:
    """The part of all looks that a group does."""
    every = sum(_workers(one) for one in scenario.nodes if one.inference)
    return _workers(group) / every if group.inference else 0.0


def _workers(group: NodeGroup) -> int:
    return group.count * (group.workers if group.has_accelerator else 1)


def _picture_s(group: NodeGroup, kind: CameraKind) -> tuple[float, float]:
    """Processor seconds and seconds by the clock of a picture, in the batches that cost least for each."""
    known = group.figures.batches_of(frozenset(kind.models), kind.input_hw)
    usable = [one for count, one in known.items() if count <= group.largest_batch] or [*known.values()]
    best = min(usable, key=lambda one: group.figures.alone_ms(one) / one.count)
    return best.processor_mean_ms / best.count / 1000, group.figures.alone_ms(best) / best.count / 1000


def _free_workers(group: NodeGroup, decoding_cores: float) -> float:
    """Workers of a node at their full speed. On a processor decoding leaves them less than they could use."""
    if group.has_accelerator:
        return float(group.workers)
    widest = max(batch.threads for batch in group.figures.batches)
    return min(1.0, max(0.0, group.core_count - decoding_cores / group.count) / widest)


def _granted(scenario: Scenario) -> tuple[float, ...]:
    """Looks a second by kind, as the workers' schedule would grant them."""
    looking = [group for group in scenario.nodes if group.inference]
    workers = sum(group.count * _free_workers(group, _wanted(scenario, group).decoding) for group in looking)
    demands = [
        RateDemand(
            fps=kind.looks_fps,
            weight=PRIORITY_WEIGHTS[kind.priority],
            cost_s=kind.count * _picture_s(looking[0], kind)[1] / max(workers, 1e-9),
        )
        for kind in scenario.cameras
    ]
    return tuple(grant_rates(demands, usable_share=USABLE_SHARE, guaranteed_share=GUARANTEED_SHARE))
