"""Whether memory grows: the slope, how sure it is, and what the bench says of it."""

import numpy as np
import pytest

from streamer.bench.memory_growth import growth, lows
from streamer.bench.trend import trend

_HOURS = [index / 360 for index in range(361)]


def _noise(scale: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, len(_HOURS))


def test_the_slope_of_a_line_is_exact():
    line = trend([0.0, 1.0, 2.0, 4.0], [1.0, 3.0, 5.0, 9.0])
    assert line.slope == pytest.approx(2.0)
    assert line.standard_error == pytest.approx(0.0, abs=1e-9)


def test_the_standard_error_is_that_of_least_squares():
    slopes = [trend(_HOURS, 5.0 + _noise(1.0, seed)) for seed in range(300)]
    truly = float(np.std([line.slope for line in slopes]))
    assert float(np.mean([line.standard_error for line in slopes])) == pytest.approx(truly, rel=0.15)


def test_samples_that_resemble_their_neighbours_make_the_slope_less_sure():
    noise = _noise(1.0)
    smooth = np.convolve(noise, np.ones(20) / 20, mode="same")
    independent = smooth.std() * noise / noise.std()
    assert trend(_HOURS, smooth).standard_error > 3 * trend(_HOURS, independent).standard_error


@pytest.mark.parametrize(("x", "y"), [([0.0, 1.0], [1.0, 2.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])])
def test_too_little_for_a_line_is_refused(x, y):
    with pytest.raises(ValueError, match="three samples"):
        trend(x, y)


@pytest.mark.parametrize(
    ("mb", "verdict"),
    [
        (300 + _noise(0.3), "flat"),
        (300 + 4 * np.array(_HOURS) + _noise(0.3), "grows"),
        (300 - 4 * np.array(_HOURS) + _noise(0.3), "shrinks"),
        # the slope may be anything
        (300 + _noise(60.0), "too short to tell"),
    ],
)
def test_an_hour_is_judged_by_its_slope_and_doubt(mb, verdict):
    assert growth(_HOURS, list(mb))["verdict"] == verdict


def test_minutes_say_nothing_about_an_hour():
    assert growth([hour / 6 for hour in _HOURS], [300.0] * len(_HOURS))["verdict"] == "too short to tell"
    assert growth([0.0, 1.0], [300.0, 300.0])["verdict"] == "too short to tell"


def test_what_is_held_between_looks_is_the_lowest_of_each_minute():
    hours = [seconds / 3600 for seconds in range(0, 180, 20)]
    values = [5.0, 4.0, 9.0, 7.0, 6.0, 6.0, 3.0, 8.0, 8.0]
    at, lowest = lows(hours, values)
    assert lowest == [4.0, 6.0, 3.0]
    assert at == pytest.approx([20 / 3600, 80 / 3600, 120 / 3600])


def test_pictures_that_are_just_there_do_not_hide_a_leak():
    spikes = np.where(np.random.default_rng(1).random(len(_HOURS)) < 0.3, 25.0, 0.0)
    leak = 300 + 3 * np.array(_HOURS) + np.abs(_noise(0.5))
    all_readings, low_readings = (
        growth(_HOURS, list(leak + spikes)),
        growth(*lows(_HOURS, list(leak + spikes))),
    )
    assert low_readings["verdict"] == "grows"
    assert all_readings["standard_error"] > 3 * low_readings["standard_error"]
