"""The timeline, the filter of constant velocity and the tracker."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario import Actor, Scene, engine, play, standing, walking

from rules import Rule
from rules.geometry import edges_of
from rules.matching import optimal_pairs
from rules.motion import BoxFilters
from rules.timeline import Timeline
from rules.tuning import Tuning


def timeline(*times):
    line = Timeline(Tuning())
    for at in times:
        line.frame(at)
    return line


@given(st.lists(st.one_of(st.floats(-1e5, 1e5), st.floats(0.01, 2.0)), max_size=30))
def test_time_never_goes_back_and_is_mapped_to_what_the_clock_said(steps):
    line, at, before = Timeline(Tuning()), 1.7e9, 0.0
    for step in steps:
        moved = at + step
        passed = line.frame(moved)
        if passed is None:
            assert -1.0 < moved - at <= 0
        else:
            at = moved
            assert line.frame_t >= before
            assert line.wall(line.frame_t) == pytest.approx(at, abs=1e-3)
            before = line.frame_t


def test_late_and_repeated_frames_are_left_out():
    line = timeline(100.0, 100.2)
    assert line.frame(100.2) is None
    assert line.frame(100.1) is None
    assert line.frame(100.4) == pytest.approx(0.2)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, -2.0, 1e6])
def test_a_jump_passes_as_one_usual_interval(jump):
    line = timeline(*np.arange(0, 2, 0.2))
    assert line.frame(1.8 + jump) == pytest.approx(0.2)
    assert line.frame(2.0 + jump) == pytest.approx(0.2)
    assert line.wall(1.0) == pytest.approx(1.0)
    assert line.wall(line.t) == pytest.approx(2.0 + jump)


def test_a_gap_that_was_told_is_no_jump_however_long():
    line = timeline(0.0, 0.2)
    for second in range(1, 2001):
        line.idle(0.2 + second)
    assert line.idle_s == pytest.approx(2000)
    assert line.frame(2000.5) == pytest.approx(2000.3)
    assert line.idle_s == 0


def test_a_jump_of_the_idle_clock_is_no_idle_time():
    line = timeline(0.0, 0.2)
    line.idle(1.2)
    line.idle(3601.2)
    line.idle(3602.2)
    assert line.idle_s == pytest.approx(2.0)


def box(x, y=300.0, h=60.0):
    return (x - 0.4 * h, y - h / 2, x + 0.4 * h, y + h / 2)


def following(first):
    """The filter of one box, seen for the first time."""
    filters = BoxFilters()
    filters.add(units_high=[1.0], noise=[0.05])
    filters.begin([0], edges_of([first]))
    return filters


@pytest.mark.parametrize("dt", [1 / 15, 0.2, 1.0])
def test_the_filter_learns_the_velocity_in_pixels_per_second_at_any_rate(dt):
    follow = following(box(0))
    for step in range(1, 1 + int(4 / dt)):
        follow.predict(dt)
        follow.correct([0], edges_of([box(90 * step * dt)]))
    x, velocity = follow.state[:2, 0, 0]
    assert velocity == pytest.approx(90, abs=3)
    assert x + velocity == pytest.approx(90 * (int(4 / dt) * dt + 1), abs=5)


@given(st.floats(0.01, 5.0), st.integers(1, 20))
def test_predicting_in_pieces_is_predicting_at_once(dt, pieces):
    whole, parts = (following(box(0)) for _ in range(2))
    for follow in (whole, parts):
        follow.predict(0.2)
        follow.correct([0], edges_of([box(5)]))
    whole.predict(min(dt, 1.0))
    for _ in range(pieces):
        parts.predict(min(dt, 1.0) / pieces)
    assert parts.state[0] == pytest.approx(whole.state[0], rel=1e-6)
    # the noise scales with the predicted size, so a changing size makes a small difference
    assert parts.spreads() == pytest.approx(whole.spreads(), rel=0.2)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.booleans()), max_size=40))
def test_variances_stay_positive_whatever_the_gaps(steps):
    follow = following(box(0))
    for dt, seen in steps:
        follow.predict(dt)
        if seen:
            follow.correct([0], edges_of([box(0)]))
        assert (follow.spreads() > 0).all()
        assert np.isfinite(follow.state[0]).all()


def test_assignment_makes_the_most_pairs_before_the_cheapest():
    inf = np.inf
    assert optimal_pairs(np.array([[1.0, 2.0], [1.5, inf]])) == [(0, 1), (1, 0)]
    assert optimal_pairs(np.array([[inf, inf]])) == []
    assert optimal_pairs(np.zeros((0, 3))) == []


NOTHING = Rule("mask", ("face_mask",))


def ids_over(scene):
    watching = engine(NOTHING)
    places = {}
    for seen, at, t in scene.frames():
        watching.observe(seen, at)
        for track in watching.tracks:
            if track.last_seen_at == pytest.approx(at, abs=1e-6):
                places.setdefault(track.track_id, []).append((t, track.observation.head_xyxy[0]))
    return places


@pytest.mark.parametrize("fps", [2.0, 5.0, 15.0])
@pytest.mark.parametrize("speed", [0.0, 60.0, 150.0, 250.0])
def test_a_walker_keeps_one_track_at_any_rate(fps, speed):
    actor = Actor(walking((200, 400), (speed, 5)), mask=lambda t: 0.9)
    assert len(ids_over(Scene([actor], 6, fps, jitter=0.03, drop=0.1))) == 1


@pytest.mark.parametrize("fps", [1.0, 5.0])
def test_people_side_by_side_are_told_apart(fps):
    row = [Actor(standing(300 + 90 * n, 400), mask=lambda t: 0.9, face_px=40) for n in range(8)]
    places = ids_over(Scene(row, 30, fps, jitter=0.05))
    assert len(places) == 8
    assert all(max(x) - min(x) < 45 for x in ([p[1] for p in path] for path in places.values()))


@pytest.mark.parametrize("fps", [5.0, 15.0])
def test_who_passes_behind_another_keeps_the_track(fps):
    # the one behind is not detected while the faces overlap
    front = Actor(standing(900, 400), mask=lambda t: 0.9, face_px=80)
    walk = walking((500, 400), (160, 0))
    behind = Actor(lambda t: None if abs(walk(t)[0] - 900) < 60 else walk(t), mask=lambda t: 0.9, face_px=70)
    places = ids_over(Scene([front, behind], 5, fps, jitter=0.02))
    assert len(places) == 2
    assert max(x for _, x in places[1]) > 1200 or max(x for _, x in places[2]) > 1200


def test_those_who_cannot_be_told_apart_are_in_doubt():
    left = Actor(walking((600, 300), (150, 0)), mask=lambda t: 0.05)
    right = Actor(walking((1200, 300), (-150, 0)), mask=lambda t: 0.95)
    watching = engine(Rule("mask", ("face_mask",), dwell_s=60.0))
    states = []
    for seen, at, t in Scene([left, right], 4, 5.0).frames():
        watching.observe(seen, at)
        states.append(
            (t, {str(verdict.state) for track in watching.tracks for verdict in track.gear.values()})
        )
    assert states[8][1] == {"missing", "worn"}
    assert {"unknown"} in [each for t, each in states if 1.8 <= t <= 2.6]
    assert states[-1][1] == {"missing", "worn"}


def test_play_is_not_empty():
    assert play(engine(NOTHING), Scene([Actor(standing(), mask=lambda t: 0.05)], 4, 5.0))
