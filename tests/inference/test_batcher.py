"""The batcher over real mailboxes, with a clock that the test moves."""

import threading
import time

import pytest
from faulty_detectors import frame

from streamer.inference.batcher import Batcher
from streamer.inference.demand import CameraDemand
from streamer.inference.results import InferenceResult, LookTimings, ResultQueue
from streamer.ingest.mailbox import Mailbox

HW = (64, 64)


class Cameras:
    def __init__(self, *camera_ids, fps=1000.0, prepared=True, **options):
        self.batcher = Batcher(collect_window_s=0, **options)
        self.mailboxes = {}
        for camera_id in camera_ids:
            self.set(camera_id, fps=fps)
        if prepared:
            self.batcher.set_limit(HW, 4)

    def set(self, camera_id, *, fps=1000.0, longest_side_px=64):
        mailbox = self.mailboxes.setdefault(
            camera_id, Mailbox(camera_id, notify=lambda: self.batcher.frame_ready(camera_id))
        )
        self.batcher.set_camera(
            CameraDemand(camera_id=camera_id, fps=fps, longest_side_px=longest_side_px), mailbox
        )

    def put(self, camera_id, **options):
        made = frame(camera_id, **options)
        self.mailboxes[camera_id].put(made)
        return made

    def looks(self, camera_id):
        return next(look for look in self.batcher.snapshot().cameras if look.camera_id == camera_id)


def test_it_takes_the_newest_frame_of_each_camera():
    now_s = time.monotonic()
    # a standing clock: at 1000 fps the time between two lines may already cost a camera its place in the batch
    cameras = Cameras("a", "b", clock=lambda: now_s)
    cameras.put("a", index=1)
    newest = {cameras.put("a", index=2), cameras.put("b", index=1)}
    batch = cameras.batcher.next_batch(1)
    assert set(batch.frames) == newest
    assert batch.input_hw == HW
    assert cameras.looks("a").dropped_replaced == 1
    assert cameras.batcher.next_batch(0) is None


def test_a_frame_that_arrives_wakes_the_worker_at_once():
    cameras = Cameras("a")
    threading.Timer(0.1, lambda: cameras.put("a")).start()
    started = time.monotonic()
    assert cameras.batcher.next_batch(60) is not None
    assert time.monotonic() - started < 30


def test_stale_frames_are_dropped_and_counted():
    now = [time.monotonic()]
    cameras = Cameras("a", max_age_s=1.0, clock=lambda: now[0])
    cameras.put("a")
    now[0] += 1.5
    assert cameras.batcher.next_batch(0) is None
    assert cameras.looks("a").dropped_stale == 1
    fresh = frame("a")
    cameras.mailboxes["a"].put(fresh)
    now[0] = fresh.received_mono_s + 0.9
    assert cameras.batcher.next_batch(0).frames == (fresh,)


def test_an_unknown_size_is_announced_and_its_frame_looked_at_once_it_is_prepared():
    cameras = Cameras("a", prepared=False)
    first = cameras.put("a")
    started = time.monotonic()
    assert cameras.batcher.next_batch(60) is None, "returns at once so that the size can be prepared"
    assert time.monotonic() - started < 30
    assert cameras.batcher.sizes_to_prepare() == [HW]
    cameras.batcher.set_limit(HW, 1)
    assert cameras.batcher.sizes_to_prepare() == []
    assert cameras.batcher.next_batch(1).frames == (first,)


def test_a_newer_frame_replaces_the_one_that_was_held_back_and_that_is_counted():
    cameras = Cameras("a", prepared=False)
    cameras.put("a", index=1)
    cameras.batcher.next_batch(0)
    newer = cameras.put("a", index=2)
    cameras.batcher.set_limit(HW, 1)
    assert cameras.batcher.next_batch(1).frames == (newer,)
    assert cameras.looks("a").dropped_replaced == 1


def test_a_stream_that_changes_its_size_goes_on_in_batches_of_the_new_one():
    cameras = Cameras("a", "b", prepared=True)
    cameras.put("a")
    assert cameras.batcher.next_batch(1).input_hw == HW
    portrait = cameras.put("a", image_hw=(128, 32))
    other = cameras.put("b")
    assert cameras.batcher.next_batch(1).frames == (other,), "the other camera's batch is not held up"
    assert cameras.batcher.next_batch(5) is None
    assert cameras.batcher.sizes_to_prepare() == [(64, 32)]
    cameras.batcher.set_limit((64, 32), 1)
    batch = cameras.batcher.next_batch(1)
    assert (batch.input_hw, batch.frames) == ((64, 32), (portrait,))


def test_a_camera_whose_input_size_setting_changes_moves_to_it():
    cameras = Cameras("a")
    cameras.put("a")
    assert cameras.batcher.next_batch(1).input_hw == HW
    cameras.set("a", longest_side_px=96)
    held = cameras.put("a")
    assert cameras.batcher.next_batch(0) is None
    assert cameras.batcher.sizes_to_prepare() == [(96, 96)]
    cameras.batcher.set_limit((96, 96), 4)
    assert cameras.batcher.next_batch(1).frames == (held,)


def test_frames_put_before_the_camera_was_added_are_seen():
    batcher = Batcher(collect_window_s=0)
    batcher.set_limit(HW, 4)
    mailbox = Mailbox("a")
    mailbox.put(frame("a"))
    batcher.set_camera(CameraDemand(camera_id="a", fps=5, longest_side_px=64), mailbox)
    assert batcher.next_batch(1) is not None


def test_a_camera_can_be_removed_while_its_frame_is_being_looked_at():
    cameras = Cameras("a", "b")
    cameras.put("a")
    batch = cameras.batcher.next_batch(1)
    cameras.batcher.remove_camera("a")
    cameras.batcher.record_look(batch.frames[0])
    cameras.batcher.record_failure(batch.frames[0])
    cameras.put("a")
    assert cameras.batcher.next_batch(0) is None
    assert [look.camera_id for look in cameras.batcher.snapshot().cameras] == ["b"]


def test_a_mailbox_that_was_emptied_costs_nothing_but_the_attempt():
    cameras = Cameras("a")
    cameras.put("a")
    cameras.mailboxes["a"].clear()
    assert cameras.batcher.next_batch(0) is None
    assert cameras.looks("a").dropped_replaced == 1
    assert cameras.looks("a").missed_looks == 0


def test_the_account_tells_rates_latencies_and_losses():
    now = [time.monotonic()]
    cameras = Cameras("a", fps=5, clock=lambda: now[0])
    for _ in range(50):
        now[0] += 0.2
        made = cameras.put("a")
        object.__setattr__(made, "received_mono_s", now[0])
        batch = cameras.batcher.next_batch(0)
        now[0] += 0.05
        cameras.batcher.record_batch(batch.input_hw, batch.models, 0.05)
        cameras.batcher.record_look(batch.frames[0])
        now[0] -= 0.05
    looks = cameras.looks("a")
    assert looks.analysed == 50
    assert looks.analysed_fps == pytest.approx(5, rel=0.05)
    assert looks.latency_p50_s == pytest.approx(0.05)
    assert looks.latency_p95_s == pytest.approx(0.05)
    assert looks.wanted_fps == looks.granted_fps == 5
    assert looks.missed_looks == 0
    assert not cameras.batcher.snapshot().overloaded
    cameras.put("a")
    now[0] += 3
    waiting = cameras.looks("a")
    assert waiting.waiting_s == pytest.approx(2.8, abs=0.1)
    assert waiting.missed_looks == 0
    object.__setattr__(cameras.put("a"), "received_mono_s", now[0])
    assert cameras.batcher.next_batch(0) is not None
    assert cameras.looks("a").missed_looks == pytest.approx(14, abs=1)


def test_closing_ends_every_wait():
    cameras = Cameras("a")
    threading.Timer(0.1, cameras.batcher.close).start()
    started = time.monotonic()
    assert cameras.batcher.next_batch(60) is None
    assert time.monotonic() - started < 30
    cameras.put("a")
    assert cameras.batcher.next_batch(30) is None


def test_many_threads_put_change_and_take_without_losing_count():
    cameras = Cameras(*"abcdef")
    stop = threading.Event()
    put = dict.fromkeys("abcdef", 0)

    def feed(camera_id):
        while not stop.is_set():
            cameras.put(camera_id)
            put[camera_id] += 1

    def reload():
        while not stop.is_set():
            cameras.set("a", fps=500.0)
            cameras.batcher.snapshot()

    threads = [threading.Thread(target=feed, args=(camera_id,)) for camera_id in put]
    threads.append(threading.Thread(target=reload))
    for thread in threads:
        thread.start()
    taken = dict.fromkeys("abcdef", 0)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        batch = cameras.batcher.next_batch(0.1)
        for made in batch.frames if batch else ():
            taken[made.camera_id] += 1
            cameras.batcher.record_look(made)
    stop.set()
    for thread in threads:
        thread.join()
    left = cameras.batcher.next_batch(0.1)
    for made in left.frames if left else ():
        taken[made.camera_id] += 1
    assert all(taken.values())
    for look in cameras.batcher.snapshot().cameras:
        waiting = cameras.mailboxes[look.camera_id].peek_age_s() is not None
        counted = taken[look.camera_id] + look.dropped_replaced + look.dropped_stale + waiting
        assert put[look.camera_id] - counted in {0}, "every frame is looked at, or dropped for a reason"


def result(index, camera_id="a"):
    made = frame(camera_id, index=index)
    return InferenceResult(made, None, LookTimings(0, 0, 1, 0))


def test_the_result_queue_keeps_the_order_and_drops_the_oldest_when_full():
    queue = ResultQueue(3)
    for index in range(5):
        queue.put(result(index, "a" if index else "b"))
    assert [queue.get(0).frame.index for _ in range(3)] == [2, 3, 4]
    assert queue.get(0.01) is None
    assert queue.dropped == {"a": 1, "b": 1}


def test_a_closed_result_queue_gives_what_it_holds_and_takes_no_more():
    queue = ResultQueue()
    queue.put(result(1))
    queue.close()
    queue.put(result(2))
    assert queue.closed
    assert len(queue) == 1
    assert queue.get(60).frame.index == 1
    started = time.monotonic()
    assert queue.get(60) is None
    assert time.monotonic() - started < 30
    assert queue.dropped == {"a": 1}


def test_a_result_queue_holds_at_least_one():
    with pytest.raises(ValueError, match="capacity"):
        ResultQueue(0)


def test_an_age_limit_must_be_above_zero():
    with pytest.raises(ValueError, match="max_age_s"):
        Batcher(max_age_s=0)
