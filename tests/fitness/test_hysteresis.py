"""A finding begins late, ends late, and does not flicker between."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamer.fitness.findings import Code
from streamer.fitness.hysteresis import Hysteresis
from streamer.fitness.limits import LIMITS, Limit

LIMIT = Limit(0.8, 0.5, hold_s=10.0, clear_s=5.0)


def run(follower: Hysteresis, values: list[float | None], from_s: float = 0.0) -> list[bool]:
    states = []
    for second, value in enumerate(values):
        follower.update(value, from_s + second)
        states.append(follower.is_on)
    return states


def test_it_begins_after_the_hold_and_is_dated_from_where_it_began() -> None:
    follower = Hysteresis(LIMIT)
    states = run(follower, [0.0] * 3 + [0.9] * 12)
    assert states.index(True) == 13
    assert follower.since_s == 3


def test_it_ends_after_the_clear_time_and_not_between_the_limits() -> None:
    follower = Hysteresis(LIMIT)
    run(follower, [0.9] * 11)
    assert all(run(follower, [0.6] * 60, 11))
    assert run(follower, [0.4] * 7, 71).index(False) == 5
    assert follower.since_s == 71


def test_what_cannot_be_told_neither_begins_nor_ends_anything() -> None:
    follower = Hysteresis(LIMIT)
    assert not any(run(follower, [0.9] * 9 + [None] + [0.9] * 9))
    run(follower, [0.9] * 11, 19)
    assert all(run(follower, [None] * 100, 30))


def test_small_values_may_be_the_bad_ones() -> None:
    follower = Hysteresis(Limit(45.0, 60.0, hold_s=2.0, clear_s=2.0))
    assert run(follower, [100, 40, 40, 40, 50, 50, 50, 70, 70, 70]) == [False] * 3 + [True] * 6 + [False]


@given(st.lists(st.floats(0, 1), max_size=200))
def test_it_never_changes_twice_within_the_shorter_of_its_times(values: list[float]) -> None:
    states = [False, *run(Hysteresis(LIMIT), values)]
    changes = [second for second in range(1, len(states)) if states[second] != states[second - 1]]
    assert all(later - earlier >= LIMIT.clear_s for earlier, later in pairwise(changes))


def test_every_code_has_a_limit_with_room_between_begin_and_end() -> None:
    assert set(LIMITS) == set(Code)
    for code, limit in LIMITS.items():
        assert limit.enter != limit.leave, code
        assert limit.is_bad(limit.enter), code
        assert not limit.is_good(limit.enter), code
        assert limit.is_good(limit.leave), code
        assert not limit.is_bad(limit.leave), code
