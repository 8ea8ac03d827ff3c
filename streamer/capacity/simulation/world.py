"""A scenario in simulated time: its parts, who has which camera, and what fails."""

import itertools
import random
from collections.abc import Sequence

from streamer.capacity.scenario import Scenario
from streamer.capacity.simulation.account import Account, CameraAccount
from streamer.capacity.simulation.agenda import Agenda
from streamer.capacity.simulation.parts import Parts
from streamer.capacity.simulation.placement import Placement
from streamer.capacity.simulation.processor import SharedCores
from streamer.capacity.simulation.troubles import Troubles


class World:
    """A scenario that runs.

    ``every_frame``: each frame is followed; else those that are due, with formulas for the rest (``ManyCores``), which
    is for nodes whose networks run beside their cores. What happens before ``counted_from_s`` is not counted.
    """

    def __init__(self, scenario: Scenario, *, seed: int, every_frame: bool, counted_from_s: float) -> None:
        self.agenda = Agenda()
        self.account = Account(from_s=counted_from_s)
        # the same course every time
        rng = random.Random(seed)  # noqa: S311
        parts = Parts(scenario, self.agenda, self.account, rng, every_frame=every_frame)
        self.nodes = [*parts.nodes()]
        self.cameras = [*parts.cameras()]
        self.account.cameras = {camera.name: CameraAccount() for camera in self.cameras}
        placement = Placement(
            self.nodes, self.cameras, self.agenda, self.account, rng, link_s=scenario.link_ms / 1000
        )
        self.lookers = placement.lookers
        placement.seat(self.cameras)
        Troubles(scenario.failures, placement, self.agenda, self.account, rng).begin()

    def let_others_run(self, rivals: Sequence[float], every_s: float) -> None:
        """Let so many threads of others want the cores of each node, one figure after the other, over and over."""
        cores = [node.cores for node in self.nodes if isinstance(node.cores, SharedCores)]
        if not (rivals and cores):
            return
        figures = itertools.cycle(rivals)

        def change() -> None:
            now = next(figures)
            for one in cores:
                one.set_rivals(now)
            self.agenda.after(every_s, change)

        change()

    def run(self, until_s: float) -> None:
        """Let time pass."""
        self.agenda.run(until_s)

    def end(self) -> None:
        """Close the accounts."""
        now_s = self.agenda.now_s
        self.account.end(now_s)
        for camera in self.cameras:
            if camera.away_since_s is not None:
                self.account.unwatched(camera.away_since_s, now_s)
