"""Alerts found again: filtered, in pages, beside the daemon that writes."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from alerts.alert_factory import CONFIRMED_AT, make_alert, picture_bytes

from streamer.alerts.alert_search import AlertFilter, AlertSearch
from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import Outbox
from streamer.alerts.outbox_reader import read_alert
from streamer.alerts.payload import AlertType


def put(outbox, number, *, end=False, jpeg=None, **changes):
    alert = make_alert(f"A{number:05d}", jpeg, **changes)
    outbox.enqueue(alert, jpeg, at=alert.confirmed_at)
    if end:
        ended = replace(
            alert, type=AlertType.END, snapshot=None, ended_at=alert.confirmed_at + 9, end_reason="worn"
        )
        outbox.enqueue(ended, None, at=alert.confirmed_at + 10)


@pytest.fixture
def outbox(tmp_path):
    with Outbox(tmp_path) as running:
        yield running


def ids(found):
    return [alert.messages[0].alert_id for alert in found]


def test_the_latest_come_first_with_all_their_messages(outbox, tmp_path):
    put(outbox, 1, end=True, jpeg=picture_bytes(1))
    put(outbox, 2)
    newest, oldest = AlertSearch(tmp_path).find()
    assert [message.type for message in newest.messages] == ["new"]
    assert [message.type for message in oldest.messages] == ["end", "new"]
    assert oldest.messages[1].snapshot.read_bytes() == picture_bytes(1)
    assert (oldest.seq, newest.seq) == (1, 3)


def test_pages_hold_each_alert_once(outbox, tmp_path):
    for number in range(7):
        put(outbox, number, end=number % 2 == 0)
    search = AlertSearch(tmp_path)
    seen, before = [], None
    while page := search.find(limit=3, before_seq=before):
        seen += ids(page)
        before = page[-1].seq
    assert seen == [f"A{number:05d}" for number in reversed(range(7))]


def test_every_filter_holds_and_all_hold_together(outbox, tmp_path):
    put(outbox, 1)
    put(outbox, 2, camera="yard", zone=None)
    put(outbox, 3, rule="masks")
    put(outbox, 4, confirmed_at=CONFIRMED_AT + 100.0)
    search = AlertSearch(tmp_path)

    def found(**wanted):
        return ids(search.find(AlertFilter(**wanted)))

    assert found(camera="yard") == ["A00002"]
    assert found(zone="") == ["A00002"]
    assert found(zone="apron") == ["A00004", "A00003", "A00001"]
    assert found(rule="masks") == ["A00003"]
    assert found(since=CONFIRMED_AT + 100.0) == ["A00004"]
    assert found(until=CONFIRMED_AT + 100.0) == ["A00003", "A00002", "A00001"]
    assert found(camera="gate", rule="masks", until=CONFIRMED_AT) == []
    assert found(camera="gate' OR 1=1 --") == []
    assert search.places() == [
        ("gate", "apron", "hard hats on the apron"),
        ("gate", "apron", "masks"),
        ("yard", None, "hard hats on the apron"),
    ]


def test_one_alert_by_its_name(outbox, tmp_path):
    put(outbox, 1, end=True)
    search = AlertSearch(tmp_path)
    assert [message.type for message in search.messages_of("A00001")] == ["end", "new"]
    assert search.messages_of("A00009") == ()


def test_there_must_be_an_outbox(tmp_path):
    with pytest.raises(OutboxError, match="holds no outbox"):
        AlertSearch(tmp_path).find()
    (tmp_path / "outbox.sqlite3").write_bytes(b"nothing of the kind" * 50)
    with pytest.raises(OutboxError, match="cannot be read"):
        AlertSearch(tmp_path).find()


def test_it_reads_while_the_daemon_writes(outbox, tmp_path):
    search = AlertSearch(tmp_path)
    with outbox._db.transaction(durable=True) as db:  # in the middle of a write
        db.execute("INSERT INTO counters VALUES ('x', 1)")
        # a lock would be waited for, and be an error
        assert search.find() == []


def test_an_outbox_of_before_is_searched_too(outbox, tmp_path):
    put(outbox, 1)
    outbox.close()
    with sqlite3.connect(tmp_path / "outbox.sqlite3") as db:
        db.executescript("DROP TRIGGER feed_add; DROP TRIGGER feed_remove; DROP TABLE feed")
    with Outbox(tmp_path):
        assert ids(AlertSearch(tmp_path).find(AlertFilter(zone="apron"))) == ["A00001"]


def test_what_is_removed_is_found_no_more(outbox, tmp_path):
    for number in range(4):
        put(outbox, number)
    for seq in (1, 2):
        outbox.acknowledge(seq, at=0.0)
    outbox.enforce_limits(at=1e9)
    assert ids(AlertSearch(tmp_path).find()) == ["A00003", "A00002"]


def test_what_the_disk_has_torn_costs_the_feed_nothing_else(outbox, tmp_path):
    for number in range(1, 9):
        put(outbox, number, end=number == 8)
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as db, db:
        db.execute("UPDATE messages SET body = ? WHERE seq IN (5, 7, 9)", (b'{"schema":1,' + bytes(40),))
    search = AlertSearch(tmp_path)
    found = search.find(limit=5)
    assert ids(found) == ["A00008", "A00006", "A00004", "A00003", "A00002"]
    assert [message.type for message in found[0].messages] == ["new"]
    assert ids(search.find(limit=5, before_seq=found[-1].seq)) == ["A00001"]
    assert search.messages_of("A00005") == ()
    assert read_alert(tmp_path, "A00005") == []
