"""Which part runs on which machine, and which camera belongs to which part: a policy without threads, clock or Ray.

- **Parts.** Of each kind a wanted number, each on the machine that has most room for it: cores, GPUs, and none of its
  kind where another machine has none either. Left to itself a site gets an ingest part on every machine, an inference
  part for every GPU, or else on every machine, and a rules part for every 64 cameras.
- **Cameras stay** where they are as long as they can: a move costs a connection, or an outage of the rules.
- **Ingest.** A camera that names a ``node`` is read on machines of this name alone; others by the part with the least
  to do.
- **Inference.** By a part on the camera's own machine, whose memory its frames then cross in, unless that has much more
  to do than others.
- **Rules.** By the part with the fewest cameras. They never move but from a part that is gone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Cameras of one rules part, where nothing else is said.
_CAMERAS_A_RULES_PART: Final = 64
#: A part with this many times the mean load gives cameras away, and one on another machine is taken instead of it.
_UNEVEN: Final = 1.3
#: Who looks at a camera changes without a gap: within one machine this is enough.
_UNEVEN_LOOKS: Final = 1.05


class Kind(StrEnum):
    """What a part does."""

    INGEST = "ingest"
    INFERENCE = "inference"
    RULES = "rules"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine: what it offers, and the ``name`` by which cameras ask for it (None: by none)."""

    node_id: str
    cores: float
    gpus: float = 0.0
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What one part of a kind takes of its machine."""

    cores: float
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Seat:
    """A part that runs, or is being started; ``is_ready`` when it can take cameras."""

    part_id: str
    kind: Kind
    node_id: str
    is_ready: bool = True


@dataclass(frozen=True, slots=True)
class CameraWish:
    """A camera: what a second of looks at it costs, relative to others, and the machine that it must be read on."""

    camera_id: str
    cost: float = 1.0
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whose a camera is: ids of parts, None where there is none."""

    ingest: str | None = None
    inference: str | None = None
    rules: str | None = None


def wanted_counts(
    nodes: Sequence[Node],
    cameras: Sequence[CameraWish],
    given: Mapping[Kind, int | None],
    needs: Mapping[Kind, Need],
) -> dict[Kind, int]:
    """How many parts of each kind a site gets; ``given`` is what the settings say, None where they leave it open."""
    gpus = int(sum(node.gpus for node in nodes)) if needs[Kind.INFERENCE].gpus else 0
    left_open = {
        Kind.INGEST: len(nodes),
        Kind.INFERENCE: gpus or len(nodes),
        Kind.RULES: -(-len(cameras) // _CAMERAS_A_RULES_PART),
    }
    return {kind: max(1, given.get(kind) or count) for kind, count in left_open.items()}


def parts_to_start(
    nodes: Sequence[Node],
    seats: Sequence[Seat],
    wanted: Mapping[Kind, int],
    needs: Mapping[Kind, Need],
    cameras: Sequence[CameraWish],
) -> list[tuple[Kind, str]]:
    """Kinds and machines of the parts that are missing; fewer than wanted where no machine has room.

    A machine whose name some camera asks for gets an ingest part, whatever the number.
    """
    planned = list(seats)
    starts: list[tuple[Kind, str]] = []

    def start(kind: Kind, candidates: Sequence[Node]) -> bool:
        chosen = _roomiest(candidates, planned, kind, needs)
        if chosen is None:
            return False
        planned.append(Seat(f"new-{len(planned)}", kind, chosen.node_id, is_ready=False))
        starts.append((kind, chosen.node_id))
        return True

    for name in sorted({camera.node for camera in cameras if camera.node is not None}):
        named = [node for node in nodes if node.name == name]
        ids = {node.node_id for node in named}
        if not any(seat.kind is Kind.INGEST and seat.node_id in ids for seat in planned):
            start(Kind.INGEST, named)
    # what is needed first of all, one of each, before more of any
    for least in (1, None):
        for kind in Kind:
            goal = wanted[kind] if least is None else least
            while sum(seat.kind is kind for seat in planned) < goal and start(kind, nodes):
                pass
    return starts


def _roomiest(
    nodes: Sequence[Node], seats: Sequence[Seat], kind: Kind, needs: Mapping[Kind, Need]
) -> Node | None:
    need = needs[kind]
    best: tuple[tuple[float, ...], Node] | None = None
    for node in nodes:
        here = [seat for seat in seats if seat.node_id == node.node_id]
        cores = node.cores - sum(needs[seat.kind].cores for seat in here)
        gpus = node.gpus - sum(needs[seat.kind].gpus for seat in here)
        if cores < need.cores or gpus < need.gpus:
            continue
        rank = (-sum(seat.kind is kind for seat in here), cores)
        if best is None or rank > best[0]:
            best = rank, node
    return None if best is None else best[1]


def assign(
    cameras: Sequence[CameraWish],
    nodes: Sequence[Node],
    seats: Sequence[Seat],
    before: Mapping[str, Assignment],
) -> dict[str, Assignment]:
    """Whose every camera is now; ``before`` is whose it was."""
    names = {node.node_id: node.name for node in nodes}
    ingest = _Shares([seat for seat in seats if seat.kind is Kind.INGEST and seat.is_ready])
    inference = _Shares([seat for seat in seats if seat.kind is Kind.INFERENCE and seat.is_ready])
    rules = _Shares([seat for seat in seats if seat.kind is Kind.RULES and seat.is_ready])
    nowhere = Assignment()
    readers = {
        camera.camera_id: frozenset(
            part_id
            for part_id in ingest.parts
            if camera.node is None or names.get(ingest.node_of(part_id) or "") == camera.node
        )
        for camera in cameras
    }
    ingest.settle(cameras, {c.camera_id: before.get(c.camera_id, nowhere).ingest for c in cameras}, readers)
    everywhere = {camera.camera_id: inference.parts for camera in cameras}
    near = {camera.camera_id: ingest.node_of(ingest.chosen.get(camera.camera_id)) for camera in cameras}
    inference.settle(
        cameras, {c.camera_id: before.get(c.camera_id, nowhere).inference for c in cameras}, everywhere, near
    )
    all_rules = {camera.camera_id: rules.parts for camera in cameras}
    rules.settle(
        cameras,
        {c.camera_id: before.get(c.camera_id, nowhere).rules for c in cameras},
        all_rules,
        moves=False,
    )
    return {
        camera.camera_id: Assignment(
            ingest.chosen.get(camera.camera_id),
            inference.chosen.get(camera.camera_id),
            rules.chosen.get(camera.camera_id),
        )
        for camera in cameras
    }


class _Shares:
    """Cameras shared among the parts of one kind."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self._nodes = {seat.part_id: seat.node_id for seat in seats}
        self.parts = frozenset(self._nodes)
        self.chosen: dict[str, str] = {}
        self._loads = dict.fromkeys(self._nodes, 0.0)

    def node_of(self, part_id: str | None) -> str | None:
        return None if part_id is None else self._nodes.get(part_id)

    def settle(
        self,
        cameras: Sequence[CameraWish],
        before: Mapping[str, str | None],
        allowed: Mapping[str, Collection[str]],
        near: Mapping[str, str | None] | None = None,
        *,
        moves: bool = True,
    ) -> None:
        """Keep what can stay, place the others by cost, the dearest first, then even out what is uneven."""
        fair = sum(camera.cost for camera in cameras) / max(1, len(self.parts))
        homeless = []
        for camera in cameras:
            present = before[camera.camera_id]
            if present is not None and present in allowed[camera.camera_id]:
                self._place(camera, present)
            else:
                homeless.append(camera)
        for camera in sorted(homeless, key=lambda camera: -camera.cost):
            best = self._best(camera, allowed[camera.camera_id], fair, (near or {}).get(camera.camera_id))
            if best is not None:
                self._place(camera, best)
        if not moves:
            return
        self._even_out(cameras, allowed, _UNEVEN * fair)
        if near is not None:
            beside = {
                camera.camera_id: self._beside(self.chosen.get(camera.camera_id), allowed[camera.camera_id])
                for camera in cameras
            }
            self._even_out(cameras, beside, _UNEVEN_LOOKS * fair)

    def _beside(self, part_id: str | None, allowed: Collection[str]) -> list[str]:
        """Those of the same machine."""
        return [other for other in allowed if self.node_of(other) == self.node_of(part_id)]

    def _best(
        self, camera: CameraWish, allowed: Collection[str], fair: float, node_id: str | None
    ) -> str | None:
        if not allowed:
            return None
        here = [part for part in allowed if node_id is not None and self._nodes[part] == node_id]
        least_here = min(here, key=self._rank, default=None)
        if least_here is not None and self._loads[least_here] + camera.cost <= _UNEVEN * max(
            fair, camera.cost
        ):
            return least_here
        return min(allowed, key=self._rank)

    def _rank(self, part_id: str) -> tuple[float, str]:
        return self._loads[part_id], part_id

    def _even_out(
        self, cameras: Sequence[CameraWish], allowed: Mapping[str, Collection[str]], most: float
    ) -> None:
        """Until no part has more than ``most``, or it cannot be had: ``most`` is far, or cameras are dear."""
        full = {part_id for part_id, load in self._loads.items() if load > most}
        while full:
            fullest = max(full, key=self._rank)
            if self._loads[fullest] <= most or not self._give_away(fullest, cameras, allowed):
                full.discard(fullest)

    def _give_away(
        self, fullest: str, cameras: Sequence[CameraWish], allowed: Mapping[str, Collection[str]]
    ) -> bool:
        """Move the camera whose move evens out the most; False when none does."""
        best: tuple[float, CameraWish, str] | None = None
        for camera in cameras:
            if self.chosen.get(camera.camera_id) != fullest:
                continue
            others = [part for part in allowed[camera.camera_id] if part != fullest]
            if not others:
                continue
            target = min(others, key=self._rank)
            gain = self._loads[fullest] - (self._loads[target] + camera.cost)
            if gain > 0 and (best is None or gain < best[0]):
                best = gain, camera, target
        if best is None:
            return False
        _, camera, target = best
        self._loads[fullest] -= camera.cost
        self._place(camera, target)
        return True

    def _place(self, camera: CameraWish, part_id: str) -> None:
        self.chosen[camera.camera_id] = part_id
        self._loads[part_id] += camera.cost
