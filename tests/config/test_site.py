"""What a site file means."""

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from config import (
    AlertPer,
    Allowance,
    Anchor,
    Blur,
    ConfigError,
    ModelName,
    Place,
    Priority,
    Protocol,
    RequiredGear,
    Severity,
    SiteSettings,
    Transport,
    load_site,
)
from config.rule import parse_days

#: The example of the published contract, to the letter.
CONTRACT = """\
site: {name: north-yard, timezone: Europe/Brussels}
mqtt: {host: 127.0.0.1, port: 1883, topic_prefix: ppewatch/north-yard, user: , password: ${MQTT_PASSWORD}, tls: false}
cameras:
  gate:
    url: rtsp://10.0.10.10:554/stream      # rtsp, rtsps, http(s), a file (loop: true), a folder, a webcam
    user: viewer
    password: ${GATE_PASSWORD}             # also: file:/run/secrets/gate, credential:gate
    fps: 5                                 # analysed frames per second
    priority: normal
    zones:
      apron: {coordinates: "0.03,0.30, 0.97,0.30, 0.97,0.99, 0.03,0.99", anchor: feet}
    privacy: {blur: bystanders, polygons: []}
rules:
  - name: hard hats on the apron
    where: [gate/apron]                    # camera, camera/zone, or "*"
    require: [hard_hat]                    # hard_hat, face_mask
    dwell: 2s                              # missing for this long, wall clock, before the alert opens
    clear: 5s                              # worn, or gone, for this long before it closes
    cooldown: 60s
    schedule: {days: mon-fri, from: "06:00", to: "18:00"}   # in the site's time zone
    severity: alert
"""


def test_the_example_of_the_contract(load):
    site = load(CONTRACT, {"MQTT_PASSWORD": "broker-pw", "GATE_PASSWORD": "gate-pw"})
    assert (site.site.name, site.site.zone) == ("north-yard", ZoneInfo("Europe/Brussels"))
    assert (site.mqtt.host, site.mqtt.port, site.mqtt.topic_prefix) == (
        "127.0.0.1",
        1883,
        "ppewatch/north-yard",
    )
    assert (site.mqtt.user, site.mqtt.tls) == (None, None)
    assert site.mqtt.password is not None
    assert site.mqtt.password.get_secret_value() == "broker-pw"
    gate = site.cameras["gate"]
    assert (str(gate.url), gate.url.host, gate.url.port) == (
        "rtsp://10.0.10.10:554/stream",
        "10.0.10.10",
        554,
    )
    assert gate.credentials == ("viewer", "gate-pw")
    assert (gate.fps, gate.priority, gate.transport) == (5.0, Priority.NORMAL, Transport.TCP)
    assert gate.zones["apron"].polygon_xy == ((0.03, 0.3), (0.97, 0.3), (0.97, 0.99), (0.03, 0.99))
    assert gate.zones["apron"].anchor is Anchor.FEET
    assert (gate.privacy.blur, gate.privacy.polygons) == (Blur.BYSTANDERS, ())
    (rule,) = site.rules
    assert (rule.dwell_s, rule.clear_s, rule.cooldown_s) == (2, 5, 60)
    assert (rule.require, rule.severity) == ((RequiredGear.HARD_HAT,), Severity.ALERT)
    (window,) = rule.schedule
    assert (window.days, window.starts_at, window.ends_at) == ((0, 1, 2, 3, 4), time(6), time(18))
    assert site.places_of(rule) == (Place("gate", "apron"),)
    assert site.secrets() == {"broker-pw", "gate-pw"}


def test_the_smallest_site_has_the_documented_defaults(load, minimal, tmp_path: Path):
    site = load(minimal)
    assert site.site.timezone == "UTC"
    assert (site.mqtt.topic_prefix, site.mqtt.client_id) == ("ppewatch/yard", "ppewatch-yard")
    assert (site.mqtt.protocol, site.mqtt.port) == (Protocol.V3_1_1, 1883)
    assert (site.http.host, site.http.port) == ("127.0.0.1", 8787)
    assert site.state_dir == tmp_path / ".local/state/ppewatch"
    gate = site.cameras["gate"]
    assert (gate.input_size_px, gate.models, gate.enabled, gate.loop) == (None, None, True, False)
    assert site.secrets() == frozenset()


def test_settings_are_frozen_all_the_way_down(load):
    site = load(CONTRACT, {"MQTT_PASSWORD": "x", "GATE_PASSWORD": "y"})
    with pytest.raises(ValidationError, match="frozen"):
        site.http.listen = ":80"
    with pytest.raises(TypeError):
        site.cameras["other"] = site.cameras["gate"]  # type: ignore[index]
    with pytest.raises(TypeError):
        site.cameras["gate"].zones["x"] = None  # type: ignore[index]
    assert isinstance(site.rules, tuple)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"STATE_DIRECTORY": "/var/lib/ppewatch:/var/lib/other", "XDG_STATE_HOME": "/x"},
            "/var/lib/ppewatch",
        ),
        ({"XDG_STATE_HOME": "/x"}, "/x/ppewatch"),
        ({"HOME": "/home/me"}, "/home/me/.local/state/ppewatch"),
    ],
)
def test_the_default_state_dir(load, minimal, environ, expected):
    assert load(minimal, environ).state_dir == Path(expected)


def test_paths_start_at_the_folder_of_the_file(load, tmp_path: Path, monkeypatch):
    text = "site: {name: y}\nstate_dir: state\n"
    text += "cameras: {a: {url: clips/a.mp4, loop: yes}, b: {url: /dev/video0}, c: {url: 'webcam:0'}}\n"
    text += "inference: {retinaface_weights: '${W}/r.safetensors'}\n"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    site = load(text, {"W": "/weights"})
    assert site.state_dir == tmp_path / "state"
    assert str(site.cameras["a"].url) == str(tmp_path / "clips/a.mp4")
    assert site.cameras["a"].loop
    assert (site.cameras["b"].url.scheme, str(site.cameras["b"].url)) == ("webcam", "/dev/video0")
    assert (site.cameras["c"].url.scheme, str(site.cameras["c"].url)) == ("webcam", "webcam:0")
    assert site.inference.retinaface_weights == Path("/weights/r.safetensors")
    monkeypatch.chdir(tmp_path)
    assert load_site("site.yaml", {"W": "/weights"}).state_dir == tmp_path / "state"


def test_cameras_inherit_what_they_do_not_set(load):
    site = load(
        "site: {name: y}\nfps: 2\npriority: high\nprivacy: {blur: everyone}\n"
        "motion: {enabled: on, hold: 3s}\n"
        "models: retinaface\ninput_size: 640\nsnapshots: {bytes: 100kB}\n"
        "cameras:\n"
        "  a: {url: /a}\n"
        "  b: {url: /b, fps: 7.5, priority: , privacy: {polygons: ['0,0, 1,0, 1,1']}, motion: {hold: 1},\n"
        "      models: auto, input_size: auto}\n"
    )
    a, b = site.cameras["a"], site.cameras["b"]
    assert (a.fps, a.priority, a.privacy.blur, a.motion.hold_s) == (2, Priority.HIGH, Blur.EVERYONE, 3)
    assert (a.models, a.input_size_px, a.snapshots.max_bytes) == ((ModelName.RETINAFACE,), 640, 100_000)
    assert (b.fps, b.priority, b.privacy.blur, b.motion.hold_s) == (7.5, Priority.HIGH, Blur.EVERYONE, 1)
    assert (b.motion.enabled, len(b.privacy.polygons), b.models, b.input_size_px) == (True, 1, None, None)
    assert a.privacy.polygons == ()


def test_a_merge_key_shares_settings_between_rules(load, minimal):
    site = load(
        minimal + "rules:\n  - &base {name: one, where: '*', require: face_mask, dwell: 4}\n"
        "  - {<<: *base, name: two, clear: 1m}\n"
    )
    assert [(rule.name, rule.dwell_s, rule.clear_s) for rule in site.rules] == [("one", 4, 5), ("two", 4, 60)]


def test_places(load):
    site = load(
        "site: {name: y}\ncameras:\n"
        "  a:\n    url: /a\n"
        "    zones: {apron: {coordinates: '0,0, 1,0, 1,1'}, door: {coordinates: '0,0, 1,0, 1,1'}}\n"
        "  b: {url: /b, zones: {apron: {coordinates: '0,0, 1,0, 1,1', anchor: head}}}\n"
        "  1: {url: /c}\n"
        "rules:\n"
        "  - {name: r0, where: '*', require: hard_hat}\n"
        "  - {name: r1, where: ['*/apron', a/apron, b], require: [hard_hat, face_mask]}\n"
        "  - {name: 2, where: [1], require: face_mask, allow: incorrect,\n"
        "     alert_per: zone, severity: detection}\n"
    )
    places = [site.places_of(rule) for rule in site.rules]
    assert places[0] == (Place("a"), Place("b"), Place("1"))
    assert places[1] == (Place("a", "apron"), Place("b", "apron"), Place("b"))
    assert places[2] == (Place("1"),)
    assert site.rules[2].name == "2"
    assert (site.rules[2].allow, site.rules[2].alert_per) == ((Allowance.INCORRECT,), AlertPer.ZONE)


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("mon,wed", (0, 2)),
        ("Sat-Mon", (0, 5, 6)),
        ("sun", (6,)),
        ("daily", tuple(range(7))),
        ("mon-tue, Saturday", (0, 1, 5)),
        (["mon", "thu-fri"], (0, 3, 4)),
        ("fri-fri", (4,)),
    ],
)
def test_days(written, days):
    assert parse_days(written) == days


def test_schedules(load, minimal):
    site = load(
        minimal + "rules:\n  - name: r\n    where: gate\n    require: face_mask\n    schedule:\n"
        "      - {days: mon-fri, from: 22:00, to: 06:00}\n"
        "      - {from: 7:30, to: 24:00}\n      - {days: [sat, sun]}\n"
    )
    windows = [(w.days, w.starts_at, w.ends_at) for w in site.rules[0].schedule]
    assert windows == [
        ((0, 1, 2, 3, 4), time(22), time(6)),
        (tuple(range(7)), time(7, 30), time(0)),
        ((5, 6), time(0), time(0)),
    ]


def test_mqtt_over_tls_moves_to_its_port(load, minimal):
    assert load(minimal + "mqtt: {tls: {insecure: true}}\n").mqtt.port == 8883
    assert load(minimal + "mqtt: {tls: no}\n").mqtt.port == 1883
    assert load(minimal + "mqtt: {tls: yes}\n").mqtt.port == 8883
    assert load(minimal + "mqtt: {tls: true, port: 1884, protocol: 5}\n").mqtt.port == 1884
    assert load(minimal + "mqtt: {protocol: 5}\n").mqtt.protocol is Protocol.V5
    assert load(minimal + "mqtt: {protocol: 3.1.1}\n").mqtt.protocol is Protocol.V3_1_1
    assert load(minimal + "mqtt:\n").mqtt.topic_prefix == "ppewatch/yard"


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [(":80", "0.0.0.0", 80), ("[::1]:8787", "::1", 8787), ("localhost:1", "localhost", 1)],
)
def test_http_addresses(load, minimal, listen, host, port):
    http = load(minimal + f'http: {{listen: "{listen}", user: a, password: bcde}}\n').http
    assert (http.host, http.port) == (host, port)


def test_settings_can_be_made_without_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    site = SiteSettings.model_validate(
        {"site": {"name": "demo"}, "cameras": {"demo": {"url": "/clip.mp4", "loop": True}}}
    )
    assert site.state_dir == tmp_path / "ppewatch"


def test_equal_files_are_equal_settings_and_changes_show_per_camera(load, minimal):
    """A reload leaves unchanged cameras alone, so equality has to see everything, secrets too."""
    text = minimal + "  dock: {url: 'rtsp://h/s?token=one', user: a, password: '${PW}'}\n"
    first, same = load(text, {"PW": "abcd"}), load(text, {"PW": "abcd"})
    assert first == same
    for changed in (load(text, {"PW": "abce"}), load(text.replace("token=one", "token=two"), {"PW": "abcd"})):
        assert changed.cameras["gate"] == first.cameras["gate"]
        assert changed.cameras["dock"] != first.cameras["dock"]


TILED = """\
site: {name: yard}
tiles: {grid: [3, 3], head: 24}
cameras:
  gate: {url: "rtsp://10.0.0.1/stream", input_size: 3840, tiles: {follow: true, overlap: 0.3}}
  dock: {url: "rtsp://10.0.0.2/stream", tiles: {grid: [1, 1], heads: 4}}
"""


def test_tiles_are_inherited_key_by_key_and_inputs_are_as_large_as_pictures(load):
    site = load(TILED)
    gate, dock = site.cameras["gate"], site.cameras["dock"]
    assert (gate.tiles.grid, gate.tiles.follow, gate.tiles.overlap) == ((3, 3), True, 0.3)
    assert (gate.tiles.head_px, gate.tiles.most_heads) == (24, 15)
    assert (dock.tiles.grid, dock.tiles.follow, dock.tiles.head_px, dock.tiles.most_heads) == (
        (1, 1),
        False,
        24,
        4,
    )
    assert gate.input_size_px == 3840
    assert load(TILED.replace("3840", "7680")).cameras["gate"].input_size_px == 7680


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ("[2]", "gate.tiles.grid: should have at least 2 entries"),
        ("[2, 2, 2]", "gate.tiles.grid: should have at most 2 entries"),
        ("[2, 0]", "gate.tiles.grid[1]: should be greater than or equal to 1"),
        ("[5, 4]", "gate.tiles.grid: makes 20 tiles; at most 16 are allowed"),
        ("2x2", "gate.tiles.grid: should be a list"),
    ],
)
def test_grids_that_cannot_be_are_told(load, grid, said):
    with pytest.raises(ConfigError) as raised:
        load(TILED.replace("follow: true", f"grid: {grid}"))
    assert said in str(raised.value)


def test_whom_to_trust_and_who_we_are(load, minimal, tmp_path):
    text = (
        "mqtt: {tls: {ca: broker.pem, cert: '${CERTS}/we.pem', key: credential:we}}\ntls: {ca: cameras.pem}\n"
    )
    site = load(minimal + text, {"CERTS": "/certs", "CREDENTIALS_DIRECTORY": "/run/credentials"})
    tls = site.mqtt.tls
    assert tls is not None
    assert (tls.ca_file, tls.cert_file, tls.key_file, tls.insecure) == (
        tmp_path / "broker.pem",
        Path("/certs/we.pem"),
        Path("/run/credentials/we"),
        False,
    )
    assert {camera.tls.ca_file for camera in site.cameras.values()} == {tmp_path / "cameras.pem"}
