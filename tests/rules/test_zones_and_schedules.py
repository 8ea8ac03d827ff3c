"""Where and when rules hold."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import Anchor, Rule, Schedule, ShiftWindow, Zone
from rules.geometry import edges_of
from rules.presence import Presence
from rules.shifts import Shifts
from rules.tuning import Tuning
from rules.zones import Outline, anchor_points

BRUSSELS = ZoneInfo("Europe/Brussels")
SQUARE = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
#: like a U: the notch between the arms is outside
NOTCHED = np.array([[0.0, 0], [3, 0], [3, 6], [7, 6], [7, 0], [10, 0], [10, 10], [0, 10]])


def outside_by(points, polygon):
    return Outline(polygon).outside_by(*points.T)


def at(text, zone=BRUSSELS, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("point", "distance"),
    [((5, 5), 0), ((5, 9), 0), ((5, 12), 2), ((-3, -4), 5), ((13, 14), 5), ((1, 5), 0)],
)
def test_how_far_outside_a_square(point, distance):
    assert outside_by(np.array([point], float), SQUARE)[0] == pytest.approx(distance)


def test_a_notch_is_outside():
    points = np.array([[5.0, 3], [1.5, 3], [8.5, 3], [5, 8]])
    assert outside_by(points, NOTCHED).tolist() == [2, 0, 0, 0]


@given(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), st.integers(0, 7), st.booleans())
def test_distances_do_not_depend_on_the_first_corner_or_the_sense_of_rotation(point, shift, reverse):
    polygon = np.roll(NOTCHED, shift, axis=0)[:: -1 if reverse else 1]
    points = np.array([point])
    mine, theirs = outside_by(points, NOTCHED)[0], outside_by(points, polygon)[0]
    assert mine == pytest.approx(theirs, abs=1e-9)
    assert mine >= 0


@pytest.mark.parametrize(
    ("anchor", "point"), [(Anchor.FEET, (20, 120)), (Anchor.CENTER, (20, 70)), (Anchor.HEAD, (20, 27))]
)
def test_anchors(anchor, point):
    box = (15, 20, 25, 34) if anchor is Anchor.HEAD else (10, 20, 30, 120)
    assert anchor_points(edges_of([box]), anchor) == point


@pytest.mark.parametrize("polygon", [((0, 0), (1, 1)), ((0, 0), (1, 0), (float("nan"), 1))])
def test_polygons_are_checked(polygon):
    with pytest.raises(ValueError, match="zone z"):
        Zone("z", polygon)


def test_a_zone_is_entered_at_once_and_left_clearly_and_for_a_while():
    presence, tuning = Presence(), Tuning()

    def see(t, outside_by):
        presence.update(t, outside_by, margin=10, tuning=tuning)
        return presence.is_inside

    assert [see(0, 1), see(1, 0), see(2, 9), see(3, 30), see(3.5, 30)] == [False, True, True, True, True]
    assert presence.outside_since == 3 and not presence.is_clearly_inside  # noqa: PT018
    assert see(3.9, 5) is True
    assert presence.is_clearly_inside
    assert [see(5, 30), see(5.9, 30), see(6.0, 30), see(7, 5), see(8, 0)] == [
        True,
        True,
        False,
        False,
        True,
    ]


DAY = Schedule((ShiftWindow((0, 1, 2, 3, 4), time(6), time(18)),))
NIGHT = Schedule((ShiftWindow((4,), time(22), time(6)),))


@pytest.mark.parametrize(
    ("schedule", "moment", "active"),
    [
        (DAY, "2026-11-20T05:59:59", False),
        (DAY, "2026-11-20T06:00:00", True),
        (DAY, "2026-11-20T17:59:59", True),
        (DAY, "2026-11-20T18:00:00", False),
        (DAY, "2026-11-21T12:00:00", False),
        (NIGHT, "2026-11-20T21:59:59", False),
        (NIGHT, "2026-11-20T23:00:00", True),
        (NIGHT, "2026-11-21T05:59:59", True),
        (NIGHT, "2026-11-21T06:00:00", False),
        (NIGHT, "2026-11-20T05:00:00", False),
        (Schedule(), "2026-11-20T05:00:00", True),
        (Schedule((ShiftWindow((4,)),)), "2026-11-20T23:59:59", True),
        (Schedule((ShiftWindow((4,)),)), "2026-11-21T00:00:00", False),
    ],
)
def test_windows_of_the_week(schedule, moment, active):
    assert schedule.span(at(moment), BRUSSELS).active is active


def test_the_night_of_the_clock_change_is_as_long_as_it_is():
    nights = Schedule((ShiftWindow((5,), time(22), time(6)),))
    spring = nights.span(at("2026-03-29T01:00:00"), BRUSSELS)
    autumn = nights.span(at("2026-10-25T01:00:00"), BRUSSELS)
    assert (spring.until - spring.since) / 3600 == 7
    assert (autumn.until - autumn.since) / 3600 == 9


def test_a_repeated_hour_does_not_begin_a_shift_twice():
    early = Schedule((ShiftWindow((6,), time(0), time(2, 30)),))
    span = early.span(at("2026-10-25T01:00:00"), BRUSSELS)
    assert span.until == at("2026-10-25T02:30:00", fold=0)
    assert not early.span(at("2026-10-25T02:15:00", fold=1), BRUSSELS).active


def test_holidays_begin_no_window():
    holidays = Schedule(DAY.windows, frozenset({date(2026, 11, 20)}))
    assert not holidays.span(at("2026-11-20T12:00:00"), BRUSSELS).active
    assert holidays.span(at("2026-11-19T12:00:00"), BRUSSELS).active


@given(
    st.integers(int(at("2026-01-01T00:00:00")), int(at("2027-01-01T00:00:00"))),
    st.sampled_from(["Europe/Brussels", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(0, 1439),
)
def test_a_span_holds_from_its_start_to_its_end_and_no_longer(moment, name, days, starts, ends):
    zone = ZoneInfo(name)
    schedule = Schedule(
        (ShiftWindow(tuple(sorted(days)), time(starts // 60, starts % 60), time(ends // 60, ends % 60)),)
    )
    span = schedule.span(moment, zone)
    assert span.since <= moment < span.until
    for inside in (max(span.since, moment - 86400), moment, min(span.until, moment + 86400) - 1):
        assert schedule.span(inside, zone).active is span.active
    if span.until - moment < 9 * 86400:
        assert schedule.span(span.until, zone).active is not span.active


@pytest.mark.parametrize("days", [(), (7,), (-1,)])
def test_days_are_checked(days):
    with pytest.raises(ValueError, match="days"):
        ShiftWindow(days)


def test_times_carry_no_zone():
    with pytest.raises(ValueError, match="time zone"):
        ShiftWindow((1,), time(6, tzinfo=UTC), time(18))


def test_counting_begins_with_the_shift_or_at_midnight():
    rules = (Rule("day", ("hard_hat",), schedule=DAY), Rule("always", ("hard_hat",)))
    shifts = Shifts(rules, BRUSSELS)
    shifts.update(at("2026-11-20T12:00:00"))
    assert shifts.period_since(0) == at("2026-11-20T06:00:00")
    assert shifts.period_since(1) == at("2026-11-20T00:00:00")
    assert shifts.update(at("2026-11-20T18:00:01")) == [(0, at("2026-11-20T18:00:00"))]
    assert not shifts.is_active(0) and shifts.is_active(1)  # noqa: PT018
    shifts.update(at("2026-11-21T00:00:01"))
    assert shifts.period_since(1) == at("2026-11-21T00:00:00")


@pytest.mark.parametrize(
    "wrong",
    [
        {"require": ()},
        {"zones": ()},
        {"dwell_s": -1.0},
        {"clear_s": float("nan")},
        {"update_s": float("inf")},
    ],
)
def test_rules_are_checked(wrong):
    with pytest.raises(ValueError, match="rule r"):
        Rule(**({"name": "r", "require": ("hard_hat",)} | wrong))


def test_the_whole_picture_takes_in_its_zones():
    assert Rule("r", ("hard_hat",), ("a", None, "b")).places == (None,)
    assert Rule("r", ("hard_hat",), ("a", "b", "a")).places == ("a", "b")
