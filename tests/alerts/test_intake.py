"""The way into the outbox when the outbox cannot take anything: here, because a file stands where pictures go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from alert_factory import make_alert, picture_bytes

from streamer.alerts.broker import Broker
from streamer.alerts.intake import AlertIntake, IntakeStatus
from streamer.alerts.outbox import Outbox
from streamer.alerts.outbox_history import OutboxLimits
from streamer.alerts.publisher import Publisher
from streamer.status.board import StatusBoard


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "state", limits=OutboxLimits(acked_age_s=100.0)) as outbox:
        yield outbox


@pytest.fixture
def obstacle(tmp_path: Path, outbox: Outbox) -> Path:
    """While this file exists, no picture can be stored."""
    path = tmp_path / "state" / "snapshots"
    path.write_text("")
    return path


def submit(intake: AlertIntake, n: int) -> int | None:
    return intake.submit(make_alert(f"A{n}", picture_bytes(n)), picture_bytes(n))


def test_what_is_stored_is_announced(outbox: Outbox):
    told: list[int] = []
    intake = AlertIntake(outbox, notify=lambda: told.append(outbox.stats().pending))
    assert [submit(intake, n) for n in range(2)] == [1, 2]
    assert told == [1, 2]
    assert intake.status == IntakeStatus(held=0, lost=0, problem="")


def test_nothing_overtakes_what_is_held(outbox: Outbox, obstacle: Path):
    clock = [0.0]
    told: list[int] = []
    intake = AlertIntake(outbox, clock=lambda: clock[0], notify=lambda: told.append(1))
    assert submit(intake, 0) is None
    assert intake.submit(make_alert("plain")) is None
    assert intake.status.held == 2
    assert "cannot write" in intake.status.problem
    assert not told
    obstacle.unlink()
    clock[0] += 10.0
    assert submit(intake, 1) is None
    assert [message.alert_id for message in outbox.pending()] == ["A0", "plain", "A1"]
    assert intake.status == IntakeStatus(held=0, lost=0, problem="")
    assert told


def test_too_many_held_alerts_lose_the_oldest_and_say_so(
    outbox: Outbox, obstacle: Path, caplog: pytest.LogCaptureFixture
):
    intake = AlertIntake(outbox, held_alerts=3)
    for n in range(5):
        submit(intake, n)
    assert (intake.status.held, intake.status.lost) == (3, 2)
    lost = [record.getMessage() for record in caplog.records if "lost new" in record.getMessage()]
    assert len(lost) == 2
    assert "alert A0 (1 lost so far)" in lost[0]
    obstacle.unlink()
    assert intake.flush() == 0
    assert [message.alert_id for message in outbox.pending()] == ["A2", "A3", "A4"]


def test_held_pictures_are_bounded_by_their_size(outbox: Outbox, obstacle: Path):
    intake = AlertIntake(outbox, held_bytes=50_000)
    for n in range(5):
        submit(intake, n)
    assert intake.status.held == 2


def test_flush_says_what_is_lost_for_good(outbox: Outbox, obstacle: Path, caplog: pytest.LogCaptureFixture):
    intake = AlertIntake(outbox)
    submit(intake, 0)
    assert intake.flush() == 1
    assert "1 alerts could not be stored and are lost" in caplog.text


def test_housekeeping_keeps_history_within_its_limits(outbox: Outbox):
    clock, wall = [0.0], [0.0]
    intake = AlertIntake(outbox, clock=lambda: clock[0], wall_clock=lambda: wall[0])
    for n in range(3):
        outbox.acknowledge(submit(intake, n), at=wall[0])
    intake.housekeeping()
    assert outbox.stats().kept == 3
    clock[0], wall[0] = 61.0, 101.0
    intake.housekeeping()
    assert outbox.stats().kept == 0


def test_a_picture_of_another_alert_is_an_error_of_the_caller(outbox: Outbox):
    intake = AlertIntake(outbox)
    with pytest.raises(ValueError, match="not the one"):
        intake.submit(make_alert("A1", b"one"), b"two")
    assert intake.status.held == 0


def test_so_it_is_while_others_are_held(outbox: Outbox, obstacle: Path):
    intake = AlertIntake(outbox)
    submit(intake, 0)
    with pytest.raises(ValueError, match="not the one"):
        intake.submit(make_alert("A1", b"one"), b"two")
    obstacle.unlink()
    assert intake.flush() == 0
    assert [message.alert_id for message in outbox.pending()] == ["A0"]


def test_an_alert_that_cannot_be_stored_at_all_holds_up_nobody(
    outbox: Outbox, obstacle: Path, caplog: pytest.LogCaptureFixture
):
    intake = AlertIntake(outbox)
    submit(intake, 0)
    # an error of our own: it has no form in JSON
    intake.submit(make_alert("A1"), trace=object())
    submit(intake, 2)
    obstacle.unlink()
    assert intake.flush() == 0
    assert [message.alert_id for message in outbox.pending()] == ["A0", "A2"]
    assert intake.status == IntakeStatus(held=0, lost=1, problem="")
    assert "lost new of alert A1" in caplog.text


def test_what_the_disk_does_not_take_stands_in_the_status(outbox: Outbox, obstacle: Path):
    intake = AlertIntake(outbox, held_alerts=2)
    nobody = cast(Any, None)
    board = StatusBoard(
        watch=nobody,
        outbox=outbox,
        alerts=nobody,
        tally=nobody,
        publisher=Publisher(Broker(host="127.0.0.1"), outbox, topic_prefix="ppewatch/yard"),
        broker_address="127.0.0.1:1883",
        heartbeats=nobody,
        health=nobody,
        intake=lambda: intake.status,
    )
    for n in range(3):
        submit(intake, n)
    told = board.outbox()
    assert (told.held, told.lost) == (2, 1)
    assert "cannot write" in told.problem
    obstacle.unlink()
    intake.flush()
    told = board.outbox()
    assert (told.held, told.lost, told.problem) == (0, 1, "")
