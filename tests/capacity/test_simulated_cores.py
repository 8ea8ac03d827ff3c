"""Cores in simulated time: by hand, against small steps, and against formulas."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.capacity.simulation.agenda import Agenda
from streamer.capacity.simulation.processor import ManyCores, SharedCores, waiting_probability

_JOB = st.tuples(st.floats(0, 2), st.floats(0.01, 1), st.sampled_from([1.0, 1.5, 2.0]))


def _ends(cores_count, jobs):
    """When each job ends: (begins_s, work_s, threads)."""
    agenda = Agenda()
    cores, ends = SharedCores(agenda, cores_count), {}
    for number, (begins_s, work_s, threads) in enumerate(jobs):

        def done(number=number):
            ends[number] = agenda.now_s

        agenda.at(
            begins_s, lambda work_s=work_s, threads=threads, done=done: cores.run(work_s, threads, done)
        )
    agenda.run(1000.0)
    return [ends[number] for number in range(len(jobs))], cores.busy_s()


def test_actions_come_by_their_time_and_then_by_their_order():
    agenda, seen = Agenda(), []
    for when_s, name in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (9.0, "never")):
        agenda.at(when_s, lambda name=name: seen.append((agenda.now_s, name)))
    agenda.run(5.0)
    assert seen == [(1.0, "a"), (1.0, "b"), (2.0, "c")]
    assert agenda.now_s == 5.0


@pytest.mark.parametrize(
    ("jobs", "ends"),
    [
        ([(0, 1, 1)], [1.0]),
        ([(0, 1, 1), (0, 1, 1)], [1.0, 1.0]),
        # three on two cores go at two thirds
        ([(0, 1, 1)] * 3, [1.5, 1.5, 1.5]),
        ([(0, 2, 2)], [1.0]),
        # two threads beside one: each at two thirds, until the shorter job ends
        ([(0, 2, 2), (0, 0.5, 1)], [1.25, 0.75]),
        # one that comes later takes its share from then on: half is left then, at two thirds
        ([(0, 2, 2), (0.5, 2, 1)], [1.25, 2.75]),
    ],
)
def test_threads_beyond_the_cores_go_on_by_their_share(jobs, ends):
    assert _ends(2, jobs)[0] == pytest.approx(ends)


@settings(max_examples=50)
@given(st.lists(_JOB, min_size=1, max_size=6), st.integers(1, 3))
def test_it_is_what_small_steps_come_to(jobs, count):
    ends, busy_s = _ends(count, jobs)
    assert busy_s == pytest.approx(sum(work_s for _, work_s, _ in jobs))
    step_s, now_s = 0.002, 0.0
    left, stepped = [work_s for _, work_s, _ in jobs], {}
    while len(stepped) < len(jobs):
        running = [n for n, (begins_s, _, _) in enumerate(jobs) if begins_s <= now_s and n not in stepped]
        threads = sum(jobs[n][2] for n in running)
        for n in running:
            left[n] -= step_s * jobs[n][2] * min(1.0, count / threads)
            if left[n] <= 0:
                stepped[n] = now_s + step_s
        now_s += step_s
    for number, end_s in enumerate(ends):
        assert stepped[number] == pytest.approx(end_s, abs=0.05)


@pytest.mark.parametrize(
    ("servers", "load", "probability"), [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 5.0, 0.0361), (200, 100.0, 0.0)]
)
def test_waiting_is_as_likely_as_erlang_says(servers, load, probability):
    assert waiting_probability(servers, load) == pytest.approx(probability, abs=1e-4)


def test_cores_of_which_too_much_is_asked_slow_down_and_say_what_they_serve():
    agenda, ends = Agenda(), []
    cores = ManyCores(agenda, 4, random.Random(0))
    cores.announce(8.0, 0.01)
    assert cores.served_share == 0.5
    cores.run(1.0, 1.0, lambda: ends.append(agenda.now_s))
    agenda.run(10.0)
    assert ends[0] >= 2.0
    assert cores.busy_s() == pytest.approx(40.0)
