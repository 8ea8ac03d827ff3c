"""``ppewatch check``: right and wrong files, and cameras and brokers that answer, refuse, or are not there."""

import json
import ssl
import time
from pathlib import Path

import pytest
from command_line import CANARY, one_line_of, ppewatch
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from peers.authority import Authority
from peers.connect_proxy import ConnectProxy
from peers.mosquitto import Mosquitto, free_port
from peers.webhook_server import WebhookServer

from config import load_site
from streamer.present_limits import limit_warnings, unseen_gear_warnings

GOOD = """\
site: {name: yard}
cameras:
  gate:
    url: rtsp://10.0.0.1/stream
    zones:
      apron: {coordinates: "0.1,0.1, 0.9,0.1, 0.9,0.9, 0.1,0.9"}
rules:
  - {name: masks, where: [gate/apron], require: [face_mask]}
"""


@pytest.fixture
def site(tmp_path: Path):
    """Writes a SITE.yaml that only its owner can read, and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "site.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def test_a_right_file(site):
    path = site(GOOD)
    done = ppewatch("check", path)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{path}: 1 cameras, 1 rules; the settings are right\n"
    done = ppewatch("check", path, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"file": str(path), "problems": [], "warnings": [], "connections": []}


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("site: {name: yard\ncameras: ]", ":2:8: ", "YAML"),
        (GOOD.replace("zones:", "zoness:"), ":5:5: cameras.gate.zoness", "did you mean 'zones'?"),
        (GOOD.replace("0.9,0.9, 0.1,0.9", "0.1,0.9, 0.9,0.9"), ":6:28: cameras.gate.zones.apron", "cross"),
        (
            GOOD.replace("10.0.0.1/stream", "viewer:${GATE_PW}@10.0.0.1/s"),
            ":4:10: cameras.gate.url",
            "GATE_PW",
        ),
        (GOOD.replace("gate/apron", "gate/aprn"), ":8:", "did you mean 'apron'?"),
        (GOOD.replace("[face_mask]", "[face_mas]"), ":8:", "did you mean 'face_mask'?"),
        ("", "", ""),
        ("- a\n- b\n", "", ""),
    ],
    ids=[
        "malformed",
        "unknown key",
        "wrong polygon",
        "missing secret",
        "unknown zone",
        "gear",
        "empty",
        "list",
    ],
)
def test_a_wrong_file_is_told_with_its_place(site, text, place, said):
    path = site(text)
    done = ppewatch("check", path)
    assert done.code == 2
    line = one_line_of(done)
    assert line.startswith(f"{path}{place}")
    assert said in line
    # and machines read the same
    report = ppewatch("check", path, "--json")
    assert (report.code, report.err) == (2, "")
    (problem,) = json.loads(report.out)["problems"]
    assert problem["message"] in line
    assert (problem["key"] or "") in line
    assert problem["line"] is None or f":{problem['line']}:{problem['column']}" in line


def test_every_problem_has_a_line(site):
    path = site(GOOD.replace("zones:", "zoness:").replace("name: masks", "nam: masks"))
    done = ppewatch("check", path)
    assert done.code == 2
    assert len(done.err.splitlines()) >= 2
    assert all(line.startswith(f"{path}:") for line in done.err.splitlines())


def test_a_wrong_file_does_not_show_its_password(site):
    path = site(GOOD.replace("url: rtsp://10.0.0.1/stream", f"url: rtsp://u:{CANARY}@10.0.0.1:port/s"))
    for more in ((), ("--json",), ("--debug",)):
        done = ppewatch("check", path, *more)
        assert done.code == 2
        assert CANARY not in done.said


def test_what_is_hardly_meant_is_warned_of(site):
    hats = GOOD.replace("require: [face_mask]", "require: [hard_hat]")
    path = site(hats.replace("cameras:", "models: [retinaface]\ncameras:", 1))
    done = ppewatch("check", path)
    assert done.code == 0
    assert "warning: rule 'masks' requires hard_hat, which " in done.out
    (warning,) = json.loads(ppewatch("check", path, "--json").out)["warnings"]
    assert "hard_hat" in warning


def test_gear_that_is_seen_and_rules_that_are_off_are_not_warned_of(site):
    assert unseen_gear_warnings(load_site(site(GOOD))) == []
    off = GOOD.replace("require: [face_mask]", "require: [hard_hat], enabled: false")
    assert unseen_gear_warnings(load_site(site(off))) == []
    both = GOOD.replace("require: [face_mask]", "require: [face_mask, hard_hat]")
    text = both.replace("cameras:", "models: [retinaface]\ncameras:", 1)
    (warning,) = unseen_gear_warnings(load_site(site(text)))
    assert "hard_hat" in warning


def test_connect_reports_every_camera_and_the_broker(site, tmp_path, rtsp_server):
    """One camera that answers, one that refuses the password, one that is not there, one that is switched off."""
    open_camera = rtsp_server()
    closed_camera = rtsp_server(user="viewer", password="another")
    text = f"""\
site: {{name: yard}}
mqtt: {{host: 127.0.0.1, port: PORT, user: watch, password: {CANARY}}}
cameras:
  open: {{url: "{open_camera.url}", user: viewer, password: {CANARY}}}
  closed: {{url: "{closed_camera.url}", user: viewer, password: {CANARY}}}
  gone: {{url: "rtsp://127.0.0.1:{free_port()}/s", password: {CANARY}}}
  resting: {{url: "rtsp://10.0.0.1/s", enabled: false}}
rules: [{{name: masks, where: ["*"], require: [face_mask]}}]
"""
    with Mosquitto(tmp_path, users={"watch": CANARY}) as broker:
        path = site(text.replace("PORT", str(broker.port)))
        done = ppewatch("check", path, "--connect")
        report = ppewatch("check", path, "--connect", "--no-heads", "--json")
    assert done.code == report.code == 1
    assert done.err == ""
    lines = [line for line in done.out.splitlines() if line.startswith(("ok  ", "FAIL"))]
    assert [line[:4] for line in lines] == ["ok  ", "FAIL", "FAIL", "ok  ", "ok  "]
    assert lines[0].startswith("ok    camera open: h264 320x240 yuv420p")
    assert "refuses the user or password (401)" in lines[1]
    assert "Connection refused" in lines[2]
    assert "switched off" in lines[3]
    assert f"broker 127.0.0.1:{broker.port}: connected and accepted" in lines[4]
    assert CANARY not in done.said + report.said
    (heads,) = (line for line in done.out.splitlines() if line.startswith("heads "))
    assert heads.startswith("heads open: nobody was seen in ")
    assert "heads" not in json.loads(report.out)
    connections = json.loads(report.out)["connections"]
    assert [entry.get("code") for entry in connections] == [
        None,
        "credentials_refused",
        "unreachable",
        None,
        None,
    ]


@pytest.mark.parametrize("users", [{"watch": "another"}, None], ids=["refused", "unreachable"])
def test_connect_tells_a_broker_that_refuses_from_one_that_is_not_there(site, tmp_path, users):
    with Mosquitto(tmp_path, users=users) as broker:
        if users is None:
            broker.kill()
        path = site(
            f"site: {{name: yard}}\ncameras: {{gate: {{url: clip.mp4, enabled: false}}}}\n"
            f"mqtt: {{host: 127.0.0.1, port: {broker.port}, user: watch, password: {CANARY}}}\n"
        )
        done = ppewatch("check", path, "--connect")
    assert done.code == 1
    said = "not authorised" if users else "nothing listens there"
    assert any(line.startswith("FAIL") and said in line for line in done.out.splitlines()), done.out
    assert CANARY not in done.said


def test_connect_says_what_is_wrong_with_certificates(site, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    path = site(
        "site: {name: yard}\ncameras: {gate: {url: clip.mp4, enabled: false}}\n"
        "mqtt: {host: 127.0.0.1, tls: {ca: ca.pem}}\n"
    )
    done = ppewatch("check", path, "--connect")
    assert done.code == 1, done
    assert "cannot use the CA file" in done.out


def test_connect_does_not_throw_the_daemon_off_the_broker(site, tmp_path):
    """The check comes with a client id of its own."""
    with Mosquitto(tmp_path) as broker:
        path = site(
            "site: {name: yard}\ncameras: {gate: {url: clip.mp4, enabled: false}}\n"
            f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n"
        )
        daemon = Client(CallbackAPIVersion.VERSION2, client_id=load_site(path).mqtt.client_id)
        ended: list[object] = []
        daemon.on_disconnect = lambda *arguments: ended.append(arguments)
        daemon.connect("127.0.0.1", broker.port)
        daemon.loop_start()
        while not daemon.is_connected():
            time.sleep(0.01)
        assert ppewatch("check", path, "--connect").code == 0
        assert daemon.is_connected()
        assert not ended
        daemon.disconnect()
        daemon.loop_stop()


def test_connect_tries_the_way_to_every_webhook_and_posts_nothing(site, tmp_path):
    """One that answers, one over TLS through a proxy, one that is not there, one switched off, one not trusted."""
    authority = Authority(tmp_path)
    identity = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    with (
        Mosquitto(tmp_path) as broker,
        WebhookServer() as plain,
        WebhookServer(tls=context) as encrypted,
        ConnectProxy() as proxy,
    ):
        gone = free_port()
        path = site(
            "site: {name: yard}\ncameras: {gate: {url: clip.mp4, enabled: false}}\n"
            f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n"
            "webhooks:\n"
            f"  open: {{url: 'http://127.0.0.1:{plain.port}/{CANARY}', token: {CANARY}}}\n"
            f"  far: {{url: 'https://127.0.0.1:{encrypted.port}/{CANARY}', proxy: '{proxy.url}',"
            " tls: {ca: ca.pem}}\n"
            f"  gone: {{url: 'http://127.0.0.1:{gone}/{CANARY}?key={CANARY}'}}\n"
            f"  resting: {{url: 'https://10.0.0.1/{CANARY}', enabled: false}}\n"
            f"  unknown: {{url: 'https://127.0.0.1:{encrypted.port}/{CANARY}'}}\n"
        )
        done = ppewatch("check", path, "--connect")
        report = ppewatch("check", path, "--connect", "--json")
    assert done.code == report.code == 1
    assert CANARY not in done.said + report.said
    assert plain.posted == encrypted.posted == []
    told = {entry["what"]: entry for entry in json.loads(report.out)["connections"]}
    names = ["open", "far", "gone", "resting", "unknown"]
    assert [told[f"webhook {name}"]["ok"] for name in names] == [True, True, False, True, False]
    assert [told[f"webhook {name}"].get("code") for name in names] == [
        None,
        None,
        "unreachable",
        None,
        "not_trusted",
    ]
    assert "nothing was posted" in told["webhook open"]["said"]
    assert f"https://127.0.0.1:{encrypted.port} through the proxy {proxy.url}" in told["webhook far"]["said"]
    assert f"FAIL  webhook gone: http://127.0.0.1:{gone}: nothing answers there\n" in done.out
    assert "ok    webhook resting: switched off, not tried\n" in done.out


def test_settings_without_effect_are_named(site, monkeypatch):
    text = GOOD.replace("cameras:", "models: [retinaface, maskrcnn]\ncameras:", 1)
    monkeypatch.setattr(
        "streamer.present_limits.installed_models", lambda _weights: frozenset({"retinaface"})
    )
    (warning,) = limit_warnings(load_site(site(text)))
    assert "maskrcnn is not installed" in warning
    assert limit_warnings(load_site(site(GOOD))) == []
