"""Nodes and cameras of a scenario, made for simulated time."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from streamer.capacity.scenario import CameraKind, NodeGroup, Scenario
from streamer.capacity.simulation.account import Account
from streamer.capacity.simulation.agenda import Agenda
from streamer.capacity.simulation.costs import BatchTimes
from streamer.capacity.simulation.looker import Looker
from streamer.capacity.simulation.processor import Cores, ManyCores, SharedCores
from streamer.capacity.simulation.sources import DueFrames, EveryFrame, nobody
from streamer.inference.demand import CameraDemand
from streamer.ingest.sampler import FrameSampler, phase_of


@dataclass(slots=True, eq=False)
class Node:
    """One machine. ``idle_cores``: what its own daemon takes whatever it does."""

    group: NodeGroup
    cores: Cores
    idle_cores: float
    lookers: list[Looker] = field(default_factory=list)
    cameras: dict[str, "Camera"] = field(default_factory=dict)
    up: bool = True


@dataclass(slots=True, eq=False)
class Camera:
    """One camera, the node that decodes it and the worker that looks at it; None: nobody at present.

    ``decode_cores``: cores that its decoding takes; ``look_cost``: workers that its looks take, in full batches.
    """

    name: str
    kind: CameraKind
    demand: CameraDemand
    source: EveryFrame | DueFrames
    decode_cores: float
    look_cost: float
    node: Node | None = None
    looker: Looker | None = None
    away_since_s: float | None = None


class Parts:
    """Makes them. ``every_frame``: see ``World``."""

    def __init__(
        self, scenario: Scenario, agenda: Agenda, account: Account, rng: random.Random, *, every_frame: bool
    ) -> None:
        self._scenario = scenario
        self._agenda = agenda
        self._account = account
        self._rng = rng
        self._every_frame = every_frame

    def nodes(self) -> Iterator[Node]:
        """All nodes with their workers."""
        for group in self._scenario.nodes:
            host, times = group.figures.host, BatchTimes(group.figures, self._rng)
            workers = 0 if not group.inference else group.workers if group.has_accelerator else 1
            for _ in range(group.count):
                cores = self._cores(group.core_count)
                lookers = [
                    Looker(
                        agenda=self._agenda,
                        account=self._account,
                        cores=cores,
                        times=times,
                        max_batch=group.largest_batch,
                        beside=group.has_accelerator,
                        look_s=host.look_ms / 1000,
                        idle_s=0.0 if group.has_accelerator else host.idle_look_ms / 1000,
                        draw_verdict_s=partial(_drawn_s, self._rng, host.verdict_ms),
                    )
                    for _ in range(workers)
                ]
                node = Node(group, cores, host.second_ms / 1000, lookers)
                if self._every_frame and node.idle_cores:
                    self._work_idly(node)
                yield node

    def cameras(self) -> Iterator[Camera]:
        """All cameras, with nobody yet."""
        ingest = next(group for group in self._scenario.nodes if group.ingest)
        looking = next(group for group in self._scenario.nodes if group.inference)
        times = BatchTimes(looking.figures, self._rng)
        number = 0
        for kind in self._scenario.cameras:
            figures = ingest.figures
            around_ms = figures.host.frame_ms
            frame_s = [(ms + around_ms) / 1000 for ms in figures.decode_ms(kind.codec, kind.image_hw)]
            batch_s = times.mean_s(kind.input_hw, frozenset(kind.models), looking.largest_batch)
            for _ in range(kind.count):
                demand = CameraDemand(
                    camera_id=f"camera{number}",
                    fps=kind.fps,
                    priority=kind.priority,
                    longest_side_px=kind.input_size,
                    models=frozenset(kind.models),
                )
                yield Camera(
                    demand.camera_id,
                    kind,
                    demand,
                    self._source(number, kind, frame_s),
                    decode_cores=kind.stream_fps * sum(frame_s) / len(frame_s),
                    look_cost=kind.looks_fps * batch_s / looking.largest_batch,
                )
                number += 1

    def _cores(self, count: int) -> Cores:
        if self._every_frame:
            return SharedCores(self._agenda, count)
        return ManyCores(self._agenda, count, self._rng)

    def _source(self, number: int, kind: CameraKind, frame_s: list[float]) -> EveryFrame | DueFrames:
        if not self._every_frame:
            return DueFrames(
                agenda=self._agenda,
                rng=self._rng,
                fps=kind.looks_fps,
                frame_s=frame_s,
                give=nobody,
                jitter_s=kind.jitter_s,
            )
        return EveryFrame(
            agenda=self._agenda,
            rng=self._rng,
            stream_fps=kind.stream_fps,
            frame_s=frame_s,
            sampler=FrameSampler(kind.fps, phase=phase_of(number)),
            give=nobody,
            live=kind.live,
            jitter_s=kind.jitter_s,
        )

    def _work_idly(self, node: Node) -> None:
        """What the daemon does each second whatever its cameras do, in ten parts."""

        def work() -> None:
            if node.up:
                node.cores.run(node.idle_cores / 10, 1.0, _nothing)
            self._agenda.after(0.1, work)

        self._agenda.at(self._rng.random() * 0.1, work)


def _drawn_s(rng: random.Random, samples_ms: Sequence[float]) -> float:
    return rng.choice(samples_ms) / 1000


def _nothing() -> None:
    pass


def host_cores_of(node: Node, camera: Camera) -> float:
    """Cores that the looks at a camera take of the node of its worker, in the largest batches that were measured."""
    figures, kind = node.group.figures, camera.kind
    known = figures.batches_of(frozenset(kind.models), kind.input_hw)
    largest = known[max(known)]
    look_ms = largest.processor_mean_ms / largest.count + figures.host.around_look_ms
    return kind.looks_fps * look_ms / 1000
