"""The folder of a fleet: defaults under each site, what must be unique, and what is wrong named in its file."""

import json

import pytest
import yaml
from fleet.fleet_folders import write_fleet

from config import ConfigError, config_revision, load_site
from config.fleet import load_fleet
from streamer.cli import main
from streamer.fleet.folder import load_folder


def _problems(folder):
    with pytest.raises(ConfigError) as caught:
        load_folder(folder, load_fleet(folder))
    return str(caught.value)


def test_every_site_has_its_own_keys_over_the_shared_ones(tmp_path):
    own = {"south": {"mqtt": {"keepalive": 60}, "fps": 2}}
    sites = load_folder(write_fleet(tmp_path, own=own), load_fleet(tmp_path))
    assert list(sites) == ["north", "south", "east"]
    assert sites["south"].settings.cameras["gate"].fps == 2
    # sections merge key by key
    assert sites["south"].settings.mqtt.keepalive_s == 60
    assert sites["south"].settings.mqtt.host == "127.0.0.1"
    assert sites["north"].settings.mqtt.topic_prefix == "ppewatch/north"
    assert [rule.name for rule in sites["east"].settings.rules] == ["masks"]


def test_the_written_file_is_read_as_the_same_settings(tmp_path):
    own = {"north": {"site": {"name": "north", "timezone": "Europe/Brussels"}}}
    own["north"]["rules"] = [
        {
            "name": "hats é",
            "where": ["gate"],
            "require": ["hard_hat"],
            "schedule": {"days": "mon-fri", "from": "06:00", "to": "18:00"},
        }
    ]
    site = load_folder(write_fleet(tmp_path, own=own), load_fleet(tmp_path))["north"]
    site.target.parent.mkdir()
    site.target.write_text(site.text)
    assert config_revision(load_site(site.target)) == site.revision
    assert "sites" not in yaml.safe_load(site.text)
    assert site.text.startswith("# Written by `ppewatch fleet`; change north.yaml")


def test_secrets_are_those_of_the_other_machine(tmp_path):
    mqtt = {"host": "127.0.0.1", "user": "ppewatch", "password": "${MQTT_PASSWORD}"}
    gate = {"url": "rtsp://127.0.0.1/none", "user": "v", "password": "credential:gate"}
    yard = {"url": "rtsp://127.0.0.1/none", "user": "v", "password": "file:/run/secrets/none"}
    own = {"north": {"mqtt": mqtt, "cameras": {"gate": gate, "yard": yard}}}
    site = load_folder(write_fleet(tmp_path, own=own), load_fleet(tmp_path))["north"]
    assert "${MQTT_PASSWORD}" in site.text
    site.target.parent.mkdir()
    there = tmp_path / "credentials"
    there.mkdir()
    (there / "gate").write_text("one")
    (there / "yard").write_text("other")
    site.target.write_text(site.text.replace("/run/secrets/none", str(there / "yard")))
    environ = {"MQTT_PASSWORD": "secret-of-there", "CREDENTIALS_DIRECTORY": str(there)}
    # which secrets they are does not enter the revision
    assert config_revision(load_site(site.target, environ)) == site.revision


@pytest.mark.parametrize(
    "scalar",
    ["0123", "42", "3.10", "1e5", "1E+5", "+7", "-0.0", "0o17", "1_000", "09", "0x1F", "12:30:45", ".5"],
)
def test_numbers_reach_the_site_as_they_are_written(tmp_path, scalar):
    folder = write_fleet(tmp_path, sites=("north",))
    source = folder / "sites" / "north.yaml"
    source.write_text(
        source.read_text()
        .replace("url: rtsp://127.0.0.1/none", f"{{url: rtsp://h/s, user: {scalar}, password: {scalar}}}")
        .replace("gate:\n    {", "gate: {")
    )
    site = load_folder(folder, load_fleet(folder))["north"]
    assert site.settings.cameras["gate"].credentials == (scalar, scalar)
    site.target.parent.mkdir()
    site.target.write_text(site.text)
    assert load_site(site.target).cameras["gate"].credentials == (scalar, scalar)
    assert config_revision(load_site(site.target)) == site.revision


def test_a_name_of_digits_stays_itself(tmp_path):
    folder = write_fleet(tmp_path, sites=("north",))
    source = folder / "sites" / "north.yaml"
    source.write_text(source.read_text().replace("name: north", "name: 0042"))
    site = load_folder(folder, load_fleet(folder))["north"]
    assert site.settings.site.name == "0042"
    site.target.parent.mkdir()
    site.target.write_text(site.text)
    assert config_revision(load_site(site.target)) == site.revision


@pytest.mark.parametrize(
    ("host", "environment", "expected"),
    [
        ("${BROKER:-10.0.0.7}", {}, "10.0.0.7"),
        ("${BROKER:-10.0.0.7}", {"BROKER": "10.0.0.9"}, "10.0.0.9"),
        ("${BROKER}", {}, "variable-BROKER"),
        ("${BROKER:-}", {}, "variable-BROKER"),
    ],
)
def test_a_variable_of_another_machine_has_its_default(tmp_path, host, environment, expected):
    folder = write_fleet(tmp_path, sites=("north",), own={"north": {"mqtt": {"host": host}}})
    fleet = yaml.safe_load((folder / "fleet.yaml").read_text())
    fleet["sites"]["north"]["environment"] = environment
    (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    assert load_folder(folder, load_fleet(folder))["north"].settings.mqtt.host == expected


def test_variables_of_a_machine_can_be_told(tmp_path):
    own = {"north": {"mqtt": {"host": "${BROKER}"}}}
    folder = write_fleet(tmp_path, sites=("north",), own=own)
    fleet = yaml.safe_load((folder / "fleet.yaml").read_text())
    fleet["sites"]["north"]["environment"] = {"BROKER": "10.0.0.9"}
    (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    assert load_folder(folder, load_fleet(folder))["north"].settings.mqtt.host == "10.0.0.9"


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            {"south": {"mqtt": {"topic_prefix": "ppewatch/north"}}},
            "sites/south.yaml: topic prefix 'ppewatch/north' is also that of ",
        ),
        # a site is known by its prefix, and brokers have several names
        (
            {"south": {"mqtt": {"topic_prefix": "ppewatch/north", "port": 1884}}},
            "sites/south.yaml: topic prefix 'ppewatch/north' is also that of ",
        ),
        (
            {"south": {"mqtt": {"topic_prefix": "ppewatch/north/yard", "host": "localhost"}}},
            "lies within 'ppewatch/north' of ",
        ),
        ({"south": {"mqtt": {"topic_prefix": "ppewatch/north/yard"}}}, "lies within 'ppewatch/north' of "),
        ({"south": {"mqtt": {"client_id": "ppewatch-north"}}}, "client id 'ppewatch-north' at the broker"),
        (
            {"south": {"site": {"name": "north"}, "mqtt": {"topic_prefix": "other"}}},
            "site name 'north' is also",
        ),
    ],
)
def test_sites_that_would_write_over_each_other_are_refused_with_both_files(tmp_path, own, words):
    said = _problems(write_fleet(tmp_path, sites=("north", "south"), own=own))
    assert words in said
    assert "sites/south.yaml" in said
    assert "sites/north.yaml" in said


def test_a_client_id_is_that_of_a_broker(tmp_path):
    own = {"south": {"mqtt": {"client_id": "ppewatch-north", "port": 1884}}}
    assert len(load_folder(write_fleet(tmp_path, own=own), load_fleet(tmp_path))) == 3


def test_two_targets_in_one_file_are_refused(tmp_path):
    folder = write_fleet(tmp_path, sites=("north", "south"))
    fleet = yaml.safe_load((folder / "fleet.yaml").read_text())
    fleet["sites"]["south"]["target"] = fleet["sites"]["north"]["target"]
    (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    assert "target" in _problems(folder)


def test_all_faults_of_all_files_come_together_each_in_its_own(tmp_path):
    own = {"north": {"fpss": 1}, "south": {"fps": 9000}}
    said = _problems(write_fleet(tmp_path, own=own, defaults={"retention": {"history": "never"}}))
    assert "north.yaml:7:1: fpss: unknown key; did you mean 'fps'?" in said
    assert "south.yaml" in said
    assert "defaults.yaml" in said


@pytest.mark.parametrize(
    ("defaults", "own", "said"),
    [
        # the same line and column, in another file
        ("site: {timezone: UTC}\nfps: 9000\n", "site: {name: north}\nfpd: 2\n", "defaults.yaml:2:6: fps:"),
        ("site: {timezone: UTC}\nfps: 9000\n", "site: {name: north}\nmqtt: ~\n", "defaults.yaml:2:6: fps:"),
        # a key without a value is not set: what all share holds
        ("site: {timezone: UTC}\nfps: 9000\n", "site: {name: north}\nfps:\n", "defaults.yaml:2:6: fps:"),
        ("fps: 2\n", "site: {name: north}\nfps: 9000\n", "sites/north.yaml:2:6: fps:"),
        # a list is replaced, whatever stood deeper in it
        (
            "rules: [{name: a, require: [face_mask], where: ['*'], schedule: {from: 1}}]\n",
            "site: {name: north}\nrules: [{name: a, where: ['*'], require: [hat]}]\n",
            "sites/north.yaml:2:43: rules[0].require",
        ),
        ("mqtt: {port: 99999}\n", "site: {name: north}\nmqtt: {host: h}\n", "defaults.yaml:1:14: mqtt.port:"),
        ("mqtt: {port: 1}\n", "site: {name: north}\nmqtt: {hots: h}\n", "sites/north.yaml:2:8: mqtt.hots:"),
        ("mqtt: {hots: h}\n", "site: {name: north}\nmqtt: {port: 1}\n", "defaults.yaml:1:8: mqtt.hots:"),
    ],
)  # fmt: skip
def test_a_fault_is_blamed_on_the_file_that_says_it(tmp_path, monkeypatch, defaults, own, said):
    folder = write_fleet(tmp_path, sites=("north",))
    monkeypatch.chdir(tmp_path)
    (folder / "defaults.yaml").write_text(defaults)
    (folder / "sites" / "north.yaml").write_text(own)
    lines = _problems(folder).splitlines()
    (line,) = [line for line in lines if said.rpartition(" ")[2] in line]
    assert said in line
    assert line.startswith("sites/") or line.endswith("(for north.yaml)")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"waves": [["north"], ["nroth"]]}, "there is no site 'nroth'; did you mean 'north'?"),
        ({"waves": [["north"], ["south", "north"]]}, "'north' stands in a wave before"),
        ({"brokers": {"main": {"topics": ["ppewatch/#"]}}}, "ppewatch/+"),
        ({"silent_after": "0"}, "silent_after"),
    ],
)
def test_a_fleet_that_says_what_cannot_be_is_refused_with_its_place(tmp_path, change, words):
    folder = write_fleet(tmp_path, **change)
    with pytest.raises(ConfigError) as caught:
        load_fleet(folder)
    assert words in str(caught.value)
    assert "fleet.yaml:" in str(caught.value)


def test_those_of_no_wave_come_last(tmp_path):
    assert load_fleet(write_fleet(tmp_path, waves=[["south"]])).all_waves() == (("south",), ("north", "east"))


def test_check_and_diff_are_commands(tmp_path, capsys):
    folder = write_fleet(tmp_path)
    assert main(["fleet", "check", str(folder)]) == 0
    assert capsys.readouterr().out == "3 sites, 3 cameras: no fault\n"
    assert main(["fleet", "diff", str(folder / "fleet.yaml"), "--json"]) == 1
    assert list(json.loads(capsys.readouterr().out)["changed"]) == ["north", "south", "east"]
    (folder / "running").mkdir()
    for site in load_folder(folder, load_fleet(folder)).values():
        site.target.write_text(site.text)
    assert main(["fleet", "diff", str(folder)]) == 0
    (folder / "defaults.yaml").write_text((folder / "defaults.yaml").read_text() + "fps: 3\n")
    capsys.readouterr()
    assert main(["fleet", "diff", str(folder), "--site", "south"]) == 1
    told = capsys.readouterr().out
    assert "+fps: 3" in told
    assert "north" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "one FLEET"),
        (["check", "FLEET", "more"], "one FLEET"),
        (["diff", "FLEET", "--site", "west"], "there is no site west"),
        (["rollout", "FLEET", "--version", "2"], "update"),
    ],
)
def test_wrong_usage_is_told_in_a_line(tmp_path, capsys, words, said):
    folder = write_fleet(tmp_path)
    assert main(["fleet", *(str(folder) if word == "FLEET" else word for word in words)]) == 2
    assert said in capsys.readouterr().err
