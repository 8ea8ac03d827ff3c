"""Which parts run and whose each camera is: starts what is wanted, finds who is silent, shares the cameras anew."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from config import SiteSettings
from streamer.cluster.crew import Crew
from streamer.cluster.placement import (
    Assignment,
    CameraWish,
    Kind,
    Need,
    Node,
    assign,
    parts_to_start,
    wanted_counts,
)
from streamer.cluster.roster import Part, PartNames

_log = logging.getLogger(__name__)

#: A part may take this long to start: a busy machine loads its libraries, and a GPU its models.
_START_WITHIN_S: Final = 120.0
#: A machine on which a part went silent, or did not start, gets no new ones for this long.
_MISTRUST_S: Final = 30.0
#: A call that fails at once while nobody knows why: the connection broke. Half the patience is enough then.
_BROKEN_SHARE: Final = 0.5
_NODES_EVERY_S: Final = 1.0
#: A step that takes longer than this was kept from running.
_LATE_S: Final = 0.5
#: Parts that cannot be started are tried again after this.
_PLAN_EVERY_S: Final = 2.0


class Muster:
    """The parts that ``crew`` runs. One thread at a time.

    - ``counts``: how many parts of each kind; None: as ``placement.wanted_counts`` has it. ``needs``: what one takes.
    - ``wish_of``: what a camera costs, and the machine that it must be read on.
    - ``lost_after_s``: silence after which a part counts as gone.
    - ``parts``: those that run or start, by name; ``assigned``: whose each camera is.
    - ``dirty``: set it when something changed that the plan depends on.
    """

    def __init__(
        self,
        crew: Crew,
        *,
        counts: Mapping[Kind, int | None],
        needs: Mapping[Kind, Need],
        wish_of: Callable[[SiteSettings, str], CameraWish],
        lost_after_s: float,
    ) -> None:
        self.parts: dict[str, Part] = {}
        self.assigned: dict[str, Assignment] = {}
        self.dirty = True
        self._crew = crew
        self._counts = counts
        self._needs = needs
        self._wish_of = wish_of
        self._lost_after_s = lost_after_s
        self._names = PartNames()
        self._nodes: list[Node] = []
        self._mistrusted: dict[str, float] = {}
        self._nodes_s = self._planned_s = float("-inf")
        self._lack = ""
        self._stepped_s = time.monotonic()

    def begin(self) -> None:
        """The steps begin now."""
        self._stepped_s = time.monotonic()

    def look_at_nodes(self) -> None:
        """Ask now and then which machines there are."""
        now_s = time.monotonic()
        if now_s - self._nodes_s < _NODES_EVERY_S:
            return
        self._nodes_s = now_s
        nodes = self._crew.nodes()
        if {node.node_id for node in nodes} != {node.node_id for node in self._nodes}:
            _log.info("the cluster has %d machines", len(nodes))
            self.dirty = True
        self._nodes = nodes

    def forgive(self) -> None:
        """While this thread got no time itself, it heard nobody: that is nobody else's silence."""
        now_s = time.monotonic()
        late_s = now_s - self._stepped_s - _LATE_S
        if late_s > 0:
            for part in self.parts.values():
                part.started_s = min(now_s, part.started_s + late_s)
                part.heard_s = None if part.heard_s is None else min(now_s, part.heard_s + late_s)
        self._stepped_s = now_s

    def overdue(self) -> list[tuple[Part, str]]:
        """Those that are silent, or do not start, and what to say of them."""
        now_s = time.monotonic()
        found = []
        for part in self.parts.values():
            if part.heard_s is None:
                if now_s - part.started_s > _START_WITHIN_S:
                    found.append((part, "it does not start"))
                continue
            limit_s = self._lost_after_s
            if part.failing_since_s is not None:
                limit_s *= _BROKEN_SHARE
            if part.silent_s(now_s) > limit_s:
                found.append((part, f"nothing heard of it for {part.silent_s(now_s):.1f} s"))
        return found

    def plan(self, site: SiteSettings) -> bool:
        """Start what is missing and share the cameras, where it is time; whether any camera has other parts now."""
        now_s = time.monotonic()
        if not self._nodes or not (self.dirty or now_s - self._planned_s > _PLAN_EVERY_S):
            return False
        self.dirty, self._planned_s = False, now_s
        wishes = [self._wish_of(site, camera_id) for camera_id in site.cameras]
        seats = [part.seat for part in self.parts.values()]
        trusted = [
            node for node in self._nodes if now_s - self._mistrusted.get(node.node_id, -1e9) > _MISTRUST_S
        ]
        counts = wanted_counts(self._nodes, wishes, self._counts, self._needs)
        for kind, node_id in parts_to_start(trusted, seats, counts, self._needs, wishes):
            self._start_part(kind, node_id, site)
        self._tell_lack(counts)
        before = self.assigned
        seats = [part.seat for part in self.parts.values()]
        self.assigned = assign(wishes, self._nodes_of_parts(), seats, before)
        for camera_id, whose in self.assigned.items():
            was = before.get(camera_id, Assignment())
            if was != whose and was != Assignment():
                _log.info("camera %s: %s", camera_id, _moves(was, whose))
        return before != self.assigned

    def lose(self, part: Part, why: str, *, mistrust: bool = False) -> list[str] | None:
        """Give a part up and end it: the cameras that were its own, None where it was given up before.

        ``mistrust``: its machine is to get no new ones for a while.
        """
        if self.parts.pop(part.part_id, None) is None:
            return None
        cameras = [name for name, whose in self.assigned.items() if getattr(whose, part.kind) == part.part_id]
        _log.error("part %s is given up: %s; %d cameras go to others", part.part_id, why, len(cameras))
        part.member.kill()
        # one that ends before it was ever heard of would do so again, at once
        if mistrust or part.heard_s is None:
            self._mistrusted[part.node_id] = time.monotonic()
        self.dirty = True
        return cameras

    def _tell_lack(self, counts: Mapping[Kind, int]) -> None:
        """Say once of which parts there are fewer than wanted."""
        present = Counter(part.kind for part in self.parts.values())
        lack = ", ".join(
            f"{counts[kind] - present[kind]} {kind}" for kind in Kind if present[kind] < counts[kind]
        )
        if lack and lack != self._lack:
            _log.warning("no machine has room, or is trusted, for these parts: %s", lack)
        self._lack = lack

    def _nodes_of_parts(self) -> list[Node]:
        """The machines, also those that the cluster no longer names while parts on them still answer."""
        known = {node.node_id for node in self._nodes}
        lone = {part.node_id for part in self.parts.values()} - known
        return [*self._nodes, *(Node(node_id, 0.0) for node_id in sorted(lone))]

    def _start_part(self, kind: Kind, node_id: str, site: SiteSettings) -> None:
        part_id = self._names.next(kind)
        member = self._crew.start(kind, node_id, site)
        part = self.parts[part_id] = Part(part_id, kind, node_id, member, time.monotonic())
        part.told_site = site
        _log.info("part %s starts on machine %s", part_id, node_id[:12])


def _moves(was: Assignment, whose: Assignment) -> str:
    """``ingest-1 -> ingest-2``."""
    pairs = ((was.ingest, whose.ingest), (was.inference, whose.inference), (was.rules, whose.rules))
    return ", ".join(f"{old or 'nobody'} -> {new or 'nobody'}" for old, new in pairs if old != new)
