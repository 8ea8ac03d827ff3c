"""Workers and nodes that fail, are taken over and come back."""

import random
from collections.abc import Callable, Sequence
from functools import partial

from streamer.capacity.scenario import Failures
from streamer.capacity.simulation.account import Account
from streamer.capacity.simulation.agenda import Agenda
from streamer.capacity.simulation.looker import Looker
from streamer.capacity.simulation.parts import Camera, Node
from streamer.capacity.simulation.placement import Placement


class Troubles:
    """Lets each worker and each node fail after exponential times, over and over."""

    def __init__(
        self,
        failures: Failures,
        placement: Placement,
        agenda: Agenda,
        account: Account,
        rng: random.Random,
    ) -> None:
        self._failures = failures
        self._placement = placement
        self._agenda = agenda
        self._account = account
        self._rng = rng

    def begin(self) -> None:
        """Plan the first failure of everybody."""
        for node in self._placement.nodes:
            self._later(self._failures.node_hours, partial(self._node_fails, node))
            for looker in node.lookers:
                self._later(self._failures.worker_hours, partial(self._worker_fails, node, looker))

    def _later(self, hours: float | None, fail: Callable[[], None]) -> None:
        if hours is not None:
            self._agenda.after(self._rng.expovariate(1 / (3600 * hours)), fail)

    def _worker_fails(self, node: Node, looker: Looker) -> None:
        self._later(self._failures.worker_hours, partial(self._worker_fails, node, looker))
        if not looker.up:
            return
        self._account.events["worker failures"] += 1
        orphans = self._placement.empty_worker(looker)
        self._agenda.after(self._failures.takeover_s, partial(self._take_over, orphans))
        self._agenda.after(self._failures.repair_s, partial(self._worker_back, node, looker))

    def _worker_back(self, node: Node, looker: Looker) -> None:
        if node.up and not looker.up:
            looker.repair()
            self._placement.share_with(looker)
            self._take_over(self._stranded())

    def _node_fails(self, node: Node) -> None:
        self._later(self._failures.node_hours, partial(self._node_fails, node))
        if not node.up:
            return
        self._account.events["node failures"] += 1
        node.up = False
        orphans = self._placement.empty_node(node)
        self._agenda.after(self._failures.takeover_s, partial(self._take_over, orphans))
        self._agenda.after(self._failures.repair_s, partial(self._node_back, node))

    def _node_back(self, node: Node) -> None:
        node.up = True
        for looker in node.lookers:
            looker.repair()
            self._placement.share_with(looker)
        self._take_over(self._stranded())

    def _stranded(self) -> list[Camera]:
        """Cameras whose takeover came when nobody was up."""
        now_s, within_s = self._agenda.now_s, self._failures.takeover_s
        return [
            camera
            for camera in self._placement.cameras
            if camera.away_since_s is not None and now_s - camera.away_since_s >= within_s
        ]

    def _take_over(self, orphans: Sequence[Camera]) -> None:
        self._account.events["cameras taken over"] += self._placement.seat(orphans)
