"""The broker over TLS and mutual TLS: a real mosquitto, and every way in which trust may be missing."""

import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from peers.authority import Identity
from peers.mosquitto import Certificates, Mosquitto

from config import load_site
from streamer.alerts.broker_check import check_broker
from streamer.wiring import broker_of

Start = Callable[..., Mosquitto]


@pytest.fixture
def broker(tmp_path: Path, pki) -> Iterator[Start]:
    running: list[Mosquitto] = []

    def start(identity: Identity, **options: object) -> Mosquitto:
        # mosquitto sends its CA's names to clients that it asks for a certificate
        files = Certificates(pki.ca, identity.cert, identity.key, pki.client.cert, pki.client.key)
        running.append(Mosquitto(tmp_path, tls=files, **options))  # type: ignore[arg-type]
        running[-1].start()
        return running[-1]

    yield start
    for each in running:
        each.stop()


def problem(tmp_path: Path, broker: Mosquitto, tls: str, environ: dict[str, str] | None = None) -> str | None:
    """What a site with these settings meets, as ``check --connect`` says it; None when it is taken."""
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: {name: yard}\ncameras: {gate: {url: clip.mp4}}\n"
        f"mqtt: {{host: {broker.host}, port: {broker.port}, tls: {tls}}}\n"
    )
    return check_broker(broker_of(load_site(site, environ or {"HOME": "/"}).mqtt), client_id="check")


def test_our_own_ca_is_trusted_and_the_systems_store_does_not_know_it(tmp_path, broker, pki):
    running = broker(pki.good)
    assert problem(tmp_path, running, f"{{ca: {pki.ca}}}") is None
    said = problem(tmp_path, running, "true")
    assert said is not None
    assert "its certificate is not trusted" in said


def test_true_is_the_systems_store(tmp_path, broker, pki, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.ca))
    assert problem(tmp_path, broker(pki.good), "true") is None


@pytest.mark.parametrize(
    ("which", "word"), [("stranger", "issuer"), ("other_host", "mismatch"), ("expired", "expired")]
)
def test_a_broker_that_is_not_to_be_trusted_is_refused_and_says_why(tmp_path, broker, pki, which, word):
    running = broker(getattr(pki, which))
    said = problem(tmp_path, running, f"{{ca: {pki.ca}}}")
    assert said is not None
    assert "its certificate is not trusted" in said
    assert word in said
    lax = problem(tmp_path, running, f"{{ca: {pki.ca}, insecure: true}}")
    assert (lax is None) is (which == "other_host"), "insecure forgives the name alone"


def test_mutual_tls_with_the_key_as_a_credential(tmp_path, broker, pki):
    running = broker(pki.good, require_client_cert=True)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "client-key").write_bytes(pki.client.key.read_bytes())
    environ = {"HOME": "/", "CREDENTIALS_DIRECTORY": str(credentials)}
    tls = f"{{ca: {pki.ca}, cert: {pki.client.cert}, key: credential:client-key}}"
    assert problem(tmp_path, running, tls, environ) is None


def test_without_our_certificate_or_with_a_strangers_the_broker_refuses(tmp_path, broker, pki):
    running = broker(pki.good, require_client_cert=True)
    without = problem(tmp_path, running, f"{{ca: {pki.ca}}}")
    assert without is not None
    assert "client certificate" in without
    files = f"cert: {pki.stranger.cert}, key: {pki.stranger.key}"
    refused = problem(tmp_path, running, f"{{ca: {pki.ca}, {files}}}")
    assert refused is not None
    assert "trust our client certificate" in refused


@pytest.mark.parametrize("files", ["cert: none.pem, key: none.key", "cert: {cert}, key: {other}", "ca: none"])
def test_files_that_cannot_be_used_are_named(tmp_path, broker, pki, files):
    given = files.format(cert=pki.client.cert, other=pki.stranger.key)
    said = problem(tmp_path, broker(pki.good), f"{{{given}}}")
    assert said is not None
    assert said.startswith(("cannot use the client certificate", "cannot use the CA file"))


ACCESS_RULES = Path(__file__).parents[2] / "deploy" / "mosquitto" / "ppewatch.acl"


class CertifiedClient:
    """A client that its certificate alone makes known, with all that it received."""

    def __init__(self, broker: Mosquitto, pki, identity: Identity) -> None:
        self.seen: list[bytes] = []
        self._arrived = threading.Condition()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        context = ssl.create_default_context(cafile=pki.ca)
        context.load_cert_chain(identity.cert, identity.key)
        self._client.tls_set_context(context)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._message
        self._client.connect(broker.host, broker.port)
        self._client.subscribe("ppewatch/#", qos=1)
        self._client.loop_start()
        assert subscribed.wait(20)

    def _message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._arrived:
            self.seen.append(message.payload)
            self._arrived.notify_all()

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(20)

    def wait_for(self, payload: bytes) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: payload in self.seen, 20)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_a_subscriber_with_a_certificate_can_give_no_commands(broker, pki):
    """The access rules of deploy/mosquitto with names from certificates."""
    running = broker(
        pki.good,
        require_client_cert=True,
        config=(f"acl_file {ACCESS_RULES}", "use_identity_as_username true"),
    )
    clients = [CertifiedClient(running, pki, each) for each in (pki.client, pki.viewer, pki.operator)]
    daemon, viewer, operator = clients
    try:
        viewer.publish("ppewatch/yard/command/reload", b"the viewer's command")
        viewer.publish("ppewatch/yard/alerts", b"forged")
        operator.publish("ppewatch/yard/alerts", b"forged too")
        operator.publish("ppewatch/yard/command/reload", b"the operator's command")
        daemon.wait_for(b"the operator's command")
        daemon.publish("ppewatch/yard/alerts", b"alert")
        viewer.wait_for(b"alert")
        # mosquitto keeps the order of what it passes on, so the others would have come by now
        assert daemon.seen == [b"the operator's command", b"alert"]
        assert viewer.seen == daemon.seen
    finally:
        for client in clients:
            client.stop()
