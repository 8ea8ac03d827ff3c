"""The listener: checks, saves and survives whatever a broker sends."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_factory import PREFIX, make_alert, picture_bytes
from hypothesis import given
from hypothesis import strategies as st
from peers.mosquitto import Mosquitto
from subscriber import Subscriber, wait_until

from streamer.alerts.broker import Broker
from streamer.alerts.errors import BrokerRefusedError, BrokerUnreachableError
from streamer.alerts.listen import AlertReader, PictureCheck, ReceivedAlert, describe_alert, listen
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher

ALERTS = f"{PREFIX}/alerts"


class Heard:
    """What a reader told."""

    def __init__(self, save_dir: Path | None = None) -> None:
        self.alerts: list[ReceivedAlert] = []
        self.notices: list[str] = []
        self.reader = AlertReader(
            on_alert=self.alerts.append, on_notice=self.notices.append, save_dir=save_dir
        )

    def send(
        self, seq: int, alert_id: str = "A1", jpeg: bytes | None = None, sent: bytes | None = None
    ) -> None:
        if sent is not None:
            self.reader.receive(f"{ALERTS}/{alert_id}/snapshot", sent, False)
        self.reader.receive(ALERTS, make_alert(alert_id, jpeg).to_json(seq=seq), False)


def test_a_picture_with_the_right_digest_is_saved(tmp_path: Path):
    heard = Heard(tmp_path)
    heard.send(1, jpeg=b"picture", sent=b"picture")
    (alert,) = heard.alerts
    assert alert.check is PictureCheck.OK
    assert alert.saved == tmp_path / "A1.1.jpg"
    assert alert.saved.read_bytes() == b"picture"
    assert json.loads((tmp_path / "alerts.jsonl").read_text())["alert_id"] == "A1"
    assert heard.reader.summary.clean


@pytest.mark.parametrize(("sent", "check"), [(b"another", PictureCheck.DIFFERS), (None, PictureCheck.ABSENT)])
def test_a_picture_that_is_not_the_alerts_is_not_saved(
    tmp_path: Path, sent: bytes | None, check: PictureCheck
):
    heard = Heard(tmp_path)
    heard.send(1, jpeg=b"picture", sent=sent)
    assert heard.alerts[0].check is check
    assert not list(tmp_path.glob("*.jpg"))
    assert heard.reader.summary.pictures_wrong == 1
    assert not heard.reader.summary.clean


def test_gaps_duplicates_and_numbers_that_go_back_are_told():
    heard = Heard()
    for seq in (5, 6, 6, 9, 9, 10, 2):
        heard.send(seq, f"A{seq}")
    assert [alert.message["seq"] for alert in heard.alerts] == [5, 6, 9, 10, 2]
    assert [alert.gap for alert in heard.alerts] == [0, 0, 2, 0, 0]
    assert (heard.reader.summary.gaps, heard.reader.summary.duplicates) == (2, 2)
    assert any("7 to 8" in notice for notice in heard.notices)
    assert any("went back from 10 to 2" in notice for notice in heard.notices)


def test_sites_are_counted_apart():
    heard = Heard()
    for site in ("a", "b"):
        for seq in (1, 2):
            heard.reader.receive(f"{site}/alerts", make_alert(f"A{seq}").to_json(seq=seq), False)
    assert len(heard.alerts) == 4
    assert heard.reader.summary.clean


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"alert_id": "A1"}',
        b'{"alert_id": "../../evil", "seq": 1, "type": "new"}',
        b'{"alert_id": 7, "seq": 1, "type": "new"}',
        b'{"alert_id": "A1", "seq": "x", "type": "new"}',
        b'{"alert_id": "A1", "seq": 1, "type": "new", "snapshot": 5}',
    ],
)
def test_malformed_messages_are_counted_and_write_nothing(tmp_path: Path, payload: bytes):
    heard = Heard(tmp_path / "saved")
    heard.reader.receive(f"{ALERTS}/../../evil/snapshot", b"picture", False)
    heard.reader.receive(ALERTS, payload, False)
    assert heard.reader.summary.malformed == 1
    assert not heard.alerts
    assert list(tmp_path.iterdir()) == [tmp_path / "saved"]
    assert not list((tmp_path / "saved").iterdir())


@given(st.binary(max_size=200))
def test_no_payload_makes_the_reader_fail(payload: bytes):
    heard = Heard()
    heard.reader.receive(ALERTS, payload, False)
    heard.reader.receive(f"{PREFIX}/available", payload, True)
    assert heard.reader.summary.malformed == 1


def test_the_line_for_people_tells_the_alert_and_holds_no_control_characters():
    heard = Heard()
    message = json.loads(make_alert("A1", b"x", rule="bad\x1b[2Jrule").to_json(seq=3))
    heard.reader.receive(f"{ALERTS}/A1/snapshot", b"x", False)
    heard.reader.receive(ALERTS, json.dumps(message).encode(), False)
    line = describe_alert(heard.alerts[0])
    assert "\x1b" not in line
    for part in ("NEW", "gate/apron: hard_hat missing", "#3 A1", "picture ok"):
        assert part in line


@pytest.fixture
def listening(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Heard]:
    """A listener in a thread of its own."""
    heard = Heard(tmp_path / "saved")
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=listen,
        args=(Broker(host=mosquitto.host, port=mosquitto.port),),
        kwargs={
            "topic_prefix": PREFIX,
            "reader": heard.reader,
            "stop": stop,
            "on_notice": heard.notices.append,
            "on_ready": ready.set,
        },
    )
    thread.start()
    assert ready.wait(60)
    yield heard
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_it_hears_a_real_publisher_and_comes_back_after_an_outage(
    mosquitto: Mosquitto, tmp_path: Path, listening: Heard
):
    with Outbox(tmp_path / "state") as outbox:
        publisher = Publisher(Broker(host=mosquitto.host, port=mosquitto.port), outbox, topic_prefix=PREFIX)
        publisher.start()
        for n in range(5):
            outbox.enqueue(make_alert(f"A{n}", picture_bytes(n)), picture_bytes(n), at=time.time())
        publisher.notify()
        wait_until(lambda: len(listening.alerts) == 5)
        mosquitto.restart()
        wait_until(lambda: listening.reader.summary.reconnects == 1)
        wait_until(lambda: publisher.status.reconnects == 1)
        outbox.enqueue(make_alert("A5"), at=time.time())
        publisher.notify()
        wait_until(lambda: len(listening.alerts) == 6)
        publisher.stop()
        wait_until(lambda: f"{PREFIX} is stopped" in listening.notices)
    assert [alert.message["seq"] for alert in listening.alerts] == [1, 2, 3, 4, 5, 6]
    assert listening.reader.summary.pictures_ok == 5
    assert listening.reader.summary.clean
    assert len(list((tmp_path / "saved").glob("*.jpg"))) == 5


def test_it_does_not_throw_out_another_listener(mosquitto: Mosquitto, listening: Heard):
    stop, ready = threading.Event(), threading.Event()
    second = Heard()
    thread = threading.Thread(
        target=listen,
        args=(Broker(host=mosquitto.host, port=mosquitto.port),),
        kwargs={
            "topic_prefix": PREFIX,
            "reader": second.reader,
            "stop": stop,
            "on_notice": second.notices.append,
            "on_ready": ready.set,
        },
    )
    thread.start()
    assert ready.wait(60)
    with Subscriber(mosquitto, "nothing") as sender:
        sender.publish(ALERTS, make_alert("A1").to_json(seq=1))
    wait_until(lambda: len(second.alerts) == len(listening.alerts) == 1)
    stop.set()
    thread.join(30)
    assert listening.reader.summary.reconnects == second.reader.summary.reconnects == 0


def test_a_broker_that_is_not_there_or_refuses_is_an_error_at_once(tmp_path: Path):
    heard = Heard()
    options = {"topic_prefix": PREFIX, "reader": heard.reader, "stop": threading.Event(), "on_notice": print}
    with (
        Mosquitto(tmp_path, users={"a": "b"}) as broker,
        pytest.raises(BrokerRefusedError, match="refused the connection"),
    ):
        listen(Broker(host=broker.host, port=broker.port), **options)
    with pytest.raises(BrokerUnreachableError, match="nothing listens there"):
        listen(Broker(host=broker.host, port=broker.port), **options)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 5000,
        b'{"alert_id": "A1", "seq": 1e999, "type": "new"}',
        b'{"alert_id": "A1", "seq": 9223372036854775808, "type": "new"}',
        b'{"alert_id": "A1", "seq": 1, "type": "new", "rule": "\\ud800"}',
        b'["alert_id", "seq", "type"]',
    ],
)
def test_what_cannot_be_an_alert_is_malformed(tmp_path: Path, payload: bytes):
    heard = Heard(tmp_path)
    heard.reader.receive(ALERTS, payload, False)
    assert (heard.alerts, heard.reader.summary.malformed) == ([], 1)
    assert not (tmp_path / "alerts.jsonl").exists()


@pytest.mark.parametrize("missing", [1, 0.5, True, "hard_hat", {"a": 1}, [[None]]])
def test_fields_of_other_kinds_are_shown_as_they_are(missing: object):
    heard = Heard()
    message = {**json.loads(make_alert().to_json(seq=1)), "missing": missing, "rule": "x" * 9999}
    heard.reader.receive(ALERTS, json.dumps(message).encode(), False)
    line = describe_alert(heard.alerts[0])
    assert line.isprintable()
    assert len(line) < 1100


def test_notices_do_not_steer_the_terminal():
    heard = Heard()
    heard.reader.receive("evil\x1b[2J\u202e/available", b"\x1b]0;x\x07", False)
    heard.reader.receive("evil\x9b/alerts", b"nothing", False)
    assert len(heard.notices) == 2
    assert all(notice.isprintable() for notice in heard.notices)


def test_pictures_that_wait_take_bounded_memory():
    heard = Heard()
    large = bytes(15_000_000)
    for number in range(5):
        heard.reader.receive(f"{ALERTS}/A{number}/snapshot", large, False)
    heard.send(1, "A4", jpeg=large)
    heard.send(2, "A0", jpeg=large)
    assert [alert.check for alert in heard.alerts] == [PictureCheck.OK, PictureCheck.ABSENT]
