"""A camera with a motion gate through the daemon's own parts: decoder, gate, batcher, worker, judge, and back."""

import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from judging.site_of_one import IMAGE_HW, camera_judge

from models.detector import ModelSet
from models.structures import Category, Detections, Picture
from streamer.attention import Attention
from streamer.frame import Frame
from streamer.inference.batcher import Batcher
from streamer.inference.demand import CameraDemand
from streamer.inference.results import ResultQueue
from streamer.inference.worker import InferenceWorker
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.motion_gate import MotionGate, MotionPolicy
from streamer.ingest.retry import RetryPolicy
from streamer.ingest.source import Source
from streamer.judging.judge import Judge
from streamer.service.heartbeats import Heartbeats
from streamer.station import CameraStation

FPS = 10
#: The visitor's place; bright, on a scene without anything as bright.
VISITOR = (slice(100, 160), slice(200, 250))
ARRIVES_S = 1.5


def write_visit(path: Path) -> Path:
    """Twelve seconds in which nothing moves; after some there is somebody, from one frame to the next."""
    height, width = IMAGE_HW
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([rows % 120, columns % 90, (rows + columns) % 100], axis=-1).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for number in range(12 * FPS):
            if number == ARRIVES_S * FPS:
                rgb[VISITOR] = 250
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class VisitorDetector:
    """Finds a bare face where it is bright."""

    digests: Mapping[str, str] = {}

    def __init__(self, *, device: str) -> None:
        self.device = device

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        pass

    def detect(
        self, pictures: Sequence[Picture], input_hw: tuple[int, int], models: Sequence[ModelSet] | None = None
    ) -> list[Detections]:
        return [self._found(picture) for picture in pictures]

    @staticmethod
    def _found(picture: Picture) -> Detections:
        if picture.rgb()[VISITOR].mean() < 200:
            return Detections.empty(picture.image_hw)
        return Detections(
            image_hw=picture.image_hw,
            boxes_xyxy=[[200, 100, 250, 160]],
            scores=[0.99],
            class_ids=[Category.FACE_WITHOUT_MASK],
            landmarks_xy=[[[216, 120], [234, 120], [225, 132], [217, 145], [233, 145]]],
            face_mask_probs=[[0.02, 0.97, 0.01]],
            sharpness=[1.0],
        )


class WatchedGate:
    """A gate whose decisions are remembered, each with what the judging wanted at that moment."""

    def __init__(self, gate: MotionGate, attention: Attention, decisions: list[tuple[bool, bool]]) -> None:
        self._gate, self._attention, self._decisions = gate, attention, decisions

    def passes(self, frame: Frame) -> bool:
        wanted = self._attention.wanted
        passes = self._gate.passes(frame)
        self._decisions.append((wanted, passes))
        return passes


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def test_a_forced_look_finds_a_visitor_and_the_dwell_is_then_watched_without_a_gap(tmp_path: Path):
    attention, decisions, alerts = Attention(), [], []
    # so large a part never changes: only forced looks and the judging's word let frames through
    policy = MotionPolicy(min_area=1.0, hold_s=0.0, look_every_s=1.0)
    batcher, results, heartbeats = Batcher(), ResultQueue(), Heartbeats()
    worker = InferenceWorker(batcher=batcher, load_detector=VisitorDetector, sink=results.put, device="cpu")
    judge = Judge(results=results, on_alert=alerts.append, model_digests=dict, pulse=heartbeats.add("rules"))
    judge.set_camera("gate", camera_judge(), attention)
    station = CameraStation(
        Source(str(write_visit(tmp_path / "visit.mp4"))),
        demand=CameraDemand(camera_id="gate", fps=FPS),
        retry=RetryPolicy(),
        enabled=True,
        batcher=batcher,
        hosts=HostBudget(at_once=1),
        heartbeats=heartbeats,
        on_status=lambda _camera_id, _status: None,
        new_gate=lambda: WatchedGate(MotionGate(policy, attention), attention, decisions),
    )
    worker.start()
    assert worker.wait_ready(10).working
    judge.start()
    station.start()
    try:
        wait_until(lambda: alerts)
        held = station.status().held_looks
    finally:
        station.stop()
        worker.stop()
        judge.stop()
    assert alerts[0].alert.type == "new"
    assert held > 0
    assert sum(not passes for _, passes in decisions) >= held
    watched = [passes for wanted, passes in decisions if wanted]
    assert all(watched)
    # the dwell of a second could not be told from looks a second apart: most of these frames are of it
    assert len(watched) > 5
    assert not attention.wanted or alerts[-1].alert.type == "end"
