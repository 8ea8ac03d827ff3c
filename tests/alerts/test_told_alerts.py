"""Alerts as the pages tell them, from what the outbox keeps."""

from pathlib import Path

from alerts.alert_factory import CONFIRMED_AT, make_alert

from streamer.alerts.alert_search import AlertSearch
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import AlertType, Evidence
from streamer.status.told_alerts import summary_of

WORN = {"hard_hat": Evidence("worn", 0.99, "hard hat 0.99 on the head")}
CLEARER = {"hard_hat": Evidence("missing", 0.97, "bare head 0.97, no hard hat on it")}


def test_the_reason_of_an_alert_is_not_the_evidence_of_its_end(tmp_path: Path) -> None:
    with Outbox(tmp_path / "state") as outbox:
        outbox.enqueue(make_alert(), None, at=CONFIRMED_AT)
        outbox.enqueue(make_alert(type=AlertType.UPDATE, evidence=CLEARER), None, at=CONFIRMED_AT + 10)
        search = AlertSearch(tmp_path / "state")
        (found,) = search.find(limit=1)
        assert summary_of(found).reason == "bare head 0.97, no hard hat on it"
        ended = make_alert(type=AlertType.END, evidence=WORN, ended_at=CONFIRMED_AT + 20, end_reason="worn")
        outbox.enqueue(ended, None, at=CONFIRMED_AT + 22)
        (found,) = search.find(limit=1)
        told = summary_of(found)
        assert (told.phase, told.end_reason) == ("ended", "worn")
        assert told.reason == "bare head 0.97, no hard hat on it"
