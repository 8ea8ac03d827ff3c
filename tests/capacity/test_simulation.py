"""The simulation: by hand where nothing is left to chance, by queueing theory where it is, and under failures."""

import statistics
from dataclasses import replace

import pytest
from capacity.made_figures import BOTH, device_figures, processor_figures

from streamer.capacity.scenario import CameraKind, Failures, NodeGroup, Scenario
from streamer.capacity.simulation.outcome import simulate
from streamer.capacity.simulation.world import World


def _kind(**changes):
    settings = {
        "size": (1280, 720),
        "models": BOTH,
        "input_size": 640,
        "fps": 2.0,
        "live": False,
        "jitter_s": 0.0,
    }
    return CameraKind(**(settings | changes))


def _scenario(figures, *kinds, nodes=1, failures=None, **node):
    group = NodeGroup(figures=figures, count=nodes, **node)
    return Scenario(cameras=kinds, nodes=(group,), failures=failures or Failures())


def test_one_recording_is_looked_at_as_often_as_asked_and_waits_for_nothing():
    result = simulate(_scenario(processor_figures(verdict_ms=7.0), _kind()), seconds=50)
    assert result.looks_per_s == pytest.approx(2.0, rel=0.03)
    # the look, and the verdict, while one decoder takes the other core
    assert result.latency_ms == {"p50": 107.0, "p95": 107.0, "p99": 107.0, "most": 107.0}
    assert result.processor["mean"] == pytest.approx((2 * 0.107 + 25 * 0.004) / 2, rel=0.03)
    assert not result.drops


def test_a_live_frame_counts_from_when_its_decoder_took_it_up():
    result = simulate(_scenario(processor_figures(frame_ms=30.0), _kind(live=True)), seconds=20)
    assert result.latency_ms["p50"] == pytest.approx(130.0)


def test_two_threads_of_a_look_share_the_cores_with_decoders():
    # 3 cameras decode three fifths of a core's time; a look of 100 ms in two threads takes 50 ms alone
    quiet = simulate(_scenario(processor_figures(threads=2.0, frame_ms=0.01), _kind(count=3)), seconds=30)
    busy = simulate(_scenario(processor_figures(threads=2.0, frame_ms=8.0), _kind(count=3)), seconds=30)
    assert quiet.latency_ms["p50"] == pytest.approx(50.0, abs=0.5)
    # the cores' time is kept: what decoders take in the meantime a look takes longer
    assert 60.0 < busy.latency_ms["p50"] < 90.0


def test_looks_wait_for_each_other_as_pollaczek_and_khinchin_say():
    # many cameras of random phases come like Poisson's arrivals; half of the worker's time is taken
    kind = _kind(count=60, fps=0.5, stream_fps=0.5, live=True)
    scenario = _scenario(processor_figures(cores=64, look_ms=17.0, frame_ms=0.001), kind)
    waited_ms = []
    for seed in range(12):
        world = World(scenario, seed=seed, every_frame=True, counted_from_s=4.0)
        world.run(14.0)
        waited_ms.append(1000 * statistics.fmean(world.account.latencies_s) - 17.0)
    load = 60 * 0.5 * 0.017
    assert statistics.fmean(waited_ms) == pytest.approx(17.0 * load / (2 * (1 - load)), rel=0.2)


def test_what_is_too_much_is_shared_by_priority_and_nobody_starves():
    kinds = [_kind(count=6, fps=5.0, priority=priority) for priority in ("normal", "high")]
    world = World(
        _scenario(processor_figures(cores=8), *kinds), seed=0, every_frame=True, counted_from_s=10.0
    )
    world.run(110.0)
    looks = [world.account.cameras[camera.name].looks for camera in world.cameras]
    normal, high = looks[:6], looks[6:]
    assert sum(looks) == pytest.approx(100 / 0.1, rel=0.07)
    assert statistics.fmean(high) / statistics.fmean(normal) == pytest.approx(2.0, rel=0.15)
    assert min(normal) > 0.8 * max(normal)


def test_batches_grow_on_a_device_as_more_is_asked():
    few = simulate(_scenario(device_figures(), _kind(count=4, live=True)), seconds=20)
    many = simulate(_scenario(device_figures(), _kind(count=80, live=True)), seconds=20)
    assert few.mean_batch < 2 < 4 < many.mean_batch <= 8
    assert many.looks_per_s == pytest.approx(160, rel=0.03)
    assert few.devices["mean"] < many.devices["mean"] <= 1.0


def test_frames_that_are_not_followed_come_to_the_same():
    kind = _kind(count=60, live=True, jitter_s=0.01)
    whole = simulate(_scenario(device_figures(), kind), seconds=30, every_frame=True)
    short = simulate(_scenario(device_figures(), kind), seconds=30, every_frame=False)
    assert short.looks_per_s == pytest.approx(whole.looks_per_s, rel=0.02)
    assert short.latency_ms["p95"] == pytest.approx(whole.latency_ms["p95"], rel=0.1)
    assert short.devices["mean"] == pytest.approx(whole.devices["mean"], rel=0.1)
    assert short.processor["mean"] == pytest.approx(whole.processor["mean"], rel=0.1)
    assert short.actions < whole.actions / 4


def test_chance_goes_the_same_way_each_time():
    scenario = _scenario(device_figures(), _kind(count=10, live=True, jitter_s=0.02))
    one, other, third = (
        replace(simulate(scenario, seconds=10, seed=seed), simulated_in_s=0.0) for seed in (1, 1, 2)
    )
    assert one == other != third


def test_a_failed_worker_is_taken_over_and_comes_back():
    failures = Failures(worker_hours=0.02, repair_s=20.0, takeover_s=5.0)
    scenario = _scenario(device_figures(), _kind(count=20, live=True), nodes=4, failures=failures)
    result = simulate(scenario, seconds=200, seed=5, every_frame=False)
    assert result.events["worker failures"] >= 5
    assert result.events["cameras taken over"] >= 5
    # those of a lone failure are away for just as long as a takeover takes
    assert 5.0 <= result.unwatched_camera_s["longest"] < 30.0
    away = result.unwatched_camera_s["all"] / (20 * 200)
    assert result.looks_per_s == pytest.approx(40 * (1 - away), rel=0.05)
    assert result.longest_gap_s["most"] >= 5.0


def test_cameras_of_a_lone_node_wait_until_it_is_back():
    failures = Failures(node_hours=0.01, repair_s=15.0, takeover_s=2.0)
    result = simulate(_scenario(device_figures(), _kind(count=3), failures=failures), seconds=200, seed=1)
    assert result.events["node failures"] >= 2
    assert result.unwatched_camera_s["longest"] >= 14.9
    assert result.looks_per_s < 6


def test_nodes_of_two_kinds_hand_frames_over():
    door = NodeGroup(name="door", figures=processor_figures(cores=8), inference=False, count=2)
    brain = NodeGroup(name="brain", figures=device_figures(), ingest=False, price_per_hour=3.65)
    scenario = Scenario(cameras=(_kind(count=20, live=True),), nodes=(door, brain), link_ms=50.0)
    near = simulate(replace(scenario, link_ms=0.0), seconds=20)
    far = simulate(scenario, seconds=20)
    assert far.looks_per_s == pytest.approx(40, rel=0.03)
    assert 35 < far.latency_ms["p50"] - near.latency_ms["p50"] < 65
    assert far.price_per_hour == 3.65
    assert far.price_per_camera_month == pytest.approx(3.65 * 730 / 20)


def test_networks_that_wait_for_the_next_look_take_a_core_and_delay_nobody():
    figures = processor_figures(frame_ms=0.01)
    waiting = replace(figures, host=replace(figures.host, idle_look_ms=40.0))
    calm, calmly = (simulate(_scenario(one, _kind()), seconds=50) for one in (figures, waiting))
    assert calmly.latency_ms == calm.latency_ms
    assert calmly.processor["mean"] == pytest.approx(calm.processor["mean"] + 2 * 0.04 / 2, abs=0.004)
    busy, busily = (simulate(_scenario(one, _kind(count=12)), seconds=50) for one in (figures, waiting))
    assert busily.processor["mean"] == pytest.approx(busy.processor["mean"], abs=0.02)


def test_threads_of_others_take_their_share():
    scenario = _scenario(processor_figures(threads=2.0, frame_ms=0.01), _kind())
    # a look of two threads on two cores, beside as many of others: half as fast
    alone, beside = (simulate(scenario, seconds=20, rivals=rivals) for rivals in ([], [2.0]))
    assert alone.latency_ms["p50"] == pytest.approx(50.0, abs=0.5)
    assert beside.latency_ms["p50"] == pytest.approx(100.0, abs=0.5)
    by_turns = simulate(scenario, seconds=60, rivals=[0.0, 2.0])
    assert by_turns.latency_ms["p95"] == pytest.approx(100.0, abs=1.0)
    assert 50.0 < by_turns.latency_ms["p50"] < 100.5


def test_progress_is_told_to_the_end():
    told = []
    simulate(_scenario(processor_figures(), _kind()), seconds=5, tell=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
