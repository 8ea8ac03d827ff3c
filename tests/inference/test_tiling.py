"""Looks in several views: which ones, what they cost the others, and what becomes of failures."""

import numpy as np
import pytest
from bench_batcher import SMALL_HW, SimulatedCamera, Simulation, cpu_cost, gpu_cost
from faulty_detectors import POISON_RED, BrightnessDetector, frame, is_poison
from hypothesis import given, settings
from hypothesis import strategies as st

from config import load_site
from models.pictures import ArrayPicture
from models.tiles import grid_views, whole_view
from streamer import wiring
from streamer.followed import FollowedHeads
from streamer.inference.batcher import Batcher
from streamer.inference.demand import PRIORITY_WEIGHTS, CameraDemand
from streamer.inference.results import ResultQueue
from streamer.inference.tiled_attempts import detect_views_with_care
from streamer.inference.tiling import TilePolicy, Tiling
from streamer.inference.worker import InferenceWorker
from streamer.inference.worker_status import WorkerState
from streamer.ingest.mailbox import Mailbox

HW = (1080, 1920)
INPUT_HW = (384, 640)


def tiled(columns: int, rows: int) -> Tiling:
    return Tiling(TilePolicy(columns=columns, rows=rows))


def head(index: int, height: float = 20.0) -> tuple[float, float, float, float]:
    """Heads beside each other, forty pixels apart."""
    x, y = 40.0 * (index % 40) + 100, 40.0 * (index // 40) + 100
    return x, y, x + 0.75 * height, y + height


# --- what is looked at ---------------------------------------------------------------------------------


def test_a_grid_is_the_same_with_every_look():
    tiling = tiled(2, 2)
    assert tiling.pictures == 5, "known before the first look"
    views = tiling.views(HW, INPUT_HW)
    assert views == grid_views(HW, columns=2, rows=2, overlap=0.2)
    assert tiling.views(HW, INPUT_HW) == views


def test_heads_of_those_who_are_followed_are_looked_at_again_where_that_shows_more():
    heads = FollowedHeads()
    tiling = Tiling(TilePolicy(follow=True), heads)
    assert tiling.views(HW, INPUT_HW) == (whole_view(HW),)
    assert tiling.pictures == 1
    heads.boxes = {3: head(0), 4: head(5, height=300.0), 9: head(8)}
    whole, closer = tiling.views(HW, INPUT_HW)
    assert whole.is_whole
    assert len(closer.cells) == 2, "one is large enough already"
    assert closer.view_hw == INPUT_HW
    assert tiling.pictures == 2
    heads.boxes = {}
    assert tiling.views(HW, INPUT_HW) == (whole_view(HW),)
    assert len(Tiling(TilePolicy(columns=2, rows=2, follow=True), heads).views(HW, INPUT_HW)) == 5


@given(count=st.integers(1, 40), most=st.integers(1, 20), looks=st.integers(1, 12))
def test_heads_take_turns(count, most, looks):
    heads = FollowedHeads()
    heads.boxes = {track + 1: head(track) for track in range(count)}
    tiling = Tiling(TilePolicy(follow=True, most_heads=most), heads)
    turns = np.zeros(count, int)
    for _ in range(looks):
        views = tiling.views(HW, INPUT_HW)
        cells = [cell for view in views[1:] for cell in view.cells]
        assert len(cells) == min(most, count)
        assert all(len(view.cells) <= 15 for view in views[1:])
        for cell in cells:
            x1, y1, x2, y2 = cell.region_xyxy
            near = [
                abs((x1 + x2) / 2 - box[0] - 7.5) + abs((y1 + y2) / 2 - box[1] - 10)
                for box in heads.boxes.values()
            ]
            turns[int(np.argmin(near))] += 1
    assert turns.max() - turns.min() <= 1


def test_who_is_gone_is_forgotten_and_who_comes_is_next():
    heads = FollowedHeads()
    tiling = Tiling(TilePolicy(follow=True, most_heads=1), heads)
    for boxes, expected in (
        ({1: head(0), 2: head(5)}, head(0)),
        ({1: head(0), 2: head(5)}, head(5)),
        ({1: head(0), 2: head(5), 3: head(9)}, head(9)),
        ({1: head(0), 3: head(9)}, head(0)),
    ):
        heads.boxes = boxes
        ((cell,),) = [view.cells for view in tiling.views(HW, INPUT_HW)[1:]]
        assert abs((cell.region_xyxy[0] + cell.region_xyxy[2]) / 2 - expected[0] - 7.5) <= 1


def test_what_may_be_a_head_gets_the_room_that_is_left_the_surest_first():
    heads = FollowedHeads()
    heads.boxes = {0: head(0), -1: head(1), -2: head(2), 7: head(10), 8: head(11)}

    def looked_at(most_heads: int) -> list[int]:
        tiling = Tiling(TilePolicy(follow=True, most_heads=most_heads), heads)
        tiling.views(HW, INPUT_HW)
        cells = [cell for view in tiling.views(HW, INPUT_HW)[1:] for cell in view.cells]
        return [round(((cell.region_xyxy[0] + cell.region_xyxy[2]) / 2 - 107.5) / 40) for cell in cells]

    assert looked_at(2) == [10, 11]
    assert looked_at(4) == [10, 11, 0, 1]
    assert looked_at(1) == [11], "the second look"


def test_policies_that_cannot_be_are_refused():
    assert TilePolicy().is_plain
    for wrong in ({"columns": 0}, {"overlap": 1.0}, {"head_px": 0}, {"most_heads": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            TilePolicy(**wrong)


def test_a_camera_asks_for_the_tiles_of_its_settings(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(
        "site: {name: yard}\ncameras:\n"
        "  plain: {url: rtsp://10.0.0.1/a}\n"
        "  tiled: {url: rtsp://10.0.0.1/b, tiles: {grid: [2, 3], overlap: 0.1}}\n"
        "  close: {url: rtsp://10.0.0.1/c, tiles: {follow: true, head: 24, heads: 7}}\n"
    )
    site, heads = load_site(path), FollowedHeads()
    demands = {name: wiring.demand_of(site, name, heads) for name in site.cameras}
    assert (demands["plain"].tiling, demands["plain"].pictures) == (None, 1)
    assert demands["tiled"].pictures == 7
    assert len(demands["tiled"].shown) == 7
    assert demands["tiled"].tiling.views(HW, INPUT_HW) == grid_views(HW, columns=2, rows=3, overlap=0.1)
    assert demands["close"].tiling.policy == TilePolicy(follow=True, head_px=24, most_heads=7)
    heads.boxes = {1: head(1)}
    assert len(demands["close"].tiling.views(HW, INPUT_HW)) == 2, "it is told of the heads"


# --- what it costs -------------------------------------------------------------------------------------


def camera(camera_id, fps=5.0, priority="normal", tiling=None):
    demand = CameraDemand(camera_id=camera_id, fps=fps, priority=priority, tiling=tiling)
    return SimulatedCamera(demand, input_hw=SMALL_HW)


def test_a_camera_with_tiles_costs_what_its_pictures_cost():
    plain = Simulation([camera("a", 1)], cpu_cost).run(20)
    dear = Simulation([camera("a", 1, tiling=tiled(2, 2))], cpu_cost).run(20)
    assert dear.batch_sizes[0] == 5, "larger than a batch: it runs alone"
    assert dear.rate("a", since_s=5) == pytest.approx(1, rel=0.1)
    assert dear.schedule.load == pytest.approx(dear.busy_s / dear.now_s, rel=0.15)
    assert dear.schedule.load > 4 * plain.schedule.load * 0.8


@settings(max_examples=10, deadline=None)
@given(
    wishes=st.lists(
        st.tuples(
            st.sampled_from([0.5, 2.0, 5.0, 10.0]),
            st.sampled_from(list(PRIORITY_WEIGHTS)),
            st.sampled_from([(1, 1), (2, 2), (3, 3)]),
        ),
        min_size=1,
        max_size=10,
    ),
    cost=st.sampled_from([cpu_cost, gpu_cost]),
    max_batch=st.integers(1, 8),
)
def test_nobody_starves_beside_cameras_with_tiles(wishes, cost, max_batch):
    cameras = [
        camera(f"c{i}", fps, priority, None if grid == (1, 1) else tiled(*grid))
        for i, (fps, priority, grid) in enumerate(wishes)
    ]
    run = Simulation(cameras, cost, max_batch=max_batch).run(40)
    longest_batch_s = 1.1 * max(cost(SMALL_HW, max(run.batch_sizes)), cost(SMALL_HW, max_batch))
    for each in cameras:
        camera_id = each.demand.camera_id
        granted = run.schedule.cameras[camera_id].granted_fps
        assert run.longest_gap_s(camera_id, since_s=10) <= 3 / granted + 3 * longest_batch_s
        assert run.rate(camera_id, since_s=10) >= 0.5 * granted - 0.1
    largest = max(each.demand.pictures for each in cameras)
    assert max(run.batch_sizes) <= max(max_batch, largest), "only a look that is larger alone exceeds a batch"


def test_equal_cameras_keep_equal_shares_of_their_wishes_whoever_has_tiles():
    cameras = [camera(f"plain{i}", 5) for i in range(8)] + [
        camera(f"tiled{i}", 5, tiling=tiled(2, 2)) for i in range(4)
    ]
    run = Simulation(cameras, cpu_cost).run(120)
    assert run.schedule.overloaded
    rates = [run.rate(each.demand.camera_id, since_s=20) for each in cameras]
    assert max(rates) <= 1.15 * min(rates)


# --- what becomes of it --------------------------------------------------------------------------------


def looked(detector, frames, views, at_most=4):
    return detect_views_with_care(detector, frames, views, (64, 64), [None] * len(frames), at_most=at_most)


def grid(columns=2, rows=2):
    return grid_views((48, 64), columns=columns, rows=rows, overlap=0.2)


PLAIN = (whole_view((48, 64)),)


@settings(max_examples=25)
@given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(1, 8))
def test_every_frame_gets_its_own_detections_in_calls_that_fit(with_tiles, at_most):
    detector = BrightnessDetector()
    frames = [frame(str(i), red=10 * i + 10) for i in range(len(with_tiles))]
    outcome = looked(detector, frames, [grid() if tiles else PLAIN for tiles in with_tiles], at_most)
    assert max(detector.batch_sizes) <= at_most
    assert sum(detector.batch_sizes) == sum(5 if tiles else 1 for tiles in with_tiles)
    assert not outcome.errors
    for i, found in enumerate(outcome.detections):
        assert found.image_hw == (48, 64)
        assert found.scores[0] == pytest.approx((10 * i + 10) / 255)
        np.testing.assert_allclose(found.boxes_xyxy[0], [0, 0, 64, 48])
        assert len(found) == 1, "every tile is full, and so part of the whole"


def test_a_frame_of_which_one_view_fails_is_dropped_and_the_others_are_not():
    def fault(pictures, input_hw, calls):
        if any(is_poison(picture) for picture in pictures):
            raise ValueError("cannot take this picture")

    bad = frame("bad")
    pixels = bad.rgb().copy()
    pixels[grid()[4].cells[0].region_xyxy[1], grid()[4].cells[0].region_xyxy[0], 0] = POISON_RED
    bad = type(bad)("bad", 0, None, 0.0, 0.0, ArrayPicture(pixels))
    outcome = looked(BrightnessDetector(fault=fault), [frame("a"), bad, frame("b")], [grid(), grid(), PLAIN])
    assert [found is None for found in outcome.detections] == [False, True, False]
    assert outcome.poison == [1]
    assert outcome.broken is None


def test_broken_models_are_not_asked_for_the_rest():
    def fault(pictures, input_hw, calls):
        raise RuntimeError("device lost")

    detector = BrightnessDetector(fault=fault)
    outcome = looked(detector, [frame("a"), frame("b")], [grid(), grid()], at_most=2)
    assert isinstance(outcome.broken, RuntimeError)
    assert outcome.detections == [None, None]
    assert detector.calls == 3, "twice the first call, and once a blank picture"


def test_memory_that_ends_is_said_with_the_count_that_works():
    def fault(pictures, input_hw, calls):
        if len(pictures) > 2:
            raise MemoryError

    outcome = looked(BrightnessDetector(fault=fault), [frame("a"), frame("b")], [grid(), PLAIN], at_most=4)
    assert None not in outcome.detections
    assert (outcome.too_large, outcome.out_of_memory) == (2, True)


def test_the_worker_looks_in_tiles_and_hands_on_one_result_a_frame():
    batcher = Batcher(max_batch=2, collect_window_s=0.01)
    results = ResultQueue()
    detector = BrightnessDetector()
    worker = InferenceWorker(
        batcher=batcher, load_detector=lambda device: detector, sink=results.put, device="cpu"
    )
    mailboxes = {}
    for camera_id, tiling in (("plain", None), ("tiled", tiled(2, 2))):
        mailboxes[camera_id] = Mailbox(camera_id, notify=lambda name=camera_id: batcher.frame_ready(name))
        demand = CameraDemand(camera_id=camera_id, fps=100, longest_side_px=64, tiling=tiling)
        batcher.set_camera(demand, mailboxes[camera_id])
    worker.start()
    try:
        assert worker.wait_ready(10).state is WorkerState.READY
        got = set()
        for index in range(500):
            for camera_id, mailbox in mailboxes.items():
                mailbox.put(frame(camera_id, index=index, red=51))
            result = results.get(0.05)
            if result is not None:
                got.add(result.frame.camera_id)
                assert len(result.detections) == 1
                assert result.detections.image_hw == (48, 64)
            if got == set(mailboxes):
                break
        assert got == set(mailboxes)
        assert max(detector.batch_sizes) <= 2
    finally:
        assert worker.stop()
