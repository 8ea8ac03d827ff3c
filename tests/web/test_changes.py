"""Alerts acknowledged and judged over HTTP, areas removed: kept in the outbox, told over a real broker."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from alerts.alert_factory import PREFIX, make_alert
from alerts.subscriber import Subscriber, wait_until
from http_client import Answer, ask
from peers.mosquitto import Mosquitto
from web_site import Site

from rules import AreaPolicy
from streamer.alerts.broker import Broker
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher
from streamer.control import CommandDesk
from streamer.feedback.desk import FeedbackDesk
from streamer.feedback.example_store import ExampleLimits
from streamer.web.app import create_app
from streamer.web.credentials import Credentials
from streamer.web.server import WebServer

BASIC = "Basic " + base64.b64encode(b"operator:password").decode()
ALERTS = ("01JD0000000000000000000001", "01JD0000000000000000000002", "01JD0000000000000000000003")


@dataclass
class Changeable:
    """A dashboard over a real outbox and broker."""

    server: WebServer
    outbox: Outbox
    subscriber: Subscriber

    def change(
        self, path: str, body: object = None, *, method: str = "POST", token: str | None = None
    ) -> Answer:
        token = token or ask(self.server, "/api/token", authorization=BASIC).json["token"]
        data = None if body is None else json.dumps(body).encode()
        return ask(
            self.server, path, method=method, content=data, authorization=BASIC, x_ppewatch_token=token
        )

    def told(self, topic: str) -> dict[str, object]:
        wait_until(lambda: self.subscriber.of(f"{PREFIX}/command/{topic}/state"))
        answer: dict[str, object] = json.loads(self.subscriber.of(f"{PREFIX}/command/{topic}/state")[-1])
        return answer


@pytest.fixture
def changeable(site: Site, tmp_path: Path) -> Iterator[Changeable]:
    with (
        Mosquitto(tmp_path) as mosquitto,
        Outbox(tmp_path / "state") as outbox,
        Subscriber(mosquitto) as subscriber,
    ):
        publisher = Publisher(Broker(host=mosquitto.host, port=mosquitto.port), outbox, topic_prefix=PREFIX)
        feedback = FeedbackDesk(outbox, policy=AreaPolicy(), limits=ExampleLimits())
        desk = CommandDesk(publisher=publisher, stations={}, feedback=feedback, request_reload=lambda: None)
        app = create_app(
            site, site_name="yard", version="1", credentials=Credentials("operator", "password"), changes=desk
        )
        for number, alert_id in enumerate(ALERTS):
            alert = make_alert(alert_id, confirmed_at=1795245244.0 + 100 * number)
            outbox.enqueue(alert, None, at=alert.confirmed_at)
        publisher.start()
        try:
            wait_until(lambda: publisher.status.connected)
            with WebServer(app, "127.0.0.1", 0) as server:
                yield Changeable(server, outbox, subscriber)
        finally:
            publisher.stop()


def test_an_acknowledgement_is_kept_and_told(changeable: Changeable) -> None:
    answer = changeable.change(f"/api/alerts/{ALERTS[0]}/ack", {"by": "Ann", "note": "on my way"})
    assert (answer.status, answer.json["ok"], answer.json["by"]) == (200, True, "Ann")
    assert changeable.told(f"alerts/{ALERTS[0]}/ack")["ok"] is True
    (note,) = changeable.outbox.feedback.notes_of([ALERTS[0]])[ALERTS[0]]
    assert (note.by, note.note) == ("Ann", "on my way")


def test_false_alarms_make_an_area_that_can_be_removed(changeable: Changeable) -> None:
    for alert_id in ALERTS:
        said = {"verdict": "false_alarm", "what": "not_a_person"}
        answer = changeable.change(f"/api/alerts/{alert_id}/feedback", said)
        assert answer.status == 200
    area_id = answer.json["suppression"]["area_id"]
    assert changeable.told(f"alerts/{ALERTS[2]}/feedback")["suppression"]["area_id"] == area_id
    assert changeable.change(f"/api/suppressions/{area_id}", method="DELETE").status == 200
    assert changeable.outbox.feedback.areas() == []
    again = changeable.change(f"/api/suppressions/{area_id}", method="DELETE")
    assert (again.status, again.json["error"]) == (409, "there is no such suppression area")


def test_what_is_wrong_is_said_and_changes_nothing(changeable: Changeable) -> None:
    refused = {
        "/api/alerts/01JD0000000000000000000009/ack": (None, 409, "there is no such alert"),
        f"/api/alerts/{ALERTS[0]}/feedback": (
            {"verdict": "perhaps"},
            409,
            "expected true_alarm or false_alarm",
        ),
        f"/api/alerts/{ALERTS[1]}/ack": ({"by": 1}, 409, "should be a JSON object of texts"),
        "/api/alerts/..%2fetc/ack": (None, 404, ""),
        "/api/alerts/-x/ack": (None, 404, "there is nothing of that name"),
    }
    for path, (body, status, error) in refused.items():
        answer = changeable.change(path, body)
        assert answer.status == status, path
        assert error in answer.text, path
    assert changeable.outbox.feedback.notes_of(ALERTS) == {}


def test_nothing_is_changed_without_the_token_or_by_reading(changeable: Changeable) -> None:
    path = f"/api/alerts/{ALERTS[0]}/ack"
    assert changeable.change(path, token="guessed").status == 403
    assert ask(changeable.server, path, method="POST").status == 401
    assert ask(changeable.server, path, authorization=BASIC).status == 405
    assert changeable.outbox.feedback.notes_of(ALERTS) == {}


def test_pages_offer_only_what_can_be_done(changeable: Changeable, server: WebServer, site: Site) -> None:
    path = f"/alerts/{site.alert_list[0].alert_id}"
    assert "Acknowledge</button>" in ask(changeable.server, path, authorization=BASIC).text
    without = ask(server, path).text
    assert "Acknowledge</button>" not in without
    assert "name a user and a password" in without
