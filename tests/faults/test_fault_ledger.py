"""The campaign's own eyes: each way in which an alert can go wrong is seen, and what is announced is no loss."""

from dataclasses import replace
from pathlib import Path

import pytest
from faults.ledger import Row, as_markdown, as_text

from streamer.soak.ledger import Entry, OutboxLedger, compare
from streamer.soak.witness import Told


def entry(seq: int, kind: str = "new", alert_id: str = "") -> Entry:
    return Entry(seq, alert_id or f"A{seq}", kind, 100.0 + seq, 200.0 + seq)


def told(of: Entry, **changes: object) -> Told:
    made = Told(of.seq, of.alert_id, of.type, "gate", of.created_at + 0.5, False, f"essence {of.seq}", True)
    return replace(made, **changes)


@pytest.fixture
def ledger(tmp_path: Path) -> OutboxLedger:
    made = OutboxLedger(tmp_path)
    made.entries = {seq: entry(seq) for seq in range(1, 6)}
    made.last_seq = 5
    return made


@pytest.fixture
def came(ledger: OutboxLedger) -> list[Told]:
    return [told(one) for one in ledger.entries.values()]


def test_everything_once_and_in_order_is_clean(ledger: OutboxLedger, came: list[Told]):
    counts = compare(ledger, came)
    assert counts.clean
    assert (counts.expected, counts.delivered, counts.repeats, counts.worst_delay_s) == (5, 5, 0, 0.5)


def test_a_repeat_that_a_subscriber_can_tell_is_no_duplicate(ledger: OutboxLedger, came: list[Told]):
    counts = compare(ledger, [*came, replace(came[2], at=999.0, delayed=True)])
    assert counts.clean
    assert counts.repeats == 1


def test_what_did_not_come_is_lost(ledger: OutboxLedger, came: list[Told]):
    del came[3]
    counts = compare(ledger, came)
    assert (counts.expected, counts.delivered, counts.lost) == (5, 4, 1)
    assert not counts.clean


def test_history_that_was_given_up_between_two_readings_counts_by_its_number(
    ledger: OutboxLedger, came: list[Told]
):
    del ledger.entries[2]
    log = "INFO streamer.app: new alert A2: camera gate, rule r, hard_hat\n"
    assert compare(ledger, came, log=log).clean
    assert compare(ledger, came, log=log).expected == 5
    del came[1]
    assert compare(ledger, came).lost == 1


@pytest.mark.parametrize(
    "wrong",
    [
        told(entry(6)),
        told(entry(3, alert_id="other")),
        told(entry(5, alert_id="A1")),
        told(entry(3), essence="something else"),
    ],
    ids=["unknown to the outbox", "a number twice", "a second new of an alert", "a repeat that differs"],
)
def test_what_a_subscriber_would_take_for_two_is_a_duplicate(
    wrong: Told, ledger: OutboxLedger, came: list[Told]
):
    counts = compare(ledger, [*came, wrong])
    assert counts.duplicated >= 1
    assert not counts.clean


def test_a_number_that_the_outbox_gave_out_twice_is_a_duplicate(ledger: OutboxLedger, came: list[Told]):
    ledger._add(entry(3, alert_id="other"))
    assert compare(ledger, came).duplicated >= 1


def test_order_and_pictures_are_required(ledger: OutboxLedger, came: list[Told]):
    assert compare(ledger, [came[1], came[0], *came[2:]]).out_of_order == 1
    came[0] = replace(came[0], picture_came=False)
    counts = compare(ledger, came)
    assert counts.without_picture == 1
    assert not counts.clean


def test_what_the_rules_made_and_nothing_stored_is_lost_but_for_one_a_kill(
    ledger: OutboxLedger, came: list[Told]
):
    log = "INFO streamer.app: new alert A9: camera gate, rule r, hard_hat\n"
    log += "INFO streamer.app: new alert A1: camera gate, rule r, hard_hat\n"
    assert compare(ledger, came, log=log).lost == 1
    assert compare(ledger, came, log=log, kills=1).clean
    assert compare(ledger, came, log=log, kills=1).cut_off == 1


@pytest.mark.parametrize(
    "said",
    [
        "too much waits for the broker (9 messages, 9 bytes): dropped new of alert A4, seq 4",
        "the disk has lost what it had confirmed: seq 4 to 4 were stored and are gone, numbers go on above seq 9",
        "2 undelivered alerts could be read back; others are lost, numbers go on above seq 9",
    ],
)
def test_what_is_given_up_and_said_so_is_dropped(said: str, ledger: OutboxLedger, came: list[Told]):
    del came[3]
    counts = compare(ledger, came, log=said)
    assert counts.clean
    assert (counts.expected, counts.delivered, counts.dropped) == (4, 4, 1)


def test_numbers_that_were_left_out_are_no_loss(ledger: OutboxLedger, came: list[Told]):
    ledger.entries[11] = entry(11)
    ledger.last_seq = 11
    came.append(told(entry(11)))
    assert compare(ledger, came).lost == 5
    assert compare(ledger, came, log="seq 5 to 5 were stored and are gone; numbers go on above seq 10").clean


def test_a_row_tells_what_went_wrong(ledger: OutboxLedger, came: list[Told]):
    row = Row("broker killed", 3, compare(ledger, came[1:]), 1.0, problems=("it ended with 1",))
    assert not row.clean
    assert "| broker killed | 3 | 5 | 4 | 1 | 0 | 0 | 0 | 0.5 s |" in as_markdown([row])
    text = as_text([row])
    assert "it ended with 1" in text
    assert "lost (1, 'A1', 'new')" in text
