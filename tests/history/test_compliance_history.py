"""Compliance by quarter of an hour: what grows is added once, whatever starts over, and is found again by period."""

import sqlite3
from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.structures import Gear
from rules import Compliance, Schedule, ShiftWindow
from streamer.history.buckets import BUCKET_S, Bucket, PersonSeconds, Place, bucket_start
from streamer.history.errors import HistoryError
from streamer.history.grouping import Shift, by_period, by_place, days, hours, shifts_of
from streamer.history.keeper import HistoryKeeper
from streamer.history.recorder import ComplianceRecorder
from streamer.history.store import FILE_NAME, ComplianceHistory

_GATE = Place("gate", "apron", "hard_hat")
_BRUSSELS = ZoneInfo("Europe/Brussels")
#: 2026-11-21 07:00 UTC, a Saturday, 08:00 in Brussels.
_AT = 1_795_244_400.0


def _count(worn=0.0, missing=0.0, unknown=0.0, *, since=0.0, zone="apron"):
    return Compliance(zone, Gear.HARD_HAT, since, worn_s=worn, missing_s=missing, unknown_s=unknown)


def _total(buckets):
    return by_place(buckets).get(_GATE, PersonSeconds())


def test_what_grows_is_added_to_the_quarter_of_an_hour_in_which_it_grew():
    recorder = ComplianceRecorder()
    recorder.take({"gate": [_count(worn=10, missing=2)]}, _AT)
    recorder.take({"gate": [_count(worn=15, missing=2, unknown=1)]}, _AT + BUCKET_S - 1)
    recorder.take({"gate": [_count(worn=16, missing=5, unknown=1)]}, _AT + BUCKET_S)
    assert recorder.flush() == [
        Bucket(int(_AT), _GATE, PersonSeconds(worn_s=15, missing_s=2, unknown_s=1)),
        Bucket(int(_AT) + BUCKET_S, _GATE, PersonSeconds(worn_s=1, missing_s=3)),
    ]
    assert recorder.flush() == []


@given(
    st.lists(
        st.tuples(st.floats(0, 50), st.floats(0, 50), st.sampled_from(["grow", "new shift", "restart"])),
        max_size=30,
    )
)
def test_nothing_is_counted_twice_or_lost_when_counts_start_over(steps):
    recorder = ComplianceRecorder()
    since = worn = unknown = 0.0
    for number, (more_worn, more_unknown, what) in enumerate(steps):
        if what != "grow":
            worn = unknown = 0.0
        if what == "new shift":
            since += 1
        if what == "restart":
            recorder = ComplianceRecorder()
        worn, unknown = worn + more_worn, unknown + more_unknown
        recorder.take({"gate": [_count(worn=worn, unknown=unknown, since=since)]}, _AT + number)
        grown = _total(recorder.flush())
        assert grown.worn_s == pytest.approx(more_worn)
        assert grown.unknown_s == pytest.approx(more_unknown)


def test_counts_of_a_camera_with_new_rules_start_over():
    recorder = ComplianceRecorder()
    recorder.take({"gate": [_count(worn=10, unknown=4)]}, _AT)
    recorder.take({"gate": [_count(worn=3, unknown=5)]}, _AT + 2)
    assert _total(recorder.flush()) == PersonSeconds(worn_s=13, unknown_s=9)


def test_it_is_found_again_and_added_up_over_restarts(tmp_path):
    for worn in (4.0, 6.0):
        keeper = HistoryKeeper(ComplianceHistory(tmp_path), keep_s=1e9)
        keeper.take({"gate": [_count(worn=worn), _count(worn=1, zone=None)]}, _AT + 5)
        keeper.flush()
    found = ComplianceHistory(tmp_path).between(_AT, _AT + 60)
    assert [(bucket.place.zone, bucket.seconds.worn_s) for bucket in found] == [("", 2.0), ("apron", 10.0)]
    assert ComplianceHistory(tmp_path).between(_AT + BUCKET_S, _AT + 9000) == []
    assert ComplianceHistory(tmp_path).between(0, _AT * 2, camera="yard") == []
    assert ComplianceHistory(tmp_path / "elsewhere").between(0, _AT) == []


def test_old_quarters_are_removed(tmp_path):
    history = ComplianceHistory(tmp_path)
    old, new = (Bucket(bucket_start(at), _GATE, PersonSeconds(1.0)) for at in (_AT - 40 * 86400, _AT))
    history.add([old, new])
    HistoryKeeper(history, keep_s=30 * 86400.0).take({}, _AT)
    assert history.between(0, _AT * 2) == [new]


def test_what_cannot_be_stored_waits(tmp_path, caplog):
    history = ComplianceHistory(tmp_path)
    history.add([Bucket(bucket_start(_AT), _GATE, PersonSeconds(1.0))])
    keeper = HistoryKeeper(history, keep_s=1e9)
    (tmp_path / FILE_NAME).rename(tmp_path / "away")
    (tmp_path / FILE_NAME).mkdir()
    keeper.take({"gate": [_count(worn=3)]}, _AT)
    keeper.flush()
    keeper.flush()
    assert sum("waits in memory" in record.message for record in caplog.records) == 1
    with pytest.raises(HistoryError, match="cannot be read"):
        history.between(0, _AT * 2)
    (tmp_path / FILE_NAME).rmdir()
    (tmp_path / "away").rename(tmp_path / FILE_NAME)
    keeper.take({"gate": [_count(worn=5)]}, _AT + 1)
    keeper.flush()
    assert _total(history.between(0, _AT * 2)) == PersonSeconds(worn_s=6.0)


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
    with pytest.raises(HistoryError, match="cannot be written"):
        ComplianceHistory(tmp_path).add([Bucket(0, _GATE, PersonSeconds(1.0))])


def test_the_file_holds_sums_and_nobody(tmp_path):
    ComplianceHistory(tmp_path).add([Bucket(0, _GATE, PersonSeconds(1.0))])
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(person_seconds)")]
    assert columns == [
        "starts_at", "camera", "zone", "gear", "worn_s", "missing_s", "incorrect_s", "unknown_s",
    ]  # fmt: skip


def test_shares_never_stand_on_nothing():
    assert PersonSeconds().worn_share is None
    assert PersonSeconds().unknown_share is None
    seconds = PersonSeconds(worn_s=6, missing_s=1, incorrect_s=1, unknown_s=2)
    assert seconds.worn_share == 0.75
    assert seconds.unknown_share == 0.2
    assert PersonSeconds(unknown_s=2).worn_share is None


def _quarters(start, count):
    return [Bucket(int(start) + index * BUCKET_S, _GATE, PersonSeconds(1.0)) for index in range(count)]


def test_hours_are_those_of_the_clock_on_the_wall():
    kolkata = ZoneInfo("Asia/Kolkata")
    sums = by_period(_quarters(_AT, 8), hours(kolkata))
    # 07:00 UTC is 12:30 there: half an hour, a whole one, and half an hour
    assert [places[_GATE].worn_s for places in sums.values()] == [2.0, 4.0, 2.0]
    assert [period.name[-5:] for period in sums] == ["12:00", "13:00", "14:00"]
    # the hour that the clock repeats in autumn is two hours
    autumn = 1_792_886_400  # 2026-10-25 00:00 UTC, 02:00 summer time
    sums = by_period(_quarters(autumn, 8), hours(_BRUSSELS))
    assert [places[_GATE].worn_s for places in sums.values()] == [4.0, 4.0]
    assert [period.name for period in sums] == ["2026-10-25 02:00", "2026-10-25 02:00"]


def test_days_are_local_and_as_long_as_they_are():
    sums = by_period(_quarters(1_792_879_200, 110), days(_BRUSSELS))  # from local midnight of the 25-hour day
    assert {period.name: places[_GATE].worn_s for period, places in sums.items()} == {
        "2026-10-25": 100.0,
        "2026-10-26": 10.0,
    }


def test_shifts_are_named_and_what_lies_between_them_is_left_out():
    early = Shift("early", Schedule((ShiftWindow((5,), time(6), time(14)),)))
    night = Shift("night", Schedule((ShiftWindow((5,), time(22), time(6)),)))
    # Saturday 08:00 to Sunday 08:00 in Brussels
    sums = by_period(_quarters(_AT, 96), shifts_of([early, night], _BRUSSELS))
    assert {period.name: places[_GATE].worn_s for period, places in sums.items()} == {
        "early": 24.0,
        "night": 32.0,
    }
    assert [period.name for period in by_period(_quarters(_AT, 1), shifts_of([], _BRUSSELS))] == [
        "2026-11-21"
    ]
