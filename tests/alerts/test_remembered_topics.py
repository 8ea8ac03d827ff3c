"""The list of retained states outlives the run that retained them."""

import pytest
from alerts.subscriber import Subscriber, wait_until
from peers.mosquitto import Mosquitto

from streamer.alerts.broker import Broker
from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher
from streamer.alerts.remembered_topics import RememberedTopics
from streamer.alerts.retained import RetainedStore
from streamer.history.keeper import HistoryKeeper
from streamer.history.store import ComplianceHistory
from streamer.pulse import NoPulse
from streamer.status.announcer import StatusAnnouncer, camera_of

BELOW = "plant/"


def test_what_an_earlier_run_retained_is_removed_though_this_one_never_said_it(tmp_path):
    with Outbox(tmp_path) as outbox:
        store = RetainedStore()
        store.put("plant/cameras/gone/status", b"1")
        store.put("plant/cameras/kept/status", b"1")
        store.put("homeassistant/device/x/config", b"1")
        RememberedTopics(outbox, below=BELOW).note(store)
    with Outbox(tmp_path) as outbox:
        store = RetainedStore()
        RememberedTopics(outbox, below=BELOW).keep(store, lambda topic: "gone" not in topic)
        assert store.take_due() == [("plant/cameras/gone/status", b"")]
    with Outbox(tmp_path) as outbox:
        # what is kept without having been said again is still known
        store = RetainedStore()
        RememberedTopics(outbox, below=BELOW).keep(store, lambda _topic: False)
        assert store.take_due() == [("plant/cameras/kept/status", b"")]


def test_the_list_is_written_only_when_it_grows(tmp_path, monkeypatch):
    with Outbox(tmp_path) as outbox:
        written = []
        put_state = outbox.put_state
        monkeypatch.setattr(
            outbox, "put_state", lambda key, value: (written.append(value), put_state(key, value))
        )
        store, topics = RetainedStore(), RememberedTopics(outbox, below=BELOW)
        for payload in (b"1", b"2", b"3"):
            store.put("plant/cameras/a/status", payload)
            topics.note(store)
        assert written == [["plant/cameras/a/status"]]
        store.put("plant/cameras/b/status", b"1")
        topics.note(store)
        assert written[1:] == [["plant/cameras/a/status", "plant/cameras/b/status"]]


@pytest.mark.parametrize(
    ("subtopic", "camera"),
    [
        ("cameras/gate/status", "gate"),
        ("cameras/gate/zones/yard/compliance", "gate"),
        ("command/cameras/gate/state", "gate"),
        ("onvif-ej/VideoSource/GlobalSceneChange/ImagingService/&gate/state", "gate"),
        ("health", None),
        ("command/state", None),
    ],
)
def test_the_camera_of_a_state_is_read_from_its_topic(subtopic, camera):
    assert camera_of(subtopic) == camera


def test_counts_of_places_where_nobody_is_counted_any_more_are_removed(tmp_path):
    kept = {
        "cameras/gate/status",
        "cameras/gate/compliance",
        "cameras/gate/zones/apron/compliance",
        "cameras/dock/status",
        "health",
    }
    gone = {"cameras/gate/zones/old/compliance", "cameras/dock/compliance", "cameras/lost/status"}
    with Mosquitto(tmp_path) as broker, Outbox(tmp_path / "state") as outbox:
        publisher = Publisher(Broker(host=broker.host, port=broker.port), outbox, topic_prefix="plant")
        announcer = StatusAnnouncer(
            board=None,
            publisher=publisher,
            intake=AlertIntake(outbox),
            history=HistoryKeeper(ComplianceHistory(tmp_path), keep_s=1e9),
            site="yard",
            started_at=0.0,
            stats_every_s=60.0,
            pulse=NoPulse(),
        )
        for topic in kept | gone:
            publisher.publish_state(topic, b"{}")
        publisher.start()
        try:
            with Subscriber(broker, "plant/#") as listener:
                wait_until(lambda: len(listener.messages) > len(kept | gone))
                announcer.keep_only(["gate", "dock"], [("gate", None), ("gate", "apron")])
                wait_until(lambda: all(listener.of(f"plant/{topic}")[-1] == b"" for topic in gone))
                assert all(listener.of(f"plant/{topic}") == [b"{}"] for topic in kept)
        finally:
            publisher.stop()
