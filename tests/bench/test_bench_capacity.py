"""The benches of capacity, for a second or two: figures of this machine, and the simulation beside the daemon."""

import os
import subprocess
import sys

import pytest

from streamer.bench.agreement import measure_agreement
from streamer.bench.capacity import batch_costs, decode_cost, host_cost_of
from streamer.bench.clips import camera_clip
from streamer.bench.load import Outcome
from streamer.bench.others import running_others, watched_others
from streamer.capacity.figures import DecodeCost
from streamer.demo.site import CLIP


@pytest.fixture(scope="module")
def small_clip(tmp_path_factory):
    """Two seconds of a camera's stream."""
    return camera_clip(CLIP, tmp_path_factory.mktemp("clip"), image_hw=(180, 320), fps=10, seconds=2.0)


def test_frames_and_batches_of_this_machine_are_measured(small_clip):
    decode = decode_cost(small_clip)
    assert (decode.codec, decode.image_hw, decode.fps) == ("h264", (180, 320), 10)
    assert decode.mean_ms > 0 < decode.megabits_s
    one, two = batch_costs(small_clip, ["retinaface"], input_sizes_px=[320], batch_sizes=[1, 2], repeats=3)
    assert (one.count, two.count, one.input_hw) == (1, 2, (192, 320))
    assert two.processor_mean_ms > 1.2 * one.processor_mean_ms > 0


@pytest.mark.campaign
def test_the_simulation_is_put_beside_the_daemon(small_clip):
    figures = measure_agreement(
        small_clip, models=["retinaface"], sizes=(1,), fps=2.0, seconds=1.5, repeats=1, input_size_px=320
    )
    assert figures["1_cameras_looks_per_s"]["median"] > 0
    # whatever else this machine does, one camera at two looks a second is no load
    assert figures["1_cameras_simulated_looks_per_s"]["median"] == pytest.approx(2.0, rel=0.05)
    assert figures["ratio_p95_at_1_cameras"]["runs"] == 1
    ratios = [figures["ratio_looks_at_1_cameras"]["median"], figures["ratio_p95_at_1_cameras"]["median"]]
    furthest = max(abs(ratio - 1) for ratio in ratios)
    assert figures["furthest_apart"] == pytest.approx(furthest, abs=0.001)
    assert figures["agree"] == (furthest <= 0.15)


def _outcome(looks, **processor_s):
    """Ten seconds of two cameras; the rules took 3 ms of each look by themselves."""
    return Outcome(
        seconds=10.0,
        looks=[looks // 2, looks // 2],
        latencies_s=[0.1] * looks,
        processor_s=processor_s,
        peak_memory_mb=1.0,
        verdicts_s=[0.003] * looks,
    )


def test_what_stands_around_frames_and_looks_is_what_is_left_of_the_threads():
    decode = DecodeCost(codec="h264", image_hw=(720, 1280), fps=25, megabits_s=2, frame_ms=(3.0,))
    # 500 frames and 40 looks; and as many looks as can be done
    calm = _outcome(
        40, decoding=1.75, looking=1.0, networks=3.4, judging=0.2, main=0.05, telling=0.15, all=6.55
    )
    busy = _outcome(100, decoding=1.5, looking=2.0, networks=8.4, all=12.0)
    host = host_cost_of(calm, busy, decode, alone_ms=100.0, cameras=2)
    assert host.frame_ms == pytest.approx(0.5)
    assert host.look_ms == pytest.approx(4.0)
    assert host.idle_look_ms == pytest.approx(6.0)
    assert host.verdict_ms == (pytest.approx(5.0),) * 40
    assert host.second_ms == pytest.approx(20.0)


def test_what_others_take_of_the_machine_is_a_share():
    with watched_others() as others:
        sum(range(3_000_000))
    assert 0 <= others.share <= 1


def test_our_own_threads_and_children_are_no_rivals_and_others_are():
    busy = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(busy, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            # as seen from here it is ours; as seen from init's other children it is not
            assert child.pid in running_others(own=1_000_000_000)
            assert child.pid not in running_others(own=os.getpid())
        finally:
            child.kill()
