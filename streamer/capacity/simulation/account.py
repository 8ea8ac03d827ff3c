"""What is counted while simulated time passes, and what it comes to."""

from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class CameraAccount:
    """One camera. ``gap_from_s``: since when it waits for its next verdict."""

    looks: int = 0
    gap_from_s: float = 0.0
    longest_gap_s: float = 0.0


@dataclass(slots=True)
class Account:
    """Counts from ``from_s`` on; before that the simulation comes to its pace.

    ``drops``: frames by what became of them: ``replaced`` (a newer one of the camera came), ``stale``, ``lost`` (with a
    worker or node), ``unjudged`` (the rules fell behind).
    """

    from_s: float = 0.0
    cameras: dict[str, CameraAccount] = field(default_factory=dict)
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    drops: Counter[str] = field(default_factory=Counter)
    batches: Counter[int] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    unwatched_s: float = 0.0
    longest_unwatched_s: float = 0.0

    def verdict(self, camera_id: str, now_s: float, latency_s: float) -> None:
        """The rules have seen a look."""
        if now_s < self.from_s:
            return
        camera = self.cameras[camera_id]
        camera.looks += 1
        gap_s = now_s - max(camera.gap_from_s, self.from_s)
        camera.longest_gap_s = max(camera.longest_gap_s, gap_s)
        camera.gap_from_s = now_s
        self.latencies_s.append(latency_s)

    def drop(self, why: str, now_s: float, count: int = 1) -> None:
        """Frames are lost."""
        if now_s >= self.from_s:
            self.drops[why] += count

    def batch(self, pictures: int, now_s: float) -> None:
        """A batch begins."""
        if now_s >= self.from_s:
            self.batches[pictures] += 1

    def unwatched(self, since_s: float, now_s: float) -> None:
        """A camera was with nobody."""
        passed_s = now_s - max(since_s, self.from_s)
        if passed_s > 0:
            self.unwatched_s += passed_s
            self.longest_unwatched_s = max(self.longest_unwatched_s, passed_s)

    def end(self, now_s: float) -> None:
        """Whoever waits now has waited until now."""
        for camera in self.cameras.values():
            camera.longest_gap_s = max(camera.longest_gap_s, now_s - max(camera.gap_from_s, self.from_s))

    def latencies(self) -> NDArray[np.float64]:
        """Seconds from a frame's arrival to its verdict, of all looks."""
        return np.asarray(self.latencies_s, np.float64)
