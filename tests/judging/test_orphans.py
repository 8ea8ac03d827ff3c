"""Alerts that were open when the daemon died are closed at its next start, once."""

import json
from pathlib import Path

from judging.site_of_one import START, camera_judge, face, frame

from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox
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
        assert end_orphans(outbox, AlertIntake(outbox), at=START + 500) == 1
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
