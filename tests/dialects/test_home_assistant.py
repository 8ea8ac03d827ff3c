"""Home Assistant finds the site by itself: what is announced, what its entities show, and when it is told again."""

import json
from dataclasses import replace

import pytest
from alerts.alert_factory import make_alert
from alerts.subscriber import Subscriber, wait_until
from dialects.home_assistant_like import HomeAssistantLike
from peers.mosquitto import Mosquitto

from models.structures import Gear
from rules import Compliance
from streamer.alerts.broker import Broker
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import AlertType
from streamer.alerts.publisher import Publisher
from streamer.alerts.serving import OFFLINE, ONLINE, STOPPED
from streamer.dialects.home_assistant import AnnouncedCamera, AnnouncedSite, discovery_messages
from streamer.dialects.home_assistant_announcer import HomeAssistantAnnouncer
from streamer.judging.compliance_payload import compliance_states

PREFIX = "ppewatch/yard"
GATE, DOCK = (
    AnnouncedCamera(name="gate", gear=("hard_hat", "face_mask"), zones=("apron",)),
    AnnouncedCamera(name="dock", gear=("face_mask",)),
)
SITE = AnnouncedSite(
    name="yard",
    version="1.2.3",
    topic_prefix=PREFIX,
    discovery_prefix="homeassistant",
    cameras=(GATE, DOCK),
    commands=True,
    dashboard_url="http://ppewatch.example:8787/",
)


def found(site: AnnouncedSite = SITE) -> HomeAssistantLike:
    consumer = HomeAssistantLike()
    for topic, payload in discovery_messages(site).items():
        consumer.take(topic, payload)
    return consumer


def test_each_camera_is_a_device_behind_that_of_the_site():
    entities = found().entities.values()
    devices = {entity.device["ids"][0]: entity.device for entity in entities}
    assert set(devices) == {"ppewatch_yard", "ppewatch_yard_gate", "ppewatch_yard_dock"}
    assert devices["ppewatch_yard_gate"]["via_device"] == "ppewatch_yard"
    assert devices["ppewatch_yard"]["cu"] == "http://ppewatch.example:8787/"


def test_counts_of_people_become_states():
    consumer = found()
    count = Compliance("apron", Gear.HARD_HAT, 0.0, 3, 1, 0, 2, worn_s=90.0, missing_s=10.0, unknown_s=100.0)
    whole = replace(count, zone=None, without_now=0)
    for topic, payload in compliance_states("gate", [whole, count]):
        consumer.take(f"{PREFIX}/{topic}", payload)
    gate = {
        entity.key: entity.state
        for entity in consumer.entities.values()
        if entity.key.startswith("apron_hard")
    }
    assert gate == {
        "apron_hard_hat_violation": "ON",
        "apron_hard_hat_without": "1",
        "apron_hard_hat_with": "3",
        "apron_hard_hat_indeterminate": "2",
        "apron_hard_hat_worn_share": "90.0",
        "apron_hard_hat_observable_share": "50.0",
    }
    assert consumer.of("ppewatch_yard_gate", "hard_hat_violation").state == "OFF"
    # nothing is counted yet of masks: no number is not nought per cent
    assert consumer.of("ppewatch_yard_gate", "face_mask_worn_share").state is None
    assert consumer.of("ppewatch_yard_gate", "face_mask_violation").state == "OFF"


def test_a_camera_that_is_away_makes_its_counts_unavailable():
    consumer = found()
    people = consumer.of("ppewatch_yard_gate", "hard_hat_without")
    assert not people.is_available
    consumer.take(f"{PREFIX}/available", b"online")
    consumer.take(f"{PREFIX}/cameras/gate/status", b'{"state":"online"}')
    assert people.is_available
    assert consumer.of("ppewatch_yard_gate", "connection").state == "ON"
    consumer.take(f"{PREFIX}/cameras/gate/status", b'{"state":"stalled"}')
    assert not people.is_available
    # that it is away can be seen all the same
    connection = consumer.of("ppewatch_yard_gate", "connection")
    assert (connection.state, connection.is_available) == ("OFF", True)
    consumer.take(f"{PREFIX}/available", b"offline")
    assert not connection.is_available


@pytest.mark.parametrize("word", [STOPPED, OFFLINE])
def test_nothing_is_available_of_a_daemon_that_has_ended(word):
    consumer = found()
    consumer.take(f"{PREFIX}/available", ONLINE)
    consumer.take(f"{PREFIX}/cameras/gate/status", b'{"state":"online"}')
    assert consumer.of("ppewatch_yard_gate", "hard_hat_without").is_available
    consumer.take(f"{PREFIX}/available", word)
    assert not any(entity.is_available for entity in consumer.entities.values())


def test_alerts_are_events_of_their_camera_and_of_the_site():
    consumer = found()
    alert = make_alert(camera="gate")
    consumer.take(f"{PREFIX}/alerts", alert.to_json(seq=1))
    event = consumer.of("ppewatch_yard_gate", "alert").state
    assert (event["event_type"], event["alert_id"], event["missing"]) == ("new", alert.alert_id, ["hard_hat"])
    assert consumer.of("ppewatch_yard", "alert").state == event
    assert consumer.of("ppewatch_yard_dock", "alert").state is None
    consumer.take(
        f"{PREFIX}/alerts", replace(alert, type=AlertType.END, ended_at=2e9, end_reason="worn").to_json(seq=2)
    )
    assert consumer.of("ppewatch_yard_gate", "alert").state["event_type"] == "end"
    consumer.take(f"{PREFIX}/alerts/{alert.alert_id}/snapshot", b"\xff\xd8 a picture")
    assert consumer.of("ppewatch_yard", "snapshot").state == b"\xff\xd8 a picture"


def test_there_are_switches_only_where_commands_are_obeyed():
    obeyed = found()
    switch = obeyed.of("ppewatch_yard_gate", "watched").config
    assert switch["command_topic"] == f"{PREFIX}/command/cameras/gate/set"
    obeyed.take(f"{PREFIX}/command/cameras/gate/state", b"OFF")
    assert obeyed.of("ppewatch_yard_gate", "watched").state == "OFF"
    kinds = {entity.config["p"] for entity in found(replace(SITE, commands=False)).entities.values()}
    assert kinds == {"binary_sensor", "sensor", "event", "image"}


@pytest.fixture
def mosquitto(tmp_path):
    with Mosquitto(tmp_path) as broker:
        yield broker


def test_it_is_told_on_connecting_and_whenever_home_assistant_starts(mosquitto, tmp_path):
    with Outbox(tmp_path / "state") as outbox, Subscriber(mosquitto, "homeassistant/device/#") as listener:
        publisher = Publisher(Broker(host=mosquitto.host, port=mosquitto.port), outbox, topic_prefix=PREFIX)
        announcer = HomeAssistantAnnouncer(publisher, discovery_prefix="homeassistant")
        announcer.announce(SITE)
        publisher.start()
        try:
            wait_until(lambda: len(listener.messages) == 3)
            listener.publish("homeassistant/status", b"offline")
            listener.publish("homeassistant/status", b"online")
            wait_until(lambda: len(listener.messages) == 6)
            consumer = HomeAssistantLike()
            for topic, payload, _ in listener.messages:
                consumer.take(topic, payload)
            assert len({entity.device["ids"][0] for entity in consumer.entities.values()}) == 3
            announcer.announce(replace(SITE, cameras=(GATE,)))
            gone = "homeassistant/device/ppewatch_yard_dock/config"
            wait_until(lambda: listener.of(gone)[-1] == b"")
        finally:
            publisher.stop()


def test_devices_of_cameras_that_went_while_nobody_ran_are_removed(mosquitto, tmp_path):
    gone = "homeassistant/device/ppewatch_yard_dock/config"
    with Outbox(tmp_path / "state") as outbox, Subscriber(mosquitto, "homeassistant/device/#") as listener:
        for cameras in ((GATE, DOCK), (GATE,)):
            publisher = Publisher(
                Broker(host=mosquitto.host, port=mosquitto.port), outbox, topic_prefix=PREFIX
            )
            HomeAssistantAnnouncer(publisher, discovery_prefix="homeassistant").announce(
                replace(SITE, cameras=cameras)
            )
            publisher.start()
            wait_until(lambda: listener.messages)
            wait_until(lambda publisher=publisher: publisher.status.connected)
            publisher.stop()
        wait_until(lambda: listener.of(gone) and listener.of(gone)[-1] == b"")
        assert json.loads(listener.of(gone)[0])["dev"]["name"] == "yard dock"


def test_what_is_asked_no_more_at_a_camera_goes(mosquitto, tmp_path):
    topic = "homeassistant/device/ppewatch_yard_gate/config"
    with Outbox(tmp_path / "state") as outbox, Subscriber(mosquitto, topic) as listener:
        publisher = Publisher(Broker(host=mosquitto.host, port=mosquitto.port), outbox, topic_prefix=PREFIX)
        announcer = HomeAssistantAnnouncer(publisher, discovery_prefix="homeassistant")
        publisher.start()
        try:
            consumer = HomeAssistantLike()
            for number, zones in enumerate([("apron",), (), (), ("apron",)]):
                announcer.announce(replace(SITE, cameras=(replace(GATE, zones=zones, gear=("hard_hat",)),)))
                # what is told anew says it too: Home Assistant may have been away
                if number == 2:
                    listener.publish("homeassistant/status", b"online")
                wait_until(lambda number=number: len(listener.of(topic)) == number + 1)
                consumer.take(topic, listener.of(topic)[-1])
                told = {entity.key for entity in consumer.entities.values()}
                assert "hard_hat_without" in told
                assert {key for key in told if key.startswith("apron")} == {
                    f"apron_hard_hat_{count}"
                    for count in (
                        "violation",
                        "without",
                        "with",
                        "indeterminate",
                        "worn_share",
                        "observable_share",
                    )
                    if zones
                }
        finally:
            publisher.stop()


def test_other_retained_states_of_the_site_leave_the_devices_alone(mosquitto, tmp_path):
    with Outbox(tmp_path / "state") as outbox, Subscriber(mosquitto, "homeassistant/device/#") as listener:
        publisher = Publisher(Broker(host=mosquitto.host, port=mosquitto.port), outbox, topic_prefix=PREFIX)
        HomeAssistantAnnouncer(publisher, discovery_prefix="homeassistant").announce(SITE)
        publisher.keep_states(lambda subtopic: subtopic == "cameras/gate/status")
        publisher.start()
        try:
            wait_until(lambda: len(listener.messages) == 3)
            publisher.keep_states(lambda _subtopic: False)
            wait_until(lambda: publisher.status.connected)
        finally:
            publisher.stop()
        assert all(payload for _, payload, _ in listener.messages)
