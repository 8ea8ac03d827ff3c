"""A small far head through the daemon's own parts: a doubtful look, the judge's word, a closer look, a track."""

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from judging.site_of_one import START, camera_judge

from models.detector import ModelSet
from models.letterbox import letterbox_geometry
from models.pictures import ArrayPicture
from models.structures import Category, Detections, Picture
from streamer.followed import FollowedHeads
from streamer.frame import Frame
from streamer.inference.batcher import Batcher
from streamer.inference.demand import CameraDemand
from streamer.inference.results import InferenceResult, ResultQueue
from streamer.inference.tiling import TilePolicy, Tiling
from streamer.inference.worker import InferenceWorker
from streamer.ingest.mailbox import Mailbox
from streamer.judging.judge import Judge
from streamer.service.heartbeats import Heartbeats

#: The head, in 1080p: 8 pixels high at an input of 640.
SIDE = 24


class SizeDetector:
    """Finds bright squares as bare faces, the surer the larger the network sees them."""

    digests: Mapping[str, str] = MappingProxyType({})

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        pass

    def detect(
        self, pictures: Sequence[Picture], input_hw: tuple[int, int], models: Sequence[ModelSet] | None = None
    ) -> list[Detections]:
        return [self._found(picture, input_hw) for picture in pictures]

    @staticmethod
    def _found(picture: Picture, input_hw: tuple[int, int]) -> Detections:
        placed = letterbox_geometry(picture.image_hw, input_hw)
        bright = (picture.rgb(placed.content_hw).min(axis=2) > 170).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
        rows = stats[1:, :4]
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1).astype(np.float32)
        return Detections(
            picture.image_hw,
            boxes / placed.scale,
            np.where(rows[:, 3] < 12, 0.3, 0.95).astype(np.float32),
            np.full(len(rows), int(Category.FACE_WITHOUT_MASK), np.int32),
            placed.scale,
            face_mask_probs=np.tile(np.float32([0.02, 0.96, 0.02]), (len(rows), 1)),
        )


def walker(index: int) -> Frame:
    """Somebody who walks to the right by a quarter of the head's height with each frame."""
    pixels = np.full((1080, 1920, 3), 60, np.uint8)
    left = 600 + index * SIDE // 4
    pixels[400 : 400 + SIDE, left : left + SIDE] = 230
    return Frame("gate", index, index / 5, START + index / 5, time.monotonic(), ArrayPicture(pixels))


def test_what_is_doubtful_from_afar_is_looked_at_again_until_it_is_a_person():
    heads, results = FollowedHeads(), ResultQueue()
    seen: list[InferenceResult] = []
    judge = Judge(
        results=results, on_alert=lambda alert: None, model_digests=dict, pulse=Heartbeats().add("rules")
    )
    judge.set_camera("gate", camera_judge(), heads=heads)
    batcher = Batcher(max_batch=2)

    def sink(result: InferenceResult) -> None:
        seen.append(result)
        results.put(result)

    worker = InferenceWorker(
        batcher=batcher, load_detector=lambda device: SizeDetector(), sink=sink, device="cpu"
    )
    mailbox = Mailbox("gate", notify=lambda: batcher.frame_ready("gate"))
    tiling = Tiling(TilePolicy(follow=True), heads)
    batcher.set_camera(CameraDemand(camera_id="gate", fps=100, longest_side_px=640, tiling=tiling), mailbox)
    judge.start()
    worker.start()
    try:
        assert worker.wait_ready(20).working
        for index in range(12):
            mailbox.put(walker(index))
            until = time.monotonic() + 10
            while time.monotonic() < until and (len(seen) <= index or not _is_near(heads, index)):
                time.sleep(0.002)
            assert len(seen) == index + 1
    finally:
        worker.stop()
        judge.stop()
    first, *later = [result.detections for result in seen]
    assert first.scores.tolist() == np.float32([0.3]).tolist()
    for detections in later:
        assert len(detections) == 1, "seen twice, told once"
        assert detections.scores[0] > 0.9
        assert 20 < SIDE * detections.input_scales[0] <= 32
    assert any(key > 0 for key in heads.boxes), "a track began"


def _is_near(heads: FollowedHeads, index: int) -> bool:
    """The judge has told of the head in this frame."""
    middle = 600 + index * SIDE / 4 + SIDE / 2
    return any(abs((box[0] + box[2]) / 2 - middle) < 3 for box in heads.boxes.values())
