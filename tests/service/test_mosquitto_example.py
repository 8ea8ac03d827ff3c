"""The example broker configuration, in a real mosquitto started as Debian's main configuration would."""

import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

EXAMPLE = Path(__file__).parents[2] / "deploy" / "mosquitto"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
USERS = {"ppewatch": "for-the-daemon", "viewer": "for-viewers", "operator": "for-operators"}

pytestmark = pytest.mark.skipif(
    MOSQUITTO is None or shutil.which("mosquitto_passwd") is None, reason="needs mosquitto"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mosquitto")
    port = free_port()
    passwords, access = folder / "ppewatch.passwd", folder / "ppewatch.acl"
    for index, (user, password) in enumerate(USERS.items()):
        create = ["-c"] if index == 0 else []
        subprocess.run(["mosquitto_passwd", *create, "-b", passwords, user, password], check=True)
    shutil.copy(EXAMPLE / "ppewatch.acl", access)
    text = (EXAMPLE / "ppewatch.conf").read_text()
    for old, new in (
        ("listener 1883 127.0.0.1", f"listener {port} 127.0.0.1"),
        ("/etc/mosquitto/ppewatch.passwd", str(passwords)),
        ("/etc/mosquitto/ppewatch.acl", str(access)),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "ppewatch.conf").write_text(text)
    main = folder / "mosquitto.conf"
    main.write_text(
        f"persistence true\npersistence_location {folder}/\nuser root\ninclude_dir {folder}/conf.d\n"
    )
    for secret in (passwords, access):
        secret.chmod(0o600)
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen([MOSQUITTO, "-c", main], stdout=output, stderr=output)
    try:
        for _ in range(100):
            assert process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)
    assert "Error" not in log.read_text()
    assert (folder / "mosquitto.db").is_file(), "what was retained survives the broker"


class Client:
    def __init__(self, port, user=None, password=None):
        self.messages = []
        self.code = None
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        if user is not None:
            self._client.username_pw_set(user, USERS[user] if password is None else password)
        self._client.on_connect = self._on_connect
        self._client.on_message = lambda _c, _u, message: self.messages.append(
            (message.topic, bytes(message.payload))
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._connected.wait(60)

    def _on_connect(self, _client, _userdata, _flags, code, _properties):
        self.code = code
        self._connected.set()

    def subscribe(self, topic):
        self._subscribed.clear()
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(60)

    def publish(self, topic, payload, **options):
        self._client.publish(topic, payload, qos=1, **options).wait_for_publish(5)

    def wait_for(self, payload, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(seen == payload for _, seen in self.messages):
                return True
            time.sleep(0.01)
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()


def test_nobody_without_a_password_gets_in(broker):
    with Client(broker) as nobody:
        assert nobody.code.is_failure
    with Client(broker, "viewer", "guessed") as guesser:
        assert guesser.code.is_failure


def test_alerts_reach_the_viewer_who_can_give_no_commands(broker):
    with Client(broker, "ppewatch") as daemon, Client(broker, "viewer") as viewer:
        assert not daemon.code.is_failure
        viewer.subscribe("ppewatch/#")
        daemon.subscribe("ppewatch/north-yard/command/#")
        daemon.publish("ppewatch/north-yard/alerts", b"alert")
        assert viewer.wait_for(b"alert")
        viewer.publish("ppewatch/north-yard/command/reload", b"from the viewer")
        viewer.publish("ppewatch/north-yard/alerts", b"forged")
        with Client(broker, "operator") as operator:
            operator.publish("ppewatch/north-yard/alerts", b"forged")
            operator.publish("ppewatch/north-yard/command/reload", b"from the operator")
        assert daemon.wait_for(b"from the operator")
        daemon.publish("ppewatch/north-yard/alerts", b"last")
        assert viewer.wait_for(b"last")
        assert not daemon.wait_for(b"from the viewer", 0.1)
        assert not viewer.wait_for(b"forged", 0.1)


def test_the_daemon_writes_below_its_prefix_alone(broker):
    with Client(broker, "ppewatch") as daemon, Client(broker, "viewer") as viewer:
        viewer.subscribe("#")
        daemon.publish("homeassistant/config", b"elsewhere", retain=True)
        daemon.publish("ppewatch/north-yard/available", b"online", retain=True)
        assert viewer.wait_for(b"online")
        assert not viewer.wait_for(b"elsewhere", 0.1)


def test_a_message_larger_than_any_snapshot_is_refused(broker):
    with Client(broker, "ppewatch") as daemon, Client(broker, "viewer") as viewer:
        viewer.subscribe("ppewatch/#")
        daemon.publish("ppewatch/north-yard/alerts/1/snapshot", bytes(3_900_000))
        assert viewer.wait_for(bytes(3_900_000))
    with Client(broker, "ppewatch") as daemon, Client(broker, "viewer") as viewer:
        viewer.subscribe("ppewatch/#")
        daemon._client.publish("ppewatch/north-yard/alerts/2/snapshot", bytes(4_100_000), qos=1)
        assert not viewer.wait_for(bytes(4_100_000), 0.5)
