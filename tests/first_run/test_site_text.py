"""What is written says what was answered, whatever characters people use; and it is written whole or not at all."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ConfigError, load_site
from config.document import parse_document
from config.loading import settings_of
from streamer.first_run import writing
from streamer.first_run.answers import read_answers
from streamer.first_run.given import given_broker
from streamer.first_run.here import local_timezone
from streamer.first_run.next_steps import next_steps
from streamer.first_run.plan import (
    Address,
    BrokerPlan,
    CameraPlan,
    Password,
    SecretPlace,
    SitePlan,
    broker_address,
    free_name,
    gear_named,
)
from streamer.first_run.site_text import env_text, site_text
from streamer.first_run.terminal_picture import in_terminal
from streamer.first_run.writing import FirstRunError, prospect, write_site

PRINTABLE = st.characters(exclude_categories=("C", "Z"), exclude_characters="\x7f") | st.just(" ")
#: RTSP takes 126 bytes, percent-encoded.
SECRET = st.text(PRINTABLE, min_size=1, max_size=9)
NAME = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)


def plan_of(cameras: dict[str, str], user: str = "", password: str = "") -> SitePlan:
    broker = BrokerPlan(user=user, password=Password(password) if user else None)
    return SitePlan(
        name="yard",
        broker=broker,
        cameras=tuple(
            CameraPlan(name=name, url="rtsp://10.0.0.1/s", user="viewer", password=Password(secret))
            for name, secret in cameras.items()
        ),
    )


@settings(max_examples=25)
@given(cameras=st.dictionaries(NAME, SECRET, min_size=1, max_size=4), user=SECRET, password=SECRET)
def test_every_password_comes_back_from_variables(cameras, user, password):
    text = site_text(
        plan_of(cameras, user.replace("file:", "").replace("credential:", ""), password),
        place=SecretPlace.ENV,
        stem="s",
        today="now",
    )
    assert not text.holds_secret
    site = settings_of(parse_document(text.yaml.encode(), "s.yaml"), Path("/"), text.variables)
    assert {name: camera.credentials for name, camera in site.cameras.items()} == {
        name: ("viewer", secret) for name, secret in cameras.items()
    }
    assert site.mqtt.password is None or site.mqtt.password.get_secret_value() == password


@settings(max_examples=25)
@given(cameras=st.dictionaries(NAME, SECRET, min_size=1, max_size=4))
def test_every_password_comes_back_from_the_yaml(cameras):
    try:
        text = site_text(plan_of(cameras), place=SecretPlace.YAML, stem="s", today="now")
    except ValueError:
        assert any(secret.startswith(("file:", "credential:")) for secret in cameras.values())
        return
    assert text.holds_secret
    site = settings_of(parse_document(text.yaml.encode(), "s.yaml"), Path("/"), {})
    assert {name: camera.credentials[1] for name, camera in site.cameras.items()} == cameras


@settings(max_examples=20)
@given(secrets=st.lists(SECRET, min_size=1, max_size=5))
def test_a_shell_reads_the_variables_as_they_are(secrets, tmp_path_factory):
    variables = {f"V{number}": secret for number, secret in enumerate(secrets)}
    path = tmp_path_factory.mktemp("env") / "site.env"
    path.write_text(env_text(variables))
    script = f'set -a; . {path}; for name in "$@"; do printenv "$name"; done'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *variables], capture_output=True, check=True, env={"PATH": os.defpath}
    )
    assert done.stdout.decode().splitlines() == secrets


def test_addresses_with_secrets_in_them(tmp_path):
    camera = CameraPlan(name="gate", url="http://10.0.0.1/v?user=a&pwd=hunter22", require=())
    plan = SitePlan(name="yard", cameras=(camera,))
    text = site_text(plan, place=SecretPlace.ENV, stem="s", today="")
    assert text.variables == {"GATE_URL": camera.url}
    assert "hunter22" not in text.yaml
    coming = prospect(plan, tmp_path / "s.yaml", SecretPlace.FILES)
    assert coming.text.holds_secret
    assert "hunter22" not in coming.shown
    write_site(coming, {}, replace=False)
    assert (tmp_path / "s.yaml").stat().st_mode & 0o077 == 0


def test_names_that_collide_get_variables_of_their_own():
    text = site_text(
        plan_of({"a-b": "one", "a_b": "two", "1": "three"}), place=SecretPlace.ENV, stem="s", today=""
    )
    assert text.variables == {"A_B_PASSWORD": "one", "A_B_PASSWORD_2": "two", "CAMERA_1_PASSWORD": "three"}


@pytest.mark.parametrize("breaks_at", [0, 1, 2])
def test_when_one_file_cannot_be_placed_none_is(tmp_path, monkeypatch, breaks_at):
    plan = plan_of({"gate": "one", "dock": "two"})
    coming = prospect(plan, tmp_path / "site.yaml", SecretPlace.FILES)
    placed = []
    real = os.link

    def link(source, target):
        if len(placed) == breaks_at:
            # as Ctrl-C would
            raise KeyboardInterrupt
        placed.append(target)
        real(source, target)

    monkeypatch.setattr(writing.os, "link", link)
    with pytest.raises(KeyboardInterrupt):
        write_site(coming, {}, replace=False)
    assert list(tmp_path.iterdir()) == []


def test_what_was_replaced_is_put_back_when_the_rest_fails(tmp_path, monkeypatch):
    path = tmp_path / "site.yaml"
    path.write_text("mine\n")
    (tmp_path / "site.secrets").mkdir()
    old = tmp_path / "site.secrets" / "camera-gate"
    old.write_text("before\n")
    real = os.replace

    def replace(source, target):
        if str(target) == str(path):
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(writing.os, "replace", replace)
    coming = prospect(plan_of({"gate": "after"}), path, SecretPlace.FILES)
    with pytest.raises(OSError, match="No space"):
        write_site(coming, {}, replace=True)
    assert (path.read_text(), old.read_text()) == ("mine\n", "before\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["site.secrets", "site.yaml"]


def test_somebody_elses_file_that_appears_meanwhile_stays(tmp_path, monkeypatch):
    coming = prospect(plan_of({"gate": "one"}), tmp_path / "site.yaml", SecretPlace.FILES)
    (tmp_path / "site.yaml").write_text("theirs\n")
    with pytest.raises(FirstRunError, match="exists already; nothing was written"):
        write_site(coming, {}, replace=False)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("site.yaml", "theirs\n")]


def test_a_link_goes_on_to_lead_where_it_led(tmp_path):
    (tmp_path / "real.yaml").write_text("mine\n")
    link = tmp_path / "site.yaml"
    link.symlink_to("real.yaml")
    write_site(prospect(plan_of({"gate": "one"}), link, SecretPlace.YAML), {}, replace=True)
    assert link.is_symlink()
    assert load_site(link, {}).site.name == "yard"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("broker", ("broker", None, False)),
        (" mqtt://10.0.0.5:1884/ ", ("10.0.0.5", 1884, False)),
        ("[::1]:1883", ("::1", 1883, False)),
        ("fe80::1", ("fe80::1", None, False)),
        ("mqtts://broker.local", ("broker.local", None, True)),
        ("MQTTS://[::1]:8884", ("::1", 8884, True)),
        ("broker:8883", ("broker", 8883, False)),
    ],
)
def test_brokers_are_named_as_people_do(text, expected):
    where = broker_address(text)
    assert (where.host, where.port, where.tls) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("broker", ("broker", 1883, False)),
        ("broker:8883", ("broker", 8883, True)),
        ("mqtts://broker", ("broker", 8883, True)),
        ("mqtts://broker:1884", ("broker", 1884, True)),
        ("mqtt://broker", ("broker", 1883, False)),
    ],
)
def test_an_encrypted_broker_is_one_on_every_way_in(tmp_path, address, expected):
    option = given_broker(address, user="", password=None, tls=False, ca="", environ={})
    assert (option.host, option.port, option.tls) == expected
    answers = tmp_path / "answers.yaml"
    answers.write_text(
        f'site: {{name: yard}}\nbroker: {{host: "{address}"}}\ncameras: {{gate: {{url: /clip.mp4, require: none}}}}\n'
    )
    broker = read_answers(answers, {})[0].broker
    assert (broker.host, broker.port, broker.tls) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('host: "mqtts://broker", port: 1884', (1884, True)),
        ('host: "broker:1884"', (1884, False)),
        ('host: "broker:1884", port: 1884', (1884, False)),
        ('host: "broker:1884", tls: true', (1884, True)),
    ],
)
def test_ports_of_answers(tmp_path, keys, expected):
    answers = tmp_path / "answers.yaml"
    cameras = "cameras: {gate: {url: /clip.mp4, require: none}}"
    answers.write_text(f"site: {{name: yard}}\nbroker: {{{keys}}}\n{cameras}\n")
    broker = read_answers(answers, {})[0].broker
    assert (broker.port, broker.tls) == expected
    answers.write_text(f'site: {{name: yard}}\nbroker: {{host: "b:1884", port: 1885}}\n{cameras}\n')
    with pytest.raises(ConfigError, match="another port"):
        read_answers(answers, {})


@pytest.mark.parametrize(
    "text",
    ["", ":1883", "a b", "host:99999", "host:0", "http://x/y", "user@host", "mqtts://", "mqtt://mqtts://h"],
)
def test_what_names_no_broker(text):
    with pytest.raises(ValueError, match=r"host name|port should"):
        broker_address(text)


@given(st.text(max_size=60))
def test_any_text_makes_a_free_name(text):
    name = free_name(text, frozenset({"camera"}))
    assert CameraPlan(name=name, url="x").name == name != "camera"


def test_gear_by_its_words():
    assert gear_named("face-mask, Hard Hat") == ("hard_hat", "face_mask")
    assert (gear_named("both"), gear_named("none")) == (("hard_hat", "face_mask"), ())


@given(st.text(max_size=80))
def test_a_wrong_address_is_not_repeated(text):
    said = ""
    try:
        Address.parse(f"rtsp://user:c4nary{text}", {})
    except ValueError as error:
        said = str(error)
    assert "c4nary" not in said


def test_the_machines_own_time_zone(tmp_path, monkeypatch):
    monkeypatch.delenv("TZ", raising=False)
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Brussels")
    assert local_timezone(link, tmp_path / "none") == "Europe/Brussels"
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert local_timezone(tmp_path / "none", tmp_path / "timezone") == "Asia/Tokyo"
    assert local_timezone(tmp_path / "none", tmp_path / "none") == "UTC"
    monkeypatch.setenv("TZ", ":America/Lima")
    assert local_timezone(link, tmp_path / "none") == "America/Lima"


def test_pictures_go_to_terminals_that_say_they_can():
    jpeg = cv2.imencode(".jpg", np.zeros((90, 160, 3), np.uint8))[1].tobytes()
    assert in_terminal(jpeg, {"TERM": "xterm"}) == ""
    assert in_terminal(jpeg, {"TERM": "xterm-kitty", "TMUX": "x"}) == ""
    shown = in_terminal(jpeg, {"TERM": "xterm-kitty"})
    assert shown.startswith("\x1b_Ga=T,f=100,m=")
    assert shown.endswith("\x1b\\\n")
    assert in_terminal(jpeg, {"TERM_PROGRAM": "iTerm.app"}).startswith("\x1b]1337;File=inline=1;")


def test_a_recording_never_ends():
    urls = {"a": "/x/clip.mp4", "b": "/x/folder", "c": "/dev/video0"}
    cameras = [CameraPlan(name=name, url=url) for name, url in urls.items()]
    text = site_text(
        SitePlan(name="yard", cameras=tuple(cameras)), place=SecretPlace.FILES, stem="s", today=""
    )
    site = settings_of(parse_document(text.yaml.encode(), "s.yaml"), Path("/"), {})
    assert [camera.loop for camera in site.cameras.values()] == [True, False, False]


def test_the_next_commands_are_those_that_a_shell_finds(tmp_path, monkeypatch):
    coming = prospect(plan_of({"gate": "one"}), tmp_path / "site.yaml", SecretPlace.ENV)
    monkeypatch.setattr(sys, "argv", [".venv/bin/ppewatch", "init"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert f"  .venv/bin/ppewatch check {tmp_path}/site.yaml --connect" in next_steps(coming)
    assert f"  set -a; . {tmp_path}/site.env; set +a" in next_steps(coming)
    (tmp_path / "ppewatch").write_text("#!/bin/sh\n")
    (tmp_path / "ppewatch").chmod(0o755)
    assert f"  ppewatch run {tmp_path}/site.yaml" in next_steps(coming)


def test_whoever_will_draw_a_zone_later_is_told_how(tmp_path):
    camera = CameraPlan(name="gate", url="rtsp://10.0.0.1/main", require=("hard_hat",))
    for zone_later in (False, True):
        plan = SitePlan(name="yard", cameras=(replace(camera, zone_later=zone_later),))
        coming = prospect(plan, tmp_path / "site.yaml", SecretPlace.FILES)
        assert ("To draw the zones: user, password_hash and edit_zones" in next_steps(coming)) is zone_later
    # the line of the file is right as it stands, once it is no comment any more
    text = re.sub(r"(?m)^  # (user|edit_zones): ", r"  \1: ", coming.text.yaml)
    text = re.sub(r"(?m)^  # password_hash: '...'.*$", "  password: anything", text)
    site = settings_of(parse_document(text.encode(), "s.yaml"), tmp_path, {})
    assert site.http.edit_zones
