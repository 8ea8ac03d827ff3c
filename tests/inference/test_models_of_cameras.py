"""Cameras whose pictures different models look at: they share batches, and none pays for another's models."""

import time

import pytest
from faulty_detectors import BrightnessDetector, frame

from streamer.inference.attempts import detect_with_care
from streamer.inference.batcher import Batcher
from streamer.inference.demand import CameraDemand
from streamer.inference.latency import LatencyTable
from streamer.inference.results import ResultQueue
from streamer.inference.schedule import LookSchedule
from streamer.inference.worker import InferenceWorker
from streamer.ingest.mailbox import Mailbox

HW = (64, 64)
FACES, GEAR, BOTH = frozenset({"faces"}), frozenset({"gear"}), frozenset({"faces", "gear"})


def test_costs_are_learned_for_each_set_of_models():
    table = LatencyTable()
    table.observe(HW, 1, 0.30, BOTH)
    assert table.expected_s(HW, 1, FACES) == 0.30, (
        "before it is measured it costs at most as much as more models"
    )
    table.observe(HW, 1, 0.05, FACES)
    table.observe(HW, 2, 0.08, FACES)
    assert table.expected_s(HW, 1, FACES) == 0.05
    assert table.expected_s(HW, 1, BOTH) == 0.30
    assert table.best_cost_s(HW, 2, FACES) == pytest.approx(0.04)
    mixed = [FACES, BOTH, FACES]
    assert table.expected_batch_s(HW, mixed) == pytest.approx(0.38), "at most its parts"
    table.observe_batch(HW, mixed, 0.33)
    assert table.expected_batch_s(HW, [BOTH, FACES, FACES]) == 0.33, "learned, in whatever order"
    table.observe_batch(HW, [FACES, FACES], 0.08)
    assert table.expected_batch_s(HW, [FACES, FACES]) == pytest.approx(0.08)
    table.forget()
    assert table.expected_batch_s(HW, mixed) == pytest.approx(3 * table.expected_s(HW, 1))


def test_a_camera_does_not_pay_for_the_models_of_others():
    schedule = LookSchedule(max_batch=4, collect_window_s=0.0)
    schedule.set_limit(HW, 4, 0.0)
    schedule.latencies.observe(HW, 1, 0.02, FACES)
    schedule.latencies.observe(HW, 1, 0.50, BOTH)
    for camera_id, models in (("gate", FACES), ("yard", BOTH)):
        schedule.set_camera(CameraDemand(camera_id=camera_id, fps=4, models=models), 0.0)
        schedule.set_input(camera_id, HW)
        schedule.frame_waiting(camera_id, 0.0)
    schedule.choose(0.0)
    assert schedule.load == pytest.approx(4 * 0.02 + 4 * 0.50)
    schedule.set_camera(CameraDemand(camera_id="yard", fps=4, models=FACES), 1.0)
    schedule.frame_waiting("gate", 1.0)
    schedule.choose(1.0)
    assert schedule.load == pytest.approx(8 * 0.02)


def test_cameras_with_different_models_share_a_batch():
    now_s = time.monotonic()
    batcher = Batcher(collect_window_s=0, clock=lambda: now_s)
    batcher.set_limit(HW, 4)
    wanted = {"a": FACES, "b": GEAR, "c": BOTH}
    for camera_id, models in wanted.items():
        mailbox = Mailbox(camera_id)
        mailbox.put(frame(camera_id))
        demand = CameraDemand(camera_id=camera_id, fps=1000, longest_side_px=64, models=models)
        batcher.set_camera(demand, mailbox)
    assert batcher.model_sets() == {FACES, GEAR, BOTH}
    assert [looks.models for looks in batcher.snapshot().cameras] == [
        ("faces",),
        ("gear",),
        ("faces", "gear"),
    ]
    batch = batcher.next_batch(1)
    assert {
        looked.camera_id: models for looked, models in zip(batch.frames, batch.models, strict=True)
    } == wanted


def test_a_batch_that_is_split_keeps_each_pictures_models():
    def fault(pictures, input_hw, calls):
        if len(pictures) > 1:
            raise MemoryError

    detector = BrightnessDetector(fault=fault)
    outcome = detect_with_care(detector, [frame("a"), frame("b")], HW, [FACES, GEAR])
    assert None not in outcome.detections
    assert detector.models == [(FACES, GEAR), None, (FACES,), (GEAR,)]


@pytest.fixture
def worker_of():
    running = []

    def start(load_detector, demands):
        batcher = Batcher(max_batch=2, collect_window_s=0.01)
        results = ResultQueue()
        mailboxes = {}
        for demand in demands:
            mailboxes[demand.camera_id] = Mailbox(
                demand.camera_id, notify=lambda name=demand.camera_id: batcher.frame_ready(name)
            )
            batcher.set_camera(demand, mailboxes[demand.camera_id])
        worker = InferenceWorker(
            batcher=batcher, load_detector=load_detector, sink=results.put, device="cpu", initial_sizes=[HW]
        )
        running.append(worker)
        worker.start()
        assert worker.wait_ready(10).working
        return worker, mailboxes, results

    yield start
    for worker in running:
        assert worker.stop(5)


def look(mailboxes, results, camera_id):
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        mailboxes[camera_id].put(frame(camera_id))
        result = results.get(0.1)
        if result is not None:
            return result
    raise AssertionError("no frame was looked at")


def wait_for(detector, looks):
    """Larger batches are measured while the worker looks already."""
    until_s = time.monotonic() + 10
    while not looks <= set(detector.models):
        assert time.monotonic() < until_s, detector.models
        time.sleep(0.005)


def demand(camera_id, models):
    return CameraDemand(camera_id=camera_id, fps=100, longest_side_px=64, models=models)


def test_every_set_of_models_is_measured_before_the_first_frame(worker_of):
    detector = BrightnessDetector()
    worker_of(lambda device: detector, [demand("a", FACES), demand("b", BOTH)])
    assert {(FACES,), (BOTH,)} <= set(detector.models)
    wait_for(detector, {(FACES, FACES), (BOTH, BOTH)})


def test_a_frame_is_looked_at_by_its_cameras_models(worker_of):
    detector = BrightnessDetector()
    _, mailboxes, results = worker_of(lambda device: detector, [demand("a", FACES), demand("b", GEAR)])
    wait_for(detector, {(FACES, FACES), (GEAR, GEAR)})
    before = len(detector.models)
    look(mailboxes, results, "b")
    assert set(detector.models[before:]) == {(GEAR,)}


def test_models_are_built_anew_when_others_are_needed(worker_of):
    built = []

    def load(device):
        built.append(BrightnessDetector())
        return built[-1]

    worker, mailboxes, results = worker_of(load, [demand("a", FACES)])
    look(mailboxes, results, "a")
    worker.rebuild()
    until_s = time.monotonic() + 10
    while len(built) < 2 and time.monotonic() < until_s:
        time.sleep(0.01)
    while results.get(0.05) is not None:
        pass
    look(mailboxes, results, "a")
    assert len(built) == 2
    assert built[1].calls > 0
    assert worker.status().working
    assert worker.status().failures == 0
