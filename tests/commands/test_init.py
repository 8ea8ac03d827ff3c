"""``ppewatch init`` on a terminal and from scripts, against a real broker and real cameras."""

import stat
from pathlib import Path

import pytest
import yaml
from command_line import CANARY, one_line_of, ppewatch
from peers.dead_ends import HangingPort
from peers.mosquitto import Mosquitto, free_port
from terminal import Terminal

from config import load_site

BROKER_CANARY = "br0ker-c4nary $x `\"\\'"


def test_on_a_terminal_from_nothing_to_a_site_that_check_accepts(tmp_path, rtsp_server):
    camera = rtsp_server(user="viewer", password=CANARY, size="640x480", fps=15, gop=15)
    with (
        Mosquitto(tmp_path, users={"watch": BROKER_CANARY}) as broker,
        Terminal("init", "yard.yaml", cwd=tmp_path, PYTHONFAULTHANDLER="1") as user,
    ):
        user.answer("Name of the site", "north yard")
        user.expect("a name takes letters")
        user.answer("Name of the site", "north-yard")
        user.answer("Time zone", "Europe/Brussels")
        user.answer("Broker (MQTT)", f"127.0.0.1:{broker.port}")
        user.answer("TLS", "n")
        user.answer("User at the broker", "watch")
        user.answer("Password of watch", "n0t-the-one")
        user.expect("not authorised (a wrong user or password)")
        user.answer("Change the answers", "y")
        user.answer("Broker (MQTT)")
        user.answer("TLS")
        user.answer("User at the broker")
        user.answer("Password of watch", BROKER_CANARY)
        user.expect("it takes us")
        user.answer("ONVIF cameras", "n")
        user.answer("Address of the first camera", camera.url)
        user.answer("User at the camera", "viewer")
        user.answer("Password of viewer", "n0t-the-one")
        user.expect("refuses the user or password")
        user.answer("What now", "1")
        user.answer("Address")
        user.answer("User at the camera")
        user.answer("Password of viewer", CANARY)
        user.expect("h264 640x480, 15 frames a second")
        user.expect("picture: ")
        user.answer("right picture", "y")
        picture = Path(user.screen.rpartition("picture: ")[2].splitlines()[0])
        assert stat.S_IMODE(picture.stat().st_mode) == 0o600
        assert picture.read_bytes()[:2] == b"\xff\xd8"
        user.answer("Name of this camera", "gate")
        user.answer("Required at gate", "3")
        user.answer("Where", "2")
        user.answer("Address of the next camera", "rtsp://127.0.0.1:1/none")
        user.answer("The user and password of gate", "n")
        user.answer("User at the camera")
        user.expect("127.0.0.1:1")
        user.answer("What now", "3")
        user.answer("Address of the next camera")
        user.answer("Look at the camera with the models", "n")
        user.answer("Where shall they stand")
        user.answer("Write it")
        assert user.end() == 0
    said = user.screen
    assert not picture.exists()
    assert "ppewatch check yard.yaml --connect" in said
    for secret in (CANARY, BROKER_CANARY):
        assert secret not in said
    site = load_site(tmp_path / "yard.yaml", {})
    assert site.site.timezone == "Europe/Brussels"
    assert site.mqtt.password.get_secret_value() == BROKER_CANARY
    gate = site.cameras["gate"]
    assert gate.credentials == ("viewer", CANARY)
    assert [(rule.where, [*map(str, rule.require)]) for rule in site.rules] == [
        (("gate/area",), ["hard_hat", "face_mask"])
    ]
    text = (tmp_path / "yard.yaml").read_text()
    assert CANARY not in text
    assert "br0ker" not in text
    secrets = tmp_path / "yard.secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o600}
    done = ppewatch("check", "yard.yaml", cwd=tmp_path)
    assert (done.code, done.out) == (0, "yard.yaml: 1 cameras, 1 rules; the settings are right\n")
    left = {
        path.name for path in tmp_path.iterdir() if "mosquitto" not in path.name and path.name != "passwords"
    }
    assert left == {"yard.yaml", "yard.secrets"}


ANSWERS = """\
site: {name: yard, timezone: Europe/Brussels}
cameras:
  gate: {url: "rtsp://10.0.0.1/stream", user: viewer, password: PASSWORD, require: [hard_hat]}
"""


@pytest.mark.parametrize("place", ["files", "env", "yaml"])
def test_passwords_stand_where_they_are_wanted(tmp_path, place):
    (tmp_path / "answers.yaml").write_text(ANSWERS.replace("PASSWORD", CANARY))
    done = ppewatch(
        "init", "site.yaml", "--answers", "answers.yaml", "--no-probe", "--secrets", place, cwd=tmp_path
    )
    assert (done.code, done.err) == (0, "")
    assert CANARY not in done.said
    path = tmp_path / "site.yaml"
    environ = {"GATE_PASSWORD": CANARY} if place == "env" else {}
    assert load_site(path, environ).cameras["gate"].credentials == ("viewer", CANARY)
    assert (CANARY in path.read_text()) == (place == "yaml")
    holder = {"files": "site.secrets/camera-gate", "env": "site.env", "yaml": "site.yaml"}[place]
    assert stat.S_IMODE((tmp_path / holder).stat().st_mode) == 0o600
    assert CANARY in (tmp_path / holder).read_text()


def test_a_reference_stays_one(tmp_path):
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "gate.txt").write_text(CANARY + "\n")
    (tmp_path / "answers" / "a.yaml").write_text(ANSWERS.replace("PASSWORD", "file:gate.txt"))
    done = ppewatch("init", "--answers", "answers/a.yaml", "--no-probe", cwd=tmp_path)
    assert done.code == 0
    site = yaml.safe_load((tmp_path / "site.yaml").read_text())
    assert site["cameras"]["gate"]["password"] == f"file:{tmp_path}/answers/gate.txt"
    assert not (tmp_path / "site.secrets").exists()


def test_options_are_answers_too(tmp_path):
    clip = Path(__file__).parents[2] / "streamer" / "demo" / "assets"
    done = ppewatch(
        *("init", "--name", "yard", "--timezone", "UTC", "--require", "both", "--zone-later", "--no-probe"),
        *("--broker", "broker.local:8883", "--broker-user", "watch", "--broker-password", "${MQTT_PW}"),
        *("--camera", f"gate={clip}", "--camera", "dock=rtsp://viewer:${PW}@10.0.0.1/s", "--user", "someone"),
        cwd=tmp_path,
        PW="pa55word",
        MQTT_PW=CANARY,
    )
    assert (done.code, done.err) == (0, "")
    site = load_site(tmp_path / "site.yaml", {"PW": "pa55word", "MQTT_PW": CANARY})
    assert (site.mqtt.host, site.mqtt.port, site.mqtt.tls is not None) == ("broker.local", 8883, True)
    assert site.mqtt.password.get_secret_value() == CANARY
    assert [place.zone for place in site.places_of(site.rules[0])] == ["area", "area"]


def test_a_script_is_told_what_does_not_answer_and_nothing_is_written(tmp_path, rtsp_server):
    camera = rtsp_server(user="viewer", password=CANARY)
    (tmp_path / "answers.yaml").write_text(
        f"""\
site: {{name: yard}}
broker: {{port: {free_port()}}}
cameras:
  gate: {{url: "{camera.url}", user: viewer, password: {CANARY}, require: none}}
  dock: {{url: "{camera.url}", user: viewer, password: n0t-the-one, require: none}}
  hall: {{url: "rtsp://127.0.0.1:1/x", require: none}}
"""
    )
    done = ppewatch("init", "--answers", "answers.yaml", "--pictures", "seen", cwd=tmp_path)
    assert done.code == 1
    lines = done.out.splitlines()
    assert [line[:4] for line in lines] == ["FAIL", "ok  ", "FAIL", "FAIL"]
    assert "nothing listens there" in lines[0]
    assert "h264 320x240" in lines[1]
    assert "refuses the user or password" in lines[2]
    assert "nothing was written" in done.err
    assert (tmp_path / "seen" / "gate.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert {path.name for path in tmp_path.iterdir()} == {"answers.yaml", "seen"}
    assert CANARY not in done.said
    assert "n0t-the-one" not in done.said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ANSWERS.replace("site:", "sight:"), "answers.yaml:1:1: sight: unknown key"),
        (ANSWERS.replace("[hard_hat]", "[hat]"), "'hat' is none of"),
        (ANSWERS.replace("PASSWORD", "${NOT_THERE}"), "answers.yaml:3:9: cameras.gate: the environment variable NOT"),
        (ANSWERS.replace("rtsp://", "rtsp:/"), "cameras.gate: the address should begin with its scheme"),
        (ANSWERS.replace("Europe/Brussels", "Mars"), "site.timezone: no IANA time zone"),
        (ANSWERS.replace("Europe/Brussels", "brussels"), "or UTC; did you mean 'Europe/Brussels'?"),
        ("- a\n", "holds no mapping"),
    ],
)  # fmt: skip
def test_wrong_answers_are_told_with_their_place(tmp_path, text, said):
    (tmp_path / "answers.yaml").write_text(text.replace("PASSWORD", CANARY))
    done = ppewatch("init", "--answers", "answers.yaml", "--no-probe", cwd=tmp_path)
    assert done.code == 2
    assert said in done.err
    assert CANARY not in done.said
    assert {path.name for path in tmp_path.iterdir()} == {"answers.yaml"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "there is no terminal to ask on, and without one it needs --name, --camera, --require"),
        (("--answers", "answers.yaml", "--name", "x"), "--name cannot go with it"),
        (("--name", "x", "--camera", "gate", "--require", "both"), "--camera takes NAME=URL"),
        (("nowhere/site.yaml", "--name", "x"), "there is no such folder"),
        (("--password", CANARY), "never the password itself"),
        (("--broker-password", CANARY), "never the password itself"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, options, said):
    line = one_line_of(ppewatch("init", *options, cwd=tmp_path))
    assert said in line
    assert CANARY not in line


def test_a_file_that_exists_is_replaced_by_permission_alone(tmp_path):
    (tmp_path / "answers.yaml").write_text(ANSWERS.replace("PASSWORD", CANARY))
    path = tmp_path / "site.yaml"
    path.write_text("mine\n")
    path.chmod(0o640)
    arguments = ("init", "--answers", "answers.yaml", "--no-probe")
    done = ppewatch(*arguments, cwd=tmp_path)
    assert (done.code, path.read_text()) == (2, "mine\n")
    assert "--force replaces it" in done.err
    done = ppewatch(*arguments, "--force", cwd=tmp_path)
    assert done.code == 0
    assert "gate" in path.read_text()
    # who may read it has not changed
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_password_of_another_site_is_not_replaced_without_asking(tmp_path):
    (tmp_path / "answers.yaml").write_text(ANSWERS.replace("PASSWORD", CANARY))
    (tmp_path / "site.secrets").mkdir()
    other = tmp_path / "site.secrets" / "camera-gate"
    other.write_text("mine\n")
    done = ppewatch("init", "--answers", "answers.yaml", "--no-probe", cwd=tmp_path)
    assert done.code == 1
    assert "exists already; nothing was written" in done.err
    assert other.read_text() == "mine\n"
    assert {path.name for path in tmp_path.iterdir()} == {"answers.yaml", "site.secrets"}


def test_a_broker_that_is_told_as_encrypted_is_not_asked_whether_it_is(tmp_path):
    with Terminal("init", "--name", "a", "--timezone", "UTC", cwd=tmp_path) as user:
        port = free_port()
        user.answer("Broker (MQTT)", f"mqtts://127.0.0.1:{port}")
        user.answer("CA certificate to trust")
        user.answer("User at the broker")
        user.expect(f"trying the broker at 127.0.0.1:{port}")
        user.answer("Change the answers", "n")
        user.expect("Ask this network for ONVIF cameras")
        user.interrupt()
        assert user.end() == 1
    assert "Is the connection encrypted" not in user.screen


@pytest.mark.parametrize("how", ["interrupt", "close_input", "terminate"])
def test_an_interrupted_conversation_leaves_nothing(tmp_path, how):
    with Terminal("init", cwd=tmp_path) as user:
        user.answer("Name of the site")
        user.answer("Time zone", "UTC")
        user.expect("Broker (MQTT)")
        getattr(user, how)()
        assert user.end() == 1
    if how != "terminate":
        assert "nothing was written" in user.screen
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_a_camera_is_tried_ends_at_once(tmp_path):
    with HangingPort() as camera, Terminal("init", "--name", "a", "--timezone", "UTC", cwd=tmp_path) as user:
        user.answer("Broker (MQTT)", f"127.0.0.1:{free_port()}")
        user.answer("TLS")
        user.answer("User at the broker")
        user.answer("Change the answers", "n")
        user.answer("ONVIF cameras", "n")
        user.answer("Address of the first camera", f"rtsp://127.0.0.1:{camera.port}/x")
        user.answer("User at the camera")
        user.expect("trying rtsp://127.0.0.1")
        user.interrupt()
        assert user.end() == 1
    assert list(tmp_path.iterdir()) == []
