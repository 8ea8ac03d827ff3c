"""When the broker is tried again, what its refusals mean, and what retained states do meanwhile."""

import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from streamer.alerts.broker import Broker, BrokerTls, connection_error, default_client_id, refusal
from streamer.alerts.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTakenOverError,
    BrokerUnreachableError,
)
from streamer.alerts.reconnect import FlapDetector, ReconnectPolicy
from streamer.alerts.retained import RetainedStore

CANARY = "c4n4ry-p4ssw0rd"


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_to_a_cap_and_are_spread(failures: int, luck: float):
    policy = ReconnectPolicy(initial_s=1.0, max_s=30.0, refused_s=60.0, jitter=lambda: luck)
    delay = policy.delay_s(failures, BrokerUnreachableError("away"))
    full = min(30.0, 2.0 ** min(failures - 1, 30))
    assert 0.5 * full <= delay <= full


@pytest.mark.parametrize("error", [BrokerRefusedError("no"), BrokerTakenOverError("two")])
def test_a_refusal_waits_long_from_the_first_time_on(error: BrokerError):
    policy = ReconnectPolicy(refused_s=60.0, jitter=lambda: 1.0)
    assert [policy.delay_s(failures, error) for failures in (1, 5)] == [60.0, 60.0]


def test_connections_that_keep_ending_soon_are_noticed():
    now = [0.0]
    flaps = FlapDetector(count=3, within_s=180.0, short_s=20.0, clock=lambda: now[0])
    assert [flaps.ended(held_s=1.0), flaps.ended(held_s=1.0), flaps.ended(held_s=1.0)] == [False, False, True]
    assert not flaps.ended(held_s=3600.0)
    assert not flaps.ended(held_s=1.0)
    now[0] = 1000.0
    assert not flaps.ended(held_s=1.0)
    assert not flaps.ended(held_s=1.0)
    assert flaps.ended(held_s=1.0)


def test_a_broker_that_comes_and_goes_is_not_taken_for_a_second_client():
    flaps = FlapDetector(count=3)
    for _ in range(5):
        assert not flaps.ended(held_s=1.0)
        flaps.broker_was_away()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x86, BrokerRefusedError),
        (0x87, BrokerRefusedError),
        (0x84, BrokerRefusedError),
        (0x88, BrokerUnreachableError),
        (0x89, BrokerUnreachableError),
    ],
)
def test_reason_codes_are_told_apart(code: int, kind: type[BrokerError]):
    error = refusal(ReasonCode(PacketTypes.CONNACK, identifier=code), what="it said no")
    assert type(error) is kind
    assert str(error).startswith("it said no: ")


def test_success_is_no_refusal():
    assert refusal(ReasonCode(PacketTypes.CONNACK, identifier=0), what="") is None
    assert refusal(ReasonCode(PacketTypes.PUBACK, identifier=0x10), what="") is None


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ConnectionRefusedError(111, "refused"), BrokerUnreachableError, "nothing listens there"),
        (socket.gaierror(-2, "unknown"), BrokerUnreachableError, "does not resolve"),
        (TimeoutError(), BrokerUnreachableError, "no answer within 5 s"),
        (OSError(113, "No route to host"), BrokerUnreachableError, "no route"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] x"), BrokerRefusedError, "is this the TLS port"),
        (ssl.SSLEOFError(8, "EOF occurred"), BrokerUnreachableError, "yard.example"),
        (ValueError("strange"), BrokerUnreachableError, "ValueError"),
    ],
)
def test_every_way_in_which_connecting_fails_has_words(error: Exception, kind: type[BrokerError], text: str):
    broker = Broker(host="yard.example", user="u", password=CANARY)
    typed = connection_error(error, broker)
    assert type(typed) is kind
    assert text in str(typed)
    assert "yard.example:1883" in str(typed)
    assert CANARY not in str(typed) + repr(broker)


def test_tls_files_that_cannot_be_used_are_named(tmp_path):
    bad = tmp_path / "ca.pem"
    with pytest.raises(BrokerRefusedError, match=r"ca\.pem: No such file"):
        BrokerTls(ca_file=bad).context()
    bad.write_text("no certificate")
    with pytest.raises(BrokerRefusedError, match=r"ca\.pem"):
        BrokerTls(ca_file=bad).context()
    with pytest.raises(BrokerRefusedError, match="client certificate"):
        BrokerTls(cert_file=bad, key_file=bad).context()


def test_tls_checks_certificates_whatever_is_configured():
    for tls in (BrokerTls(), BrokerTls(insecure=True)):
        assert tls.context().verify_mode is ssl.CERT_REQUIRED
    assert BrokerTls().context().check_hostname


def test_client_ids_are_stable_and_differ_by_site_and_role():
    assert default_client_id("ppewatch/yard") == default_client_id("ppewatch/yard")
    ids = {default_client_id(*key) for key in (("a/yard",), ("b/yard",), ("a/yard", "listen"))}
    assert len(ids) == 3
    assert all(len(name.encode()) < 65 for name in (*ids, default_client_id("ü/" * 90)))


class TestRetainedStore:
    def test_the_latest_value_wins_and_is_sent_once(self):
        store = RetainedStore()
        assert store.put("a", b"1")
        assert store.put("a", b"2")
        assert not store.put("a", b"2")
        assert store.take_due() == [("a", b"2")]
        assert store.take_due() == []

    def test_everything_is_announced_again_on_a_connection(self):
        store = RetainedStore()
        for topic in "ab":
            store.put(topic, b"1")
        store.take_due()
        store.put("a", b"")
        store.announce_all()
        assert store.take_due() == [("a", b""), ("b", b"1")]

    def test_what_is_kept_no_more_is_removed_also_from_an_earlier_run(self):
        store = RetainedStore()
        store.put("kept", b"1")
        store.put("gone", b"1")
        store.take_due()
        store.remove_except(["kept"], ["older", "kept"])
        assert sorted(store.take_due()) == [("gone", b""), ("older", b"")]
        assert store.topics() == ["kept"]

    def test_values_that_expire_are_renewed_in_time(self):
        now = [0.0]
        store = RetainedStore(refresh_s=30.0, clock=lambda: now[0])
        store.put("a", b"1")
        assert store.take_due() == [("a", b"1")]
        now[0] = 29.0
        assert store.take_due() == []
        now[0] = 31.0
        assert store.take_due() == [("a", b"1")]
        assert store.take_due() == []
