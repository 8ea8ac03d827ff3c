"""One batch ahead, for models that run beside the processor; and none for those that need it."""

import threading

import numpy as np
import pytest
from faulty_detectors import BrightnessDetector, frame
from test_worker import running

from models.errors import PictureError
from models.letterbox import letterbox_batch
from streamer.inference.batcher import Batcher
from streamer.inference.batches_ahead import BatchesAhead
from streamer.inference.demand import CameraDemand
from streamer.ingest.mailbox import Mailbox


class CountedPicture:
    """Keeps its last result, as frames of a video do, and counts what it converts."""

    image_hw = (48, 64)

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.threads: set[int] = set()

    def rgb(self, size_hw: tuple[int, int] | None = None) -> np.ndarray:
        if size_hw not in self.sizes:
            self.sizes.append(size_hw)
            self.threads.add(threading.get_ident())
        return np.zeros((*size_hw, 3), np.uint8)


class BrokenPicture(CountedPicture):
    def rgb(self, size_hw: tuple[int, int] | None = None) -> np.ndarray:
        raise PictureError("the device has lost it")


@pytest.fixture
def fed():
    """A batcher of two cameras, one of which may be given frames whose pictures count."""
    batcher = Batcher(max_batch=4, collect_window_s=0.0)
    mailboxes = {}
    for camera_id in "ab":
        mailboxes[camera_id] = Mailbox(
            camera_id, notify=lambda camera_id=camera_id: batcher.frame_ready(camera_id)
        )
        batcher.set_camera(
            CameraDemand(camera_id=camera_id, fps=1000.0, longest_side_px=64), mailboxes[camera_id]
        )
    batcher.set_limit((64, 64), 4)

    def put(camera_id: str, index: int, picture=None):
        given = frame(camera_id, index=index)
        if picture is not None:
            object.__setattr__(given, "picture", picture)
        mailboxes[camera_id].put(given)
        return given

    yield batcher, put
    batcher.close()


def test_pictures_are_converted_before_they_are_asked_for(fed) -> None:
    batcher, put = fed
    ahead = BatchesAhead(batcher.next_batch)
    picture = CountedPicture()
    put("a", 1, picture)
    ahead.begin()
    batch = ahead.next(5.0)
    assert [one.index for one in batch.frames] == [1]
    assert picture.sizes == [(48, 64)]
    assert threading.get_ident() not in picture.threads
    letterbox_batch(batch.frames, batch.input_hw)
    assert picture.sizes == [(48, 64)], "the models ask for what is there"
    assert ahead.next(0.0) is None
    ahead.close()


def test_nothing_is_taken_that_was_not_begun_and_the_newest_frame_is_taken(fed) -> None:
    batcher, put = fed
    ahead = BatchesAhead(batcher.next_batch)
    put("a", 1)
    put("a", 2)
    ahead.begin()
    assert [one.index for one in ahead.next(5.0).frames] == [2]
    put("a", 3)
    put("a", 4)
    assert [one.index for one in ahead.next(5.0).frames] == [4]
    ahead.begin()
    put("b", 5)
    assert [one.index for one in ahead.drop()] == [5]
    assert ahead.drop() == ()
    ahead.close()


def test_a_picture_that_cannot_be_converted_is_left_to_the_models(fed) -> None:
    batcher, put = fed
    ahead = BatchesAhead(batcher.next_batch)
    put("a", 1, BrokenPicture())
    ahead.begin()
    assert len(ahead.next(5.0).frames) == 1
    ahead.close()


def told_frame():
    """A frame of camera b, and an event that is set when its picture is converted."""
    converted = threading.Event()

    class Tells(CountedPicture):
        def rgb(self, size_hw: tuple[int, int] | None = None) -> np.ndarray:
            converted.set()
            return np.zeros((*(size_hw or self.image_hw), 3), np.uint8)

    given = frame("b", index=77)
    object.__setattr__(given, "picture", Tells())
    return given, converted


class _OnGpu(BrightnessDetector):
    runs_beside = True


def test_the_worker_converts_the_next_batch_while_the_models_compute() -> None:
    computing, go_on = threading.Event(), threading.Event()

    def fault(_pictures, _input_hw, _calls) -> None:
        if warmed.is_set():
            computing.set()
            assert go_on.wait(60)

    warmed = threading.Event()
    detector = _OnGpu(fault=fault)
    with running(lambda device: detector, initial_sizes=[(64, 64)], cameras=("a", "b"), max_batch=1) as rig:
        rig.until(lambda _status: len(detector.warmed) == 1)
        warmed.set()
        first = rig.put("a")
        assert computing.wait(60)
        given, converted = told_frame()
        rig.mailboxes["b"].put(given)
        assert converted.wait(60), "while the models hold the first batch"
        go_on.set()
        assert rig.results.get(60).frame.index == first
        assert rig.results.get(60).frame.index == 77
    assert detector.threads == {rig.worker.thread.ident}


def test_frames_that_were_taken_ahead_are_counted_when_the_models_break() -> None:
    computing, go_on = threading.Event(), threading.Event()
    breaks = threading.Event()

    def fault(_pictures, _input_hw, _calls) -> None:
        if breaks.is_set():
            computing.set()
            assert go_on.wait(60)
            raise RuntimeError("the device is gone")

    detectors = [_OnGpu(fault=fault), BrightnessDetector()]
    with running(
        lambda device: detectors.pop(0), initial_sizes=[(64, 64)], cameras=("a", "b"), max_batch=1
    ) as rig:
        rig.until(lambda _status: rig.worker.status().working)
        assert rig.look("a").frame.camera_id == "a"
        breaks.set()
        rig.put("a")
        assert computing.wait(60)
        given, converted = told_frame()
        rig.mailboxes["b"].put(given)
        assert converted.wait(60)
        go_on.set()
        status = rig.until(lambda status: status.lost_frames >= 2 and status.working)
        assert status.lost_frames == 2, "the batch that broke the models, and the one behind it"
        assert rig.worker._ahead is None
        assert rig.look("b").frame.camera_id == "b"
