import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.letterbox import default_input_size
from streamer.inference.demand import CameraDemand
from streamer.inference.fair_shares import RateDemand, grant_rates, load_of
from streamer.inference.latency import LatencyTable
from streamer.inference.readiness import Readiness
from streamer.inference.recovery import Recovery

DEMANDS = st.lists(
    st.builds(
        RateDemand,
        fps=st.floats(0.1, 30),
        weight=st.sampled_from([0.5, 1.0, 2.0, 4.0]),
        cost_s=st.floats(0.001, 2),
    ),
    min_size=1,
    max_size=40,
)
HW = (736, 1280)


@given(DEMANDS)
def test_granted_rates_fit_use_all_the_time_and_keep_the_order_of_weights(demands):
    granted = grant_rates(demands, usable_share=0.95, guaranteed_share=0.05)
    used = sum(fps * demand.cost_s for fps, demand in zip(granted, demands, strict=True))
    assert used == pytest.approx(min(0.95, load_of(demands)), rel=1e-6)
    shares = [fps / demand.fps for fps, demand in zip(granted, demands, strict=True)]
    assert all(0 < share <= 1 for share in shares)
    for one, share in zip(demands, shares, strict=True):
        for other, other_share in zip(demands, shares, strict=True):
            if one.weight <= other.weight:
                assert share <= other_share * (1 + 1e-9)
            if 0.0501 < share < other_share < 0.9999:
                assert other_share / share == pytest.approx(other.weight / one.weight, rel=1e-6)


def test_the_guaranteed_share_holds_for_the_least_weight_and_shrinks_for_all_when_it_does_not_fit():
    critical = RateDemand(fps=10, weight=4, cost_s=0.1)
    low = RateDemand(fps=10, weight=0.5, cost_s=0.1)
    granted = grant_rates([critical] * 5 + [low], usable_share=0.95, guaranteed_share=0.05)
    assert granted[-1] == pytest.approx(0.5)
    hopeless = grant_rates([critical] * 100 + [low], usable_share=0.95, guaranteed_share=0.05)
    assert set(hopeless) == {hopeless[0]}
    assert sum(hopeless) * 0.1 == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("image_hw", "expected"),
    [
        ((1080, 1920), 1280),
        ((2160, 3840), 1280),
        ((1920, 1080), 1280),
        ((720, 1280), 1280),
        ((576, 704), 1056),
        ((480, 640), 960),
        ((360, 640), 960),
        ((240, 320), 480),
    ],
)
def test_the_default_input_size(image_hw, expected):
    assert default_input_size(image_hw) == expected


@pytest.mark.parametrize("image_hw", [(0, 640), (480, -1)])
def test_the_default_input_size_of_no_picture(image_hw):
    with pytest.raises(ValueError, match="image_hw"):
        default_input_size(image_hw)


@pytest.mark.parametrize(
    "wrong", [{"fps": 0}, {"fps": float("inf")}, {"priority": "urgent"}, {"longest_side_px": 0}]
)
def test_demands_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CameraDemand(**({"camera_id": "gate", "fps": 5} | wrong))


def test_costs_are_learned_and_estimated_from_above():
    table = LatencyTable()
    guess = table.expected_s(HW, 4)
    assert guess > 0
    table.observe(HW, 2, 0.1)
    assert table.expected_s(HW, 2) == 0.1
    assert table.expected_s(HW, 1) == 0.1, "a smaller batch costs at most as much"
    assert table.expected_s(HW, 4) == 0.2, "a larger one at most in proportion"
    table.observe(HW, 8, 0.15)
    assert table.expected_s(HW, 4) == 0.15
    assert table.best_cost_s(HW, 8) == pytest.approx(0.15 / 8)
    assert table.expected_s((368, 640), 1) == pytest.approx(0.05 * 0.25), "another size by its pixels"
    for _ in range(50):
        table.observe(HW, 2, 0.3)
    assert table.expected_s(HW, 2) == pytest.approx(0.3, rel=0.01)
    table.forget()
    assert table.expected_s(HW, 4) == guess


def test_sizes_are_warmed_smallest_batch_first_and_the_least_prepared_size_first():
    readiness = Readiness(max_batch=6)
    readiness.begin([(1, 1), (2, 2)])
    order = []
    while (step := readiness.next_to_warm()) is not None:
        readiness.warmed(*step)
        order.append(step)
    assert order == [
        ((1, 1), 1),
        ((2, 2), 1),
        ((1, 1), 2),
        ((2, 2), 2),
        ((1, 1), 4),
        ((2, 2), 4),
        ((1, 1), 6),
        ((2, 2), 6),
    ]
    assert readiness.limit((1, 1)) == 6


def test_a_cap_is_lifted_step_by_step_after_minutes():
    readiness = Readiness(max_batch=8)
    readiness.begin([(1, 1)])
    for count in (1, 2):
        readiness.warmed((1, 1), count)
    readiness.cap((1, 1), 2, now_s=1000.0)
    assert readiness.next_to_warm() is None
    assert readiness.caps == (((1, 1), 2),)
    assert readiness.lift_caps(1299.0) == []
    assert readiness.lift_caps(1300.0) == [(1, 1)]
    assert readiness.caps == (((1, 1), 4),)
    assert readiness.next_to_warm() == ((1, 1), 4)
    readiness.warmed((1, 1), 4)
    readiness.lift_caps(1600.0)
    assert readiness.caps == ()
    assert readiness.next_to_warm() == ((1, 1), 8)


def test_recovery_backs_off_to_its_cap_and_from_the_gpu_to_the_cpu():
    recovery = Recovery(device="gpu", backoff_s=1, backoff_cap_s=10)
    pauses, devices = [], []
    for _ in range(8):
        pauses.append(recovery.broke(0.0))
        devices.append(recovery.device)
    assert pauses == [1, 2, 4, 8, 10, 10, 10, 10]
    assert devices == ["gpu", "cpu", "cpu", "cpu", "cpu", "cpu", "cpu", "cpu"]
    assert recovery.exhausted
    assert recovery.fell_back


def test_a_healthy_minute_forgives_but_never_leads_back_to_the_broken_device():
    recovery = Recovery(device="auto", backoff_s=1)
    recovery.broke(0.0)
    recovery.broke(1.0)
    recovery.built(5.0)
    assert recovery.broke(64.0) == 64.0 + 4
    recovery.built(70.0)
    assert recovery.broke(130.0) == 130.0 + 1
    assert recovery.device == "cpu"
    assert not recovery.exhausted
