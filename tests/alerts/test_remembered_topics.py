"""The list of retained states outlives the run that retained them."""

import pytest

from streamer.alerts.outbox import Outbox
from streamer.alerts.remembered_topics import RememberedTopics
from streamer.alerts.retained import RetainedStore
from streamer.status.announcer import camera_of

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
