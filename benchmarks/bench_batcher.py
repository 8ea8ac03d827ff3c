"""What the batching policy does with many cameras and a given cost of batches, in simulated time.

Run ``python benchmarks/bench_batcher.py`` for a table of rates, gaps and missed looks; nothing of it depends
on the machine. The policy is the real one; only cameras, worker and clock are simulated.
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import itertools

from streamer.inference.demand import CameraDemand
from streamer.inference.schedule import LookSchedule, Wait

Cost = Callable[[tuple[int, int], int], float]

LARGE_HW = (736, 1280)
SMALL_HW = (384, 640)


@dataclass(frozen=True)
class SimulatedCamera:
    """A camera that sends ``sends_fps`` frames a second from ``from_s`` until ``until_s``."""

    demand: CameraDemand
    input_hw: tuple[int, int] = LARGE_HW
    sends_fps: float = 25.0
    from_s: float = 0.0
    until_s: float = float("inf")


@dataclass
class Simulation:
    """``cost`` gives the seconds of a batch, which vary by ``jitter`` to either side."""

    cameras: Sequence[SimulatedCamera]
    cost: Cost
    max_batch: int = 4
    collect_window_s: float = 0.02
    jitter: float = 0.1
    seed: int = 0
    looks_s: dict[str, list[float]] = field(default_factory=dict)
    batch_sizes: list[int] = field(default_factory=list)
    busy_s: float = 0.0
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # the same run every time
        self.schedule = LookSchedule(max_batch=self.max_batch, collect_window_s=self.collect_window_s)
        self._arrivals: dict[str, float] = {}
        for camera in self.cameras:
            self.add(camera)
        for input_hw in self.schedule.sizes_in_use():
            for count in range(1, self.max_batch + 1):
                self.schedule.latencies.observe(input_hw, count, self.cost(input_hw, count))

    def add(self, camera: SimulatedCamera) -> None:
        camera_id = camera.demand.camera_id
        self.schedule.set_camera(camera.demand, self.now_s)
        self.schedule.set_input(camera_id, camera.input_hw)
        self.schedule.set_limit(camera.input_hw, self.max_batch, self.now_s)
        self.looks_s.setdefault(camera_id, [])
        self._arrivals[camera_id] = max(self.now_s, camera.from_s) + self._random.random() / camera.sends_fps
        if camera not in self.cameras:
            self.cameras = [*self.cameras, camera]

    def run(self, seconds: float) -> "Simulation":
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self._arrive()
            choice = self.schedule.choose(self.now_s)
            if isinstance(choice, Wait):
                until_s = min(self._arrivals.values(), default=end_s)
                if choice.until_s is not None:
                    until_s = min(until_s, choice.until_s)
                self.now_s = max(until_s, self.now_s + 1e-4)
            else:
                self._look(choice.input_hw, choice.camera_ids)
        return self

    def rate(self, camera_id: str, since_s: float = 0.0) -> float:
        """Looks per second since ``since_s``."""
        return sum(look_s >= since_s for look_s in self.looks_s[camera_id]) / (self.now_s - since_s)

    def longest_gap_s(self, camera_id: str, since_s: float = 0.0) -> float:
        """Longest time without a look, the beginning and the end of the run included."""
        looks_s = [since_s, *(look_s for look_s in self.looks_s[camera_id] if look_s >= since_s), self.now_s]
        return max(later - earlier for earlier, later in itertools.pairwise(looks_s))

    def _arrive(self) -> None:
        for camera in self.cameras:
            camera_id = camera.demand.camera_id
            while self._arrivals[camera_id] <= self.now_s:
                if self._arrivals[camera_id] < camera.until_s:
                    self.schedule.frame_waiting(camera_id, self._arrivals[camera_id])
                self._arrivals[camera_id] += 1 / camera.sends_fps

    def _look(self, input_hw: tuple[int, int], camera_ids: tuple[str, ...]) -> None:
        started_s = self.now_s
        for camera_id in camera_ids:
            self.schedule.looked(camera_id, started_s)
            self.looks_s[camera_id].append(started_s)
        # a look at a camera with tiles is several pictures
        pictures = sum(self.schedule.cameras[camera_id].demand.pictures for camera_id in camera_ids)
        took_s = self.cost(input_hw, pictures) * self._random.uniform(1 - self.jitter, 1 + self.jitter)
        self.now_s += took_s
        self.busy_s += took_s
        self.batch_sizes.append(pictures)
        self._arrive()
        self.schedule.latencies.observe(input_hw, pictures, took_s)
        for camera_id in camera_ids:
            self.schedule.cameras[camera_id].finished(self.now_s, took_s)


def cpu_cost(input_hw: tuple[int, int], count: int) -> float:
    """Nearly linear, as on two cores: 65 ms for one picture of 736 x 1280."""
    return (0.010 + 0.055 * count) * input_hw[0] * input_hw[1] / (LARGE_HW[0] * LARGE_HW[1])


def gpu_cost(input_hw: tuple[int, int], count: int) -> float:
    """Mostly fixed, as on a graphics card: 22 ms for one picture, 36 ms for eight."""
    return (0.020 + 0.002 * count) * input_hw[0] * input_hw[1] / (LARGE_HW[0] * LARGE_HW[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--fps", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--max-batch", type=int, default=8)
    parser.add_argument("--cost", choices=["cpu", "gpu"], default="cpu")
    options = parser.parse_args()
    priorities = ("low", "normal", "high", "critical")
    cameras = [
        SimulatedCamera(CameraDemand(camera_id=f"c{i:02}", fps=options.fps, priority=priorities[i % 4]))
        for i in range(options.cameras)
    ]
    cost = {"cpu": cpu_cost, "gpu": gpu_cost}[options.cost]
    run = Simulation(cameras, cost, max_batch=options.max_batch).run(options.seconds)
    print(
        f"load {run.schedule.load:.2f}  busy {run.busy_s / run.now_s:.0%}  mean batch "
        f"{sum(run.batch_sizes) / len(run.batch_sizes):.2f}  looks {sum(run.batch_sizes) / run.now_s:.1f}/s"
    )
    print("camera priority  wanted granted   got  longest gap  missed")
    for camera in cameras:
        camera_id = camera.demand.camera_id
        looks = run.schedule.cameras[camera_id].account(run.now_s, 0)
        print(
            f"{camera_id:6} {looks.priority:8} {looks.wanted_fps:6.2f}/s {looks.granted_fps:5.2f} "
            f"{run.rate(camera_id):5.2f} {run.longest_gap_s(camera_id):10.2f} s {looks.missed_looks:7}"
        )


if __name__ == "__main__":
    main()
