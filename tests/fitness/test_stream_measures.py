"""Clocks and frame rates: what a stream tells beside its pictures."""

import numpy as np
import pytest

from streamer.fitness.frame_rate import FrameRate
from streamer.fitness.stream_clock import StreamClock


def fed(ppm: float, *, seconds: float, jitter_s: float = 0.02, ahead_s: float | None = None) -> StreamClock:
    """A clock that runs ``ppm`` fast, 10 packets a second, each delayed by jitter, a few by much."""
    rng = np.random.default_rng(3)
    clock = StreamClock()
    for number in range(int(10 * seconds)):
        true_s = number / 10
        delay_s = 0.05 + rng.exponential(jitter_s) + (1.0 if rng.random() < 0.01 else 0.0)
        clock.packet(true_s * (1 + ppm / 1e6), true_s + delay_s, ahead_s)
    return clock


@pytest.mark.parametrize("ppm", [-2000.0, -600.0, 0.0, 100.0, 800.0, 20_000.0])
def test_the_drift_is_found_through_the_networks_jitter(ppm: float) -> None:
    assert fed(ppm, seconds=420).drift_ppm == pytest.approx(ppm, abs=60)


def test_nothing_is_said_before_five_minutes_or_of_stamps_that_tell_no_time() -> None:
    assert fed(5000, seconds=250).drift_ppm is None
    # a camera that stamps 25 frames a second and sends 20
    assert fed(250_000, seconds=600).drift_ppm is None


def test_a_jump_of_the_stamps_begins_anew() -> None:
    clock = fed(0, seconds=420)
    clock.packet(9000.0, 421.0, None)
    assert clock.drift_ppm is None


def test_the_offset_is_that_of_the_sender_reports() -> None:
    assert fed(0, seconds=10, ahead_s=-42.0).offset_s == pytest.approx(-42.0)
    assert fed(0, seconds=10).offset_s is None
    # since the camera was switched on: no time of day
    assert fed(0, seconds=10, ahead_s=-1.7e9).offset_s is None


@pytest.mark.parametrize(
    ("wanted", "declared", "fps", "least", "most"),
    [
        (5, 25.0, 25.0, 1.0, 9.0),
        (5, 25.0, 6.0, 0.55, 0.6),  # enough for the rules, but a quarter of what it was
        (5, 25.0, 12.0, 1.0, 9.0),  # as cameras do at night
        (5, 25.0, 2.0, 0.0, 0.45),
        (5, 4.0, 4.0, 1.0, 1.0),  # it never gave more
        (5, None, 2.0, 0.15, 0.25),
        (15, 15.0, 8.0, 0.5, 0.6),
    ],
)
def test_frames_are_compared_with_what_is_wanted_and_what_was_usual(
    wanted, declared, fps, least, most
) -> None:
    rate = FrameRate(wanted)
    for _ in range(60):
        rate.share(declared or 25.0, declared, 1.0)
    assert least <= rate.share(fps, declared, 1.0) <= most
