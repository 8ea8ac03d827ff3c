"""The worker's thread with small detectors that fail on demand, real mailboxes and the real batcher."""

import gc
import itertools
import logging
import threading
import time
import weakref
from contextlib import contextmanager

import pytest
from faulty_detectors import POISON_RED, BrightnessDetector, frame, is_blank, is_poison

from streamer.inference.batcher import Batcher
from streamer.inference.demand import CameraDemand
from streamer.inference.results import ResultQueue
from streamer.inference.worker import InferenceWorker
from streamer.inference.worker_status import WorkerReason, WorkerState
from streamer.ingest.mailbox import Mailbox

FPS = 100.0


class Rig:
    """Cameras that are fed by hand, a batcher, a worker, and the results it hands on."""

    def __init__(self, load_detector, *, cameras=("a",), max_batch=4, **worker_options):
        self.batcher = Batcher(max_batch=max_batch, collect_window_s=0.01)
        self.results = ResultQueue(64)
        self.mailboxes = {}
        for camera_id in cameras:
            self.add(camera_id)
        options = {"device": "cpu", "backoff_s": 0.02, "backoff_cap_s": 0.1} | worker_options
        self.worker = InferenceWorker(
            batcher=self.batcher, load_detector=load_detector, sink=self.results.put, **options
        )
        self.index = 0

    def add(self, camera_id, longest_side_px=64):
        mailbox = Mailbox(camera_id, notify=lambda: self.batcher.frame_ready(camera_id))
        self.mailboxes[camera_id] = mailbox
        self.batcher.set_camera(
            CameraDemand(camera_id=camera_id, fps=FPS, longest_side_px=longest_side_px), mailbox
        )

    def put(self, camera_id="a", **options):
        self.index += 1
        self.mailboxes[camera_id].put(frame(camera_id, index=self.index, **options))
        return self.index

    def look(self, camera_id="a", timeout_s=60.0, **options):
        """Put frames until one of them is looked at; its result."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            self.put(camera_id, **options)
            result = self.results.get(0.1)
            if result is not None:
                return result
        raise AssertionError(f"no frame was looked at within {timeout_s} s: {self.worker.status()}")

    def until(self, condition, timeout_s=60.0):
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            status = self.worker.status()
            if condition(status):
                return status
            time.sleep(0.005)
        raise AssertionError(f"not within {timeout_s} s: {self.worker.status()}")


@contextmanager
def running(*args, ready=True, **options):
    rig = Rig(*args, **options)
    rig.worker.start()
    try:
        if ready:
            assert rig.worker.wait_ready(5).working
        yield rig
    finally:
        assert rig.worker.stop(5)


def test_it_is_ready_only_after_loading_and_warming_in_its_own_thread():
    detector = BrightnessDetector()
    states = []
    with running(
        lambda device: detector,
        initial_sizes=[(64, 64), (32, 64)],
        on_status=lambda status: states.append(status.state),
    ) as rig:
        assert detector.warmed[:2] == [((64, 64), 1), ((32, 64), 1)] or detector.warmed[:2] == [
            ((32, 64), 1),
            ((64, 64), 1),
        ]
        rig.until(lambda _status: len(detector.warmed) == 6)
        assert [count for hw, count in detector.warmed if hw == (32, 64)] == [1, 2, 4]
        result = rig.look(red=51)
        assert result.frame.camera_id == "a"
        assert result.detections.scores[0] == pytest.approx(0.2)
        assert 0 <= result.timings.waited_s < 5
        assert rig.worker.status().digests[0][0] == "brightness"
    assert states == [WorkerState.WARMING, WorkerState.READY, WorkerState.STOPPED]
    assert detector.threads == {rig.worker.thread.ident}
    assert threading.get_ident() not in detector.threads


@pytest.mark.parametrize(("beside", "most"), [(False, 1), (True, 4)])
def test_what_a_processor_looks_at_one_by_one_waits_for_no_other(beside, most):
    detector = BrightnessDetector(call_s=0.02)
    detector.runs_beside = beside
    cameras = ("a", "b", "c", "d")
    with running(lambda device: detector, initial_sizes=[(64, 64)], cameras=cameras) as rig:
        rig.until(lambda _status: len(detector.warmed) == (1 if most == 1 else 3))
        for _ in range(10):
            for camera_id in cameras:
                rig.put(camera_id)
            time.sleep(0.03)
        rig.until(lambda status: status.frames >= 8)
    assert max(detector.batch_sizes) == most
    assert {count for _, count in detector.warmed} == ({1} if most == 1 else {1, 2, 4})


def test_a_new_size_is_warmed_while_the_others_go_on():
    steps = []

    def slow_warm_up(input_hw, count):
        if input_hw == (96, 128):
            steps.append(count)
            time.sleep(0.15)

    detector = BrightnessDetector(warm_up_fault=slow_warm_up)
    with running(lambda device: detector) as rig:
        rig.look("a")
        rig.add("b", longest_side_px=128)
        rig.put("b")
        while len(steps) < 3:
            before = len(steps)
            rig.look("a", timeout_s=1)
            assert len(steps) - before <= 2, "camera a waited for more than the step that was running"
        assert steps == [1, 2, 4]
        while rig.results.get(0.1) is not None:
            pass
        assert rig.look("b").frame.camera_id == "b"


def test_sizes_that_no_camera_has_any_more_are_given_back_and_may_come_again():
    kept = set()

    class Forgetting(BrightnessDetector):
        def warm_up(self, input_hw, batch_sizes):
            kept.add(input_hw)
            super().warm_up(input_hw, batch_sizes)

        def forget(self, input_hw):
            kept.remove(input_hw)

    with running(lambda device: Forgetting(), initial_sizes=[(64, 64)], max_batch=1) as rig:
        rig.look("a", image_hw=(64, 64))
        rig.add("folder", longest_side_px=512)
        for height in range(32, 512, 32):
            assert rig.look("folder", image_hw=(height, 512)).frame.camera_id == "folder"
            assert {(64, 64), (height, 512)} <= kept
            assert len(kept) <= 6
        assert (32, 512) not in kept
        assert rig.look("folder", image_hw=(32, 512)).frame.camera_id == "folder"
        assert rig.look("a", image_hw=(64, 64)).frame.camera_id == "a"


def test_a_poison_frame_is_dropped_and_counted_and_its_batch_mates_are_not():
    def fault(pictures, input_hw, calls):
        if any(is_poison(picture) for picture in pictures):
            raise ValueError("cannot take this picture")

    detector = BrightnessDetector(fault=fault, call_s=0.02)
    with running(lambda device: detector, cameras=("a", "b", "c")) as rig:
        rig.look("a")
        bad = rig.put("a", red=POISON_RED)
        good = {rig.put("b"), rig.put("c")}
        seen = {rig.results.get(60).frame.index for _ in good}
        assert seen == good
        status = rig.until(lambda status: status.poison_frames == 1)
        assert status.state is WorkerState.READY
        assert status.rebuilds == 0
        assert bad not in seen
        looks = {camera.camera_id: camera for camera in rig.batcher.snapshot().cameras}
        assert looks["a"].dropped_failed == 1
        assert looks["b"].dropped_failed == 0


def test_broken_models_are_built_anew_and_work_goes_on():
    built = []

    def load(*, device):
        def fault(pictures, input_hw, calls):
            if len(built) == 1 and not all(is_blank(picture) for picture in pictures):
                broken.append(1)
            if broken and len(built) == 1:
                raise RuntimeError("device lost")

        broken = []
        built.append(device)
        return BrightnessDetector(fault=fault)

    with running(load) as rig:
        rig.look()
        status = rig.worker.status()
        assert built == ["cpu", "cpu"]
        assert (status.rebuilds, status.state, status.reason) == (1, WorkerState.READY, WorkerReason.NONE)
        assert status.lost_frames >= 1
        assert status.failures == 3


def test_broken_models_are_gone_before_others_are_built():
    built = []
    left = []

    def load(*, device):
        left.append([old for old in built if old() is not None])
        is_first = not built

        def fault(pictures, input_hw, calls):
            if is_first:
                raise RuntimeError("device lost")

        detector = BrightnessDetector(fault=fault)
        built.append(weakref.ref(detector))
        return detector

    gc.disable()
    try:
        with running(load, ready=False, initial_sizes=[(64, 64)]) as rig:
            rig.until(lambda status: status.working)
    finally:
        gc.enable()
    assert left == [[], []]


def test_a_device_that_breaks_twice_in_a_row_is_left_for_the_cpu_and_the_status_says_so():
    built = []

    def load(*, device):
        def fault(pictures, input_hw, calls):
            if device == "gpu":
                raise RuntimeError("CUDA_ERROR_LAUNCH_FAILED")

        built.append(device)
        return BrightnessDetector(device=device, fault=fault)

    states = []
    with running(load, device="gpu", ready=False, on_status=states.append, initial_sizes=[(64, 64)]) as rig:
        status = rig.until(lambda status: status.working)
        assert built == ["gpu", "gpu", "cpu"]
        assert (status.state, status.reason, status.device) == (
            WorkerState.DEGRADED,
            WorkerReason.CPU_FALLBACK,
            "cpu",
        )
        assert WorkerState.RECOVERING in {seen.state for seen in states}
        rig.look()


def test_models_that_cannot_be_loaded_are_a_failure_that_is_tried_again_at_growing_intervals():
    tries = []

    def load(*, device):
        tries.append((device, time.monotonic()))
        raise OSError("weights are missing, and viewer:hunter2 is a secret")

    pulses = []

    class Pulse:
        def beat(self):
            pulses.append(time.monotonic())

        def allow(self, seconds):
            pulses.append(time.monotonic())

    with running(load, device="auto", ready=False, pulse=Pulse()) as rig:
        status = rig.worker.wait_ready(5)
        assert (status.state, status.reason) == (WorkerState.FAILED, WorkerReason.LOAD_FAILED)
        assert status.detail == "OSError"
        assert "hunter2" not in repr(status)
        failed_s = time.monotonic()
        rig.until(lambda status: len(tries) >= 6)
    assert [device for device, _ in tries][:4] == ["auto", "auto", "cpu", "cpu"]
    pauses = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(tries)]
    for pause, backoff in zip(pauses, (0.02, 0.04, 0.08, 0.1, 0.1), strict=False):
        assert pause >= backoff
    assert not [beat for beat in pulses if beat > failed_s], "a failed worker must not feed the watchdog"


def test_want_of_memory_halves_the_batches_and_loses_no_frame():
    def fault(pictures, input_hw, calls):
        if len(pictures) > 2 and not all(is_blank(picture) for picture in pictures):
            raise MemoryError("unable to allocate")

    detector = BrightnessDetector(fault=fault, call_s=0.05)
    cameras = ("a", "b", "c", "d")
    with running(lambda device: detector, cameras=cameras, initial_sizes=[(64, 64)]) as rig:
        for _ in range(20):
            indices = {rig.put(camera) for camera in cameras}
            got = {rig.results.get(60).frame.index for _ in cameras}
            assert got == indices
            if rig.worker.status().batch_limits:
                break
        status = rig.until(lambda status: status.state is WorkerState.DEGRADED)
        assert status.reason is WorkerReason.OUT_OF_MEMORY
        assert status.batch_limits == (((64, 64), 2),)
        assert status.rebuilds == 0
        detector.batch_sizes.clear()
        for _ in range(3):
            for camera in cameras:
                rig.put(camera)
            for _ in cameras:
                assert rig.results.get(60) is not None
        assert max(detector.batch_sizes) <= 2


def test_want_of_memory_during_warm_up_keeps_the_sizes_that_fit():
    def warm_up_fault(input_hw, count):
        if count > 2:
            raise MemoryError

    with running(
        lambda device: BrightnessDetector(warm_up_fault=warm_up_fault), initial_sizes=[(64, 64)]
    ) as rig:
        status = rig.until(lambda status: status.reason is WorkerReason.OUT_OF_MEMORY)
        assert status.batch_limits == (((64, 64), 2),)
        rig.look()


def test_a_part_that_only_faces_reach_is_found_broken_by_the_number_of_frames_at_fault():
    built = []

    def load(*, device):
        generation = len(built)
        built.append(device)

        def fault(pictures, input_hw, calls):
            if generation == 0 and not all(is_blank(picture) for picture in pictures):
                raise RuntimeError("the classifier is broken")

        return BrightnessDetector(fault=fault)

    with running(load) as rig:
        rig.look(timeout_s=10)
        status = rig.worker.status()
        assert len(built) == 2
        assert status.poison_frames == 8
        assert status.rebuilds == 1


def test_a_receiver_that_fails_does_not_stop_the_worker(caplog):
    calls = []

    def sink(result):
        calls.append(result)
        raise RuntimeError("rules fell over")

    rig = Rig(lambda device: BrightnessDetector())
    rig.worker = InferenceWorker(
        batcher=rig.batcher, load_detector=BrightnessDetector, sink=sink, device="cpu"
    )
    rig.worker.start()
    with caplog.at_level(logging.CRITICAL):
        end = time.monotonic() + 5
        while len(calls) < 2 and time.monotonic() < end:
            rig.put()
            time.sleep(0.02)
    assert rig.worker.stop(5)
    assert len(calls) >= 2


def test_a_worker_that_never_started_can_be_stopped():
    rig = Rig(lambda device: BrightnessDetector())
    assert rig.worker.stop(1)
