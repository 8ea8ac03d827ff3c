"""Who has which camera: the node that decodes least and the worker that is asked for least take the next one."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

from streamer.capacity.simulation.account import Account
from streamer.capacity.simulation.agenda import Agenda
from streamer.capacity.simulation.looker import Looker
from streamer.capacity.simulation.parts import Camera, Node, host_cores_of
from streamer.capacity.simulation.processor import ManyCores


class Placement:
    """Seats cameras and moves them. ``link_s``: from a node to a worker on another."""

    def __init__(
        self,
        nodes: Sequence[Node],
        cameras: Sequence[Camera],
        agenda: Agenda,
        account: Account,
        rng: random.Random,
        *,
        link_s: float,
    ) -> None:
        self.nodes = nodes
        self.cameras = cameras
        self.lookers = [looker for node in nodes for looker in node.lookers]
        self._home = {id(looker): node for node in nodes for looker in node.lookers}
        self._agenda = agenda
        self._account = account
        self._rng = rng
        self._link_s = link_s
        self._decoding: defaultdict[int, float] = defaultdict(float)
        self._looking: defaultdict[int, float] = defaultdict(float)
        self._seated: defaultdict[int, dict[str, Camera]] = defaultdict(dict)

    def seat(self, cameras: Iterable[Camera]) -> int:
        """Give cameras to those that are up, as far as there are any; how many of them were with nobody and are not
        now.
        """
        taken = 0
        for camera in cameras:
            if camera.node is None:
                self._connect(camera)
            if camera.looker is None and camera.node is not None:
                self._look_at(camera, self._least_asked(camera.node))
            if camera.away_since_s is not None and camera.looker is not None:
                self._account.unwatched(camera.away_since_s, self._agenda.now_s)
                camera.away_since_s = None
                taken += 1
        self._announce()
        return taken

    def empty_worker(self, looker: Looker) -> list[Camera]:
        """Take its cameras from a worker that failed; they are with nobody."""
        orphans = list(self._seated[id(looker)].values())
        looker.fail()
        for camera in orphans:
            self._leave(camera)
        return orphans

    def empty_node(self, node: Node) -> list[Camera]:
        """Take from a node that failed what it decodes and what its workers look at."""
        orphans = {camera.name: camera for looker in node.lookers for camera in self.empty_worker(looker)}
        for camera in [*node.cameras.values()]:
            camera.source.stop()
            camera.node = None
            self._leave(camera)
            orphans[camera.name] = camera
        node.cameras.clear()
        self._decoding[id(node)] = 0.0
        return [*orphans.values()]

    def share_with(self, looker: Looker) -> None:
        """Give a worker that is back its share, from those that have more than theirs."""
        up = [one for one in self.lookers if one.up]
        share = sum(self._looking[id(one)] for one in up) / len(up)
        for other in sorted(up, key=lambda one: -self._looking[id(one)]):
            for camera in [*self._seated[id(other)].values()]:
                after = self._looking[id(looker)] + camera.look_cost
                if other is looker or self._looking[id(other)] <= share or after > share:
                    break
                self._unlook(camera)
                self._look_at(camera, looker)

    def _connect(self, camera: Camera) -> None:
        up = [node for node in self.nodes if node.up and node.group.ingest]
        if not up:
            return
        node = min(up, key=lambda node: self._decoding[id(node)] / node.group.core_count)
        camera.node, node.cameras[camera.name] = node, camera
        self._decoding[id(node)] += camera.decode_cores
        camera.source.give = partial(self._given, camera)
        # streams begin at any moment
        begin = partial(camera.source.start, node.cores)
        self._agenda.after(self._rng.random() / camera.kind.stream_fps, begin)

    def _least_asked(self, node: Node) -> Looker | None:
        """Of the workers that are up, those of the camera's own node first."""
        up = [one for one in node.lookers if one.up] or [one for one in self.lookers if one.up]
        return min(up, key=lambda one: self._looking[id(one)], default=None)

    def _look_at(self, camera: Camera, looker: Looker | None) -> None:
        if looker is None:
            return
        camera.looker = looker
        self._looking[id(looker)] += camera.look_cost
        self._seated[id(looker)][camera.name] = camera
        followed = not isinstance(self._home[id(looker)].cores, ManyCores)
        looker.add(
            camera.demand,
            camera.kind.input_hw,
            renewed_every_s=0.0 if followed else 1 / camera.kind.stream_fps,
        )

    def _unlook(self, camera: Camera) -> None:
        looker = camera.looker
        if looker is not None:
            self._looking[id(looker)] -= camera.look_cost
            self._seated[id(looker)].pop(camera.name, None)
            looker.remove(camera.name)
            camera.looker = None

    def _leave(self, camera: Camera) -> None:
        self._unlook(camera)
        if camera.away_since_s is None:
            camera.away_since_s = self._agenda.now_s

    def _given(self, camera: Camera, received_s: float, is_due: bool) -> None:
        """A frame is decoded: to the worker, over the network where that is elsewhere."""
        looker = camera.looker
        if looker is None:
            if is_due:
                self._account.drop("lost", self._agenda.now_s)
        elif not is_due:
            looker.freshen(camera.name, received_s)
        elif self._home[id(looker)] is camera.node:
            looker.put(camera.name, received_s)
        else:
            self._agenda.after(self._link_s, partial(looker.put, camera.name, received_s))

    def _announce(self) -> None:
        """Tell cores on which single frames are not followed what they do now."""
        for node in self.nodes:
            if isinstance(node.cores, ManyCores):
                looked_at = [camera for one in node.lookers for camera in self._seated[id(one)].values()]
                wanted = node.idle_cores + self._decoding[id(node)]
                wanted += sum(host_cores_of(node, camera) for camera in looked_at)
                frames = sum(camera.kind.stream_fps for camera in node.cameras.values())
                job_s = self._decoding[id(node)] / frames if frames else 0.0
                node.cores.announce(wanted, job_s)
