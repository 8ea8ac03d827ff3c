"""The worker with the detector that ships, on a real clip. Skipped where weights or clip are absent."""

import time

import av
import pytest

from models.errors import WeightsError
from models.loading import load_default_detector, weights_paths
from models.pictures import ArrayPicture
from streamer.frame import Frame
from streamer.inference.batcher import Batcher
from streamer.inference.demand import CameraDemand
from streamer.inference.results import ResultQueue
from streamer.inference.worker import InferenceWorker
from streamer.inference.worker_status import WorkerState
from streamer.ingest.mailbox import Mailbox


@pytest.fixture(scope="module")
def pictures(shared_data):
    clip = shared_data / "video" / "hard_hat_off_then_on_360p30_h264.mp4"
    if not clip.is_file():
        pytest.skip(f"needs {clip.name}")
    with av.open(str(clip)) as container:
        return [
            ArrayPicture(decoded.to_ndarray(format="rgb24"))
            for index, decoded in enumerate(container.decode(video=0))
            if index % 30 == 0
        ]


def test_two_cameras_are_looked_at_together_by_the_models_that_ship(pictures):
    try:
        weights_paths()
    except WeightsError as error:
        pytest.skip(f"needs the shipped weights: {error}")
    batcher = Batcher(max_batch=2, max_age_s=30)
    results = ResultQueue()
    worker = InferenceWorker(
        batcher=batcher, load_detector=load_default_detector, sink=results.put, device="cpu"
    )
    mailboxes = {}
    for camera_id in ("gate", "yard"):
        mailboxes[camera_id] = Mailbox(camera_id, notify=lambda name=camera_id: batcher.frame_ready(name))
        batcher.set_camera(CameraDemand(camera_id=camera_id, fps=5), mailboxes[camera_id])
    worker.start()
    try:
        # exporting the networks may take longer than frames stay fresh
        assert worker.wait_ready(240).working
        faces = 0
        for index, picture in enumerate(pictures):
            for camera_id, mailbox in mailboxes.items():
                mailbox.put(
                    Frame(
                        camera_id=camera_id,
                        index=index,
                        pts_s=None,
                        captured_at=float(index),
                        received_mono_s=time.monotonic(),
                        picture=picture,
                    )
                )
            got = [results.get(60), results.get(60)]
            assert {result.frame.camera_id for result in got} == set(mailboxes)
            assert [result.frame.index for result in got] == [index, index]
            first, second = (result.detections for result in got)
            assert first.image_hw == picture.image_hw
            assert first.boxes_xyxy == pytest.approx(second.boxes_xyxy, abs=0.5)
            faces += len(first)
        status = worker.status()
        assert faces > 0
        assert status.state is WorkerState.READY
        assert {name for name, _ in status.digests} >= {"retinaface", "mask_state"}
        assert all(digest.startswith("sha256:") for _, digest in status.digests)
        assert batcher.snapshot().cameras[0].input_hw == (544, 960)
    finally:
        assert worker.stop(30)
