"""One stretch of work under a given load, in a process of its own: the whole daemon, or its floor.

``python -m streamer.bench.load daemon|floor LOAD`` prints an ``Outcome`` as JSON; ``LOAD`` is the JSON of a ``Load``.
The floor has the same decoder threads that read the same recordings at the same pace, and a thread in which the
detector takes their newest frames, one after the other: no schedule, rules, drawing, outbox or broker.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from config import load_site
from models.letterbox import default_input_size, input_hw_for
from models.runtime.memory import keep_no_large_blocks
from models.structures import Detections
from streamer import wiring
from streamer.app import Daemon
from streamer.bench.figures import peak_memory_mb
from streamer.bench.sites import write_site
from streamer.bench.thread_times import processor_s_by_purpose
from streamer.detector_loading import load_detector
from streamer.frame import Frame
from streamer.ingest.camera import CameraIngest
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.mailbox import Mailbox
from streamer.ingest.sampler import phase_of
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.composer import ComposedAlert

Side = Literal["daemon", "floor"]

_FIRST_LOOK_WITHIN_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Cameras that loop ``clip``, each looked at ``fps`` times a second by ``models``, for ``seconds``.

    ``input_size_px`` None: by the picture's size. ``settle_s`` passes after every camera's first look.
    """

    clip: str
    cameras: int
    fps: float
    models: tuple[str, ...]
    seconds: float
    broker_port: int = 1883
    input_size_px: int | None = None
    settle_s: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it in the counted ``seconds``.

    ``looks``: of each camera. ``latencies_s``: of each look, from the frame's arrival to the verdict (of the floor: to
    the detections). ``verdicts_s``: processor time of the rules for each look. ``own_p95_s``: of each camera, as the
    daemon itself tells it. ``processor_s``: by purpose of the threads, and in all under ``all``.
    """

    seconds: float
    looks: list[int]
    latencies_s: list[float]
    processor_s: dict[str, float]
    peak_memory_mb: float
    load: float = 0.0
    missed_looks: list[int] = field(default_factory=list)
    own_p95_s: list[float] = field(default_factory=list)
    verdicts_s: list[float] = field(default_factory=list)

    @property
    def looks_per_s(self) -> float:
        """Of all cameras together."""
        return sum(self.looks) / self.seconds

    @property
    def processor_ms_a_look(self) -> float:
        """Everything that the process did, by its looks."""
        return 1000 * self.processor_s["all"] / max(1, sum(self.looks))


def run_apart(side: Side, load: Load) -> Outcome:
    """Run ``side`` in a process of its own. Raises ``subprocess.CalledProcessError``."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, side, json.dumps(asdict(load))],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def run_daemon(load: Load) -> Outcome:
    """The daemon, in this process."""
    watch = _Watch([f"camera{n}" for n in range(load.cameras)])
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        site = load_site(
            write_site(
                Path(folder),
                [Path(load.clip)] * load.cameras,
                broker_port=load.broker_port,
                fps=load.fps,
                models=load.models,
                camera={} if load.input_size_px is None else {"input_size": load.input_size_px},
            )
        )
        with _verdicts_to(watch.looked):
            daemon = Daemon(site)
            daemon.start()
            watch.wait_for_all(load.settle_s)
            missed = {look.camera_id: look.missed_looks for look in daemon.looks().cameras}
            measured = watch.count(load.seconds)
            told = daemon.looks()
            daemon.stop()
    by_name = {look.camera_id: look for look in told.cameras}
    return Outcome(
        **measured,
        load=told.load,
        missed_looks=[by_name[name].missed_looks - missed[name] for name in watch.cameras],
        own_p95_s=[by_name[name].latency_p95_s or 0.0 for name in watch.cameras],
    )


def run_floor(load: Load) -> Outcome:
    """Decoder threads and the detector, in this process."""
    watch = _Watch([f"camera{n}" for n in range(load.cameras)])
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        site = load_site(
            write_site(
                Path(folder),
                [Path(load.clip)] * load.cameras,
                broker_port=1,
                fps=load.fps,
                models=load.models,
            )
        )
    come, stop = threading.Event(), threading.Event()
    boxes = [Mailbox(name, notify=come.set) for name in watch.cameras]
    hosts = HostBudget(at_once=len(boxes))
    ingests = [
        CameraIngest(
            wiring.source_of(site.cameras[box.camera_id]),
            box,
            hosts=hosts,
            fps=load.fps,
            phase=phase_of(number),
        )
        for number, box in enumerate(boxes)
    ]
    detector = load_detector(models=load.models)

    def look() -> None:
        while not stop.is_set():
            come.wait(0.5)
            come.clear()
            for box in boxes:
                frame = box.take()
                if frame is not None:
                    size = load.input_size_px or default_input_size(frame.image_hw)
                    detector.detect([frame], input_hw_for(frame.image_hw, size))
                    watch.looked(frame)

    thread = threading.Thread(target=look, name="inference")
    for ingest in ingests:
        ingest.start()
    thread.start()
    try:
        watch.wait_for_all(load.settle_s)
        return Outcome(**watch.count(load.seconds))
    finally:
        stop.set()
        thread.join()
        for ingest in ingests:
            ingest.stop()


class _Watch:
    """Counts looks from whatever thread they come, and the processor time of a stretch."""

    def __init__(self, cameras: list[str]) -> None:
        self.cameras = cameras
        self._lock = threading.Lock()
        self._latencies_s: dict[str, list[float]] = {name: [] for name in cameras}
        self._verdicts_s: list[float] = []

    def looked(self, frame: Frame, verdict_s: float | None = None) -> None:
        """A look at ``frame`` has ended; its rules took so much processor time."""
        with self._lock:
            self._latencies_s[frame.camera_id].append(time.monotonic() - frame.received_mono_s)
            if verdict_s is not None:
                self._verdicts_s.append(verdict_s)

    def wait_for_all(self, settle_s: float, *, within_s: float = _FIRST_LOOK_WITHIN_S) -> None:
        """Until every camera has been looked at, and ``settle_s`` more. Raises ``TimeoutError``."""
        end_s = time.monotonic() + within_s
        while not all(self._latencies_s.values()):
            if time.monotonic() > end_s:
                raise TimeoutError(f"not every camera was looked at within {within_s:g} s")
            time.sleep(0.1)
        time.sleep(settle_s)

    def count(self, seconds: float) -> dict[str, Any]:
        """Figures of the next ``seconds``, or of as long as the first look takes: the arguments of an ``Outcome``."""
        with self._lock:
            for latencies in self._latencies_s.values():
                latencies.clear()
            self._verdicts_s.clear()
        began_s, began = time.monotonic(), _processor_s()
        time.sleep(seconds)
        while not any(self._latencies_s.values()) and time.monotonic() < began_s + _FIRST_LOOK_WITHIN_S:
            time.sleep(0.1)
        with self._lock:
            took_s, ended = time.monotonic() - began_s, _processor_s()
            counted = {name: list(latencies) for name, latencies in self._latencies_s.items()}
            verdicts_s = list(self._verdicts_s)
        return {
            "seconds": took_s,
            "looks": [len(counted[name]) for name in self.cameras],
            "latencies_s": [second for name in self.cameras for second in counted[name]],
            "processor_s": {name: round(value - began.get(name, 0.0), 3) for name, value in ended.items()},
            "peak_memory_mb": peak_memory_mb(),
            "verdicts_s": verdicts_s,
        }


def _processor_s() -> Mapping[str, float]:
    return {**processor_s_by_purpose(), "all": time.process_time()}


@contextmanager
def _verdicts_to(told: Callable[[Frame, float], None]) -> Iterator[None]:
    """Tell of each frame once its camera's rules are done with it; the daemon itself keeps latencies to detections."""
    judged = CameraJudge.look

    def look(judge: CameraJudge, frame: Frame, detections: Detections) -> Sequence[ComposedAlert]:
        began_s = time.thread_time()
        alerts = judged(judge, frame, detections)
        told(frame, time.thread_time() - began_s)
        return alerts

    CameraJudge.look = look  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        CameraJudge.look = judged  # type: ignore[method-assign]


if __name__ == "__main__":
    _side, _load = sys.argv[1:]
    keep_no_large_blocks()  # as `ppewatch run` does
    _given = Load(**json.loads(_load))
    print(json.dumps(asdict(run_daemon(_given) if _side == "daemon" else run_floor(_given))))
