"""The batching policy in simulated time, at a given cost of batches: rates, fairness, starvation."""

import pytest
from bench_batcher import LARGE_HW, SMALL_HW, SimulatedCamera, Simulation, cpu_cost, gpu_cost
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.inference.demand import PRIORITY_WEIGHTS, CameraDemand
from streamer.inference.schedule import Choice, LookSchedule, Wait


def camera(camera_id, fps=5.0, priority="normal", **options):
    return SimulatedCamera(CameraDemand(camera_id=camera_id, fps=fps, priority=priority), **options)


def test_with_time_enough_every_camera_gets_its_rate_evenly():
    cameras = [camera(f"c{i}", fps) for i, fps in enumerate([0.5, 1, 2, 2, 3])]
    run = Simulation(cameras, cpu_cost).run(60)
    assert not run.schedule.overloaded
    for each in cameras:
        fps, camera_id = each.demand.fps, each.demand.camera_id
        assert run.rate(camera_id) == pytest.approx(fps, rel=0.03, abs=0.02)
        assert run.longest_gap_s(camera_id) < 1.5 / fps
        assert run.schedule.cameras[camera_id].missed_looks == 0


def test_cameras_of_one_size_share_batches_and_sizes_are_never_mixed():
    run = Simulation([camera(f"c{i}") for i in range(16)], gpu_cost, max_batch=8).run(20)
    assert sum(run.batch_sizes) / len(run.batch_sizes) > 6
    mixed = Simulation(
        [camera(f"c{i}", input_hw=LARGE_HW if i % 2 else SMALL_HW) for i in range(8)], gpu_cost, max_batch=8
    )
    choices = []
    looked = mixed._look
    mixed._look = lambda input_hw, ids: (choices.append((input_hw, ids)), looked(input_hw, ids))
    mixed.run(5)
    for input_hw, ids in choices:
        assert {mixed.schedule.cameras[camera_id].input_hw for camera_id in ids} == {input_hw}


def test_overload_is_shared_in_proportion_to_priority_and_said():
    priorities = list(PRIORITY_WEIGHTS)
    cameras = [camera(f"{priority}{i}", 5, priority) for priority in priorities for i in range(4)]
    run = Simulation(cameras, cpu_cost).run(120)
    assert run.schedule.overloaded
    assert run.schedule.load > 4
    rates = {priority: [run.rate(f"{priority}{i}", since_s=20) for i in range(4)] for priority in priorities}
    for shared in rates.values():
        assert max(shared) <= 1.1 * min(shared), "equals are treated equally"
    low = sum(rates["low"]) / 4
    for priority, weight in PRIORITY_WEIGHTS.items():
        assert sum(rates[priority]) / 4 / low == pytest.approx(weight / PRIORITY_WEIGHTS["low"], rel=0.15)
    assert run.busy_s / run.now_s > 0.97, "no time is left unused while looks are missed"
    missed = {name: state.missed_looks for name, state in run.schedule.cameras.items()}
    assert missed["low0"] > missed["normal0"] > missed["high0"] > missed["critical0"] > 0
    for name, state in run.schedule.cameras.items():
        assert missed[name] + len(run.looks_s[name]) == pytest.approx(5 * run.now_s, rel=0.05), state


def test_a_low_camera_beside_many_critical_ones_is_never_starved():
    cameras = [camera(f"critical{i}", 30, "critical") for i in range(30)] + [camera("low", 5, "low")]
    run = Simulation(cameras, cpu_cost).run(300)
    assert run.schedule.load > 50
    granted = run.schedule.cameras["low"].granted_fps
    assert granted > 0
    assert run.rate("low", since_s=50) >= 0.8 * granted
    assert run.longest_gap_s("low", since_s=50) < 3 / granted


@settings(max_examples=15, deadline=None)
@given(
    demands=st.lists(
        st.tuples(
            st.sampled_from([0.5, 1.0, 2.0, 5.0, 10.0, 15.0]),
            st.sampled_from(list(PRIORITY_WEIGHTS)),
            st.sampled_from([LARGE_HW, SMALL_HW]),
        ),
        min_size=1,
        max_size=12,
    ),
    cost=st.sampled_from([cpu_cost, gpu_cost]),
    max_batch=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_nobody_starves_and_the_plan_is_kept_whatever_is_asked_for(demands, cost, max_batch, seed):
    cameras = [camera(f"c{i}", fps, priority, input_hw=hw) for i, (fps, priority, hw) in enumerate(demands)]
    run = Simulation(cameras, cost, max_batch=max_batch, seed=seed).run(40)
    longest_batch_s = max(cost(hw, max_batch) for hw in (LARGE_HW, SMALL_HW)) * 1.1
    for each in cameras:
        camera_id = each.demand.camera_id
        granted = run.schedule.cameras[camera_id].granted_fps
        assert run.longest_gap_s(camera_id, since_s=10) <= 3 / granted + 3 * longest_batch_s
        # the plan counts on batches as full as the cameras of a size allow; unlike rates fill them less
        assert run.rate(camera_id, since_s=10) >= 0.5 * granted - 0.1
        assert run.rate(camera_id, since_s=10) <= 1.05 * each.demand.fps + 0.1


def test_an_absent_camera_is_not_waited_for_and_its_share_goes_to_the_others():
    cameras = [camera("there1"), camera("there2"), camera("gone", until_s=10)]
    run = Simulation(cameras, cpu_cost).run(60)
    for camera_id in ("there1", "there2"):
        assert run.rate(camera_id, since_s=15) == pytest.approx(5, rel=0.05)
    assert run.schedule.cameras["gone"].account(run.now_s, 0).missed_looks <= 3, "it had nothing to show"


def test_a_camera_that_comes_back_does_not_make_up_for_what_it_missed():
    cameras = [camera("steady"), camera("back", from_s=30)]
    run = Simulation(cameras, cpu_cost).run(40)
    assert len([look for look in run.looks_s["back"] if look < 31]) <= 7
    assert run.longest_gap_s("steady") < 0.5


def test_cameras_come_change_and_go_at_run_time():
    run = Simulation([camera("a", 2)], cpu_cost).run(20)
    run.add(camera("b", 4))
    run.run(20)
    assert run.rate("b", since_s=20) == pytest.approx(4, rel=0.05)
    run.schedule.set_camera(CameraDemand(camera_id="a", fps=6), run.now_s)
    run.run(20)
    assert run.rate("a", since_s=40) == pytest.approx(6, rel=0.06)
    assert run.schedule.cameras["a"].analysed == len(run.looks_s["a"]), "the account goes on"
    run.schedule.remove_camera("b")
    looks = len(run.looks_s["b"])
    run.run(5)
    assert len(run.looks_s["b"]) == looks


def ready_schedule(costs, *, window_s=0.0, max_batch=4, hw=LARGE_HW):
    schedule = LookSchedule(max_batch=max_batch, collect_window_s=window_s)
    schedule.set_limit(hw, max_batch, 0.0)
    for count, seconds in costs.items():
        schedule.latencies.observe(hw, count, seconds)
    return schedule


def join(schedule, camera_id, now_s, fps=5.0, hw=LARGE_HW, *, waiting=True):
    schedule.set_camera(CameraDemand(camera_id=camera_id, fps=fps), now_s)
    schedule.set_input(camera_id, hw)
    if waiting:
        schedule.frame_waiting(camera_id, now_s)


def test_the_batch_is_as_large_as_its_deadline_allows():
    schedule = ready_schedule({1: 0.10, 2: 0.15, 3: 0.22, 4: 0.28})
    for camera_id in ("a", "b", "c", "d"):
        join(schedule, camera_id, 0.0, fps=2.0)  # the looks that are due at 0 should have ended at 0.5
    assert len(schedule.choose(0.2).camera_ids) == 4
    assert schedule.choose(0.25) == Choice(LARGE_HW, ("a", "b", "c"))


def test_where_no_batch_meets_the_deadline_the_one_with_most_looks_per_second_runs():
    schedule = ready_schedule({1: 0.30, 2: 0.35, 3: 0.60, 4: 0.90})
    for camera_id in ("a", "b", "c", "d"):
        join(schedule, camera_id, 0.0, fps=1.0)
    assert schedule.choose(5.0) == Choice(LARGE_HW, ("a", "b"))


def test_a_large_batch_does_not_make_a_due_camera_of_another_size_late():
    schedule = ready_schedule({1: 0.10, 2: 0.20, 3: 0.30, 4: 0.40})
    schedule.set_limit(SMALL_HW, 4, 0.0)
    schedule.latencies.observe(SMALL_HW, 1, 0.05)
    for camera_id in ("a", "b", "c", "d"):
        join(schedule, camera_id, 0.0, fps=1.0)
    assert len(schedule.choose(0.5).camera_ids) == 4
    join(
        schedule, "other", 0.25, fps=1.0, hw=SMALL_HW
    )  # should have ended by 1.25, which leaves 0.45 s from 0.75
    assert len(schedule.choose(0.55).camera_ids) == 4
    assert len(schedule.choose(0.75).camera_ids) == 2


def test_a_partial_batch_waits_the_collection_window_and_no_longer():
    schedule = ready_schedule({1: 0.01, 2: 0.012}, window_s=0.02)
    join(schedule, "a", 10.0)
    join(schedule, "b", 10.0, waiting=False)
    assert schedule.choose(10.0) == Wait(10.02)
    schedule.frame_waiting("b", 10.005)
    join(schedule, "c", 10.0, waiting=False)
    schedule.frame_waiting("c", 10.01)
    assert schedule.choose(10.01) == Choice(LARGE_HW, ("a", "b", "c")), "nobody else is about to come"
    schedule.nothing_there("b")
    schedule.nothing_there("c")
    assert schedule.choose(10.0201) == Choice(LARGE_HW, ("a",))
    assert schedule.choose(13.0) == Choice(LARGE_HW, ("a",)), "absent cameras are not waited for"


def test_nothing_runs_before_its_size_is_ready_or_without_a_frame():
    schedule = LookSchedule()
    schedule.set_camera(CameraDemand(camera_id="a", fps=5), 0.0)
    schedule.frame_waiting("a", 0.0)
    assert schedule.choose(0.0) == Wait(None)
    schedule.set_input("a", LARGE_HW)
    assert schedule.choose(0.0) == Wait(None)
    schedule.set_limit(LARGE_HW, 1, 0.0)
    assert schedule.choose(0.0) == Choice(LARGE_HW, ("a",))
    schedule.looked("a", 0.0)
    assert schedule.choose(0.0) == Wait(None)
    schedule.frame_waiting("a", 0.1)
    assert schedule.choose(0.1) == Wait(pytest.approx(0.2, abs=0.05))


def test_the_time_before_the_models_are_ready_is_no_starvation():
    schedule = LookSchedule()
    join(schedule, "a", 0.0)
    schedule.set_limit(LARGE_HW, 0, 1.0)
    schedule.set_limit(LARGE_HW, 1, 20.0)
    assert schedule.choose(20.0) == Choice(LARGE_HW, ("a",))
    schedule.looked("a", 20.05)
    assert schedule.cameras["a"].missed_looks == 0
    schedule.frame_waiting("a", 20.1)
    schedule.looked("a", 21.05)  # due at 20.25, four periods earlier
    assert schedule.cameras["a"].missed_looks == 4


@pytest.mark.parametrize("wrong", [{"max_batch": 0}, {"collect_window_s": -1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        LookSchedule(**wrong)


@pytest.mark.parametrize(("gap_s", "next_due_s"), [(1.0, 3.0), (0.2, 2.6)])
def test_a_late_look_does_not_make_later_frames_wait(gap_s, next_due_s):
    """Frames of a sampled stream are due as they come; of one that sends more, looks keep their own pace."""
    schedule = LookSchedule(max_batch=1, collect_window_s=0.0)
    schedule.set_limit(LARGE_HW, 1, 0.0)
    schedule.set_camera(CameraDemand(camera_id="a", fps=1.0), 0.0)
    schedule.set_input("a", LARGE_HW)
    state = schedule.cameras["a"]
    for at_s in (0.0, gap_s):
        schedule.frame_waiting("a", at_s)
    schedule.looked("a", 0.9 + gap_s)
    schedule.frame_waiting("a", 2 * gap_s)
    schedule.looked("a", state.due_s)
    assert state.due_s == pytest.approx(next_due_s)
