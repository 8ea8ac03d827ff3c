"""Alerts that were open when the daemon died are closed at its next start, once."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alerts.alert_factory import make_alert
from judging.site_of_one import START, camera_judge, face, frame

from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import Alert, AlertType
from streamer.judging.orphans import end_orphans


def open_alert(outbox: Outbox, at: float) -> str:
    judge = camera_judge()
    for number in range(12):
        for composed in judge.look(frame(number / 5), face(number / 5)):
            outbox.enqueue(composed.alert, composed.jpeg, at=at, trace=composed.trace)
            return composed.alert.alert_id
    raise AssertionError("no alert")


def test_an_open_alert_gets_its_end(tmp_path: Path):
    with Outbox(tmp_path) as outbox:
        alert_id = open_alert(outbox, at=START + 2)
        opened = json.loads(outbox.messages_of(alert_id)[0].body)
        told: list[Alert] = []
        assert end_orphans(outbox, AlertIntake(outbox), at=START + 500, on_end=told.append) == 1
        assert [(alert.type, alert.alert_id) for alert in told] == [(AlertType.END, alert_id)]
        ended = json.loads(outbox.messages_of(alert_id)[-1].body)
        assert (ended["type"], ended["end_reason"]) == ("end", "shutdown")
        # nobody watched after the last message
        assert opened["confirmed_at"] <= ended["ended_at"] <= "2023-11-14T22:13:22.000Z"
        for field in ("camera", "rule", "missing", "box", "frame_size", "started_at", "evidence", "severity"):
            assert ended[field] == opened[field]
        assert ended["snapshot"] is None
        assert end_orphans(outbox, AlertIntake(outbox), at=START + 600) == 0


def test_a_clock_that_was_set_back_gives_no_end_before_the_beginning(tmp_path: Path):
    with Outbox(tmp_path) as outbox:
        alert_id = open_alert(outbox, at=START + 2)
        end_orphans(outbox, AlertIntake(outbox), at=START - 5000)
        opened, ended = (json.loads(message.body) for message in outbox.messages_of(alert_id))
        assert ended["ended_at"] == opened["confirmed_at"]


def test_a_message_that_the_disk_has_torn_keeps_no_daemon_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The broker has taken it, so nobody looked at it when the outbox was opened."""
    with Outbox(tmp_path) as outbox:
        for alert_id in ("GONE", "OLDER", "WHOLE"):
            outbox.enqueue(make_alert(alert_id), at=START)
            if alert_id == "OLDER":
                outbox.enqueue(replace(make_alert(alert_id), type=AlertType.UPDATE, score=0.97), at=START)
        for message in outbox.pending():
            outbox.acknowledge(message.seq, at=START)
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as db, db:
        db.execute("UPDATE messages SET body = ? WHERE seq IN (1, 3)", (b'{"schema":1,' + bytes(40),))
    with Outbox(tmp_path) as outbox:
        assert end_orphans(outbox, AlertIntake(outbox), at=START + 500) == 2
        assert [(one.alert_id, one.type) for one in outbox.pending()] == [("OLDER", "end"), ("WHOLE", "end")]
    assert "message 1 is not what was stored" in caplog.text
