"""Every problem names file, line, column and key, and helps."""

import pytest

RULE = "rules:\n  - {name: r, where: gate, require: face_mask"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("camera: 1\n", "4:1: camera: unknown key; did you mean 'cameras'?"),
        ("zzz: 1\n", "4:1: zzz: unknown key"),
        ("fps: 0\n", "4:6: fps: should be greater than or equal to 0.1, not 0"),
        ("fps: fast\n", "4:6: fps: should be a number"),
        (
            "priority: hihg\n",
            "4:11: priority: should be one of low, normal, high, critical; did you mean 'high'?",
        ),
        ("input_size: 1000\n", "4:13: input_size: should be a multiple of 32, not 1000"),
        (
            "models: [retinanet]\n",
            "4:10: models[0]: should be one of retinaface, maskrcnn; did you mean 'retinaface'?",
        ),
        ("models: []\n", "4:9: models: should have at least 1 entry"),
        ("privacy: {blur: faces}\n", "4:17: privacy.blur: should be one of none, bystanders, everyone"),
        ("privacy: {blurr: none}\n", "4:11: privacy.blurr: unknown key; did you mean 'blur'?"),
        ("motion: on\n", "4:9: motion: should be a mapping of keys to values"),
        ("motion: {hold: 5 years}\n", "4:16: motion.hold: should be a duration such as 2s"),
        ("snapshots: {bytes: 5}\n", "4:20: snapshots.bytes: should be greater than or equal to 10000"),
        ("snapshots: {enabled: maybe}\n", "4:22: snapshots.enabled: should be true or false"),
        ("reconnect: {initial: 30s, max: 10s}\n", "4:22: reconnect.initial: should not be longer than 'max'"),
        ("mqtt: {host: }\nmqqt: {}\n", "5:1: mqqt: unknown key; did you mean 'mqtt'?"),
        ("mqtt: {port: 70000}\n", "4:14: mqtt.port: should be less than or equal to 65535, not 70000"),
        ("mqtt: {port: 1883.5}\n", "4:14: mqtt.port: should be a whole number"),
        ("mqtt: {topic_prefix: a/#}\n", "4:22: mqtt.topic_prefix: an MQTT prefix has no '+', '#'"),
        ("mqtt: {topic_prefix: /a}\n", "4:22: mqtt.topic_prefix: an MQTT prefix"),
        ("mqtt: {tls: maybe}\n", "4:13: mqtt.tls: should be"),
        ("mqtt: {tls: {}, tls_ca: x}\n", "4:17: mqtt.tls_ca: unknown key"),
        ("tls: {key: credential:../k, cert: c}\n", "4:12: tls.key: 'credential:' takes the name"),
        (
            "mqtt: {tls: {key: k}}\n",
            "4:19: mqtt.tls.key: 'cert' and 'key' go together",
        ),
        ("mqtt: {protocol: 4}\n", "4:18: mqtt.protocol: should be one of 3.1.1, 5"),
        ("http: {listen: 8787}\n", "4:16: http.listen: should be an address and a port"),
        (
            'http: {listen: "0.0.0.0:8787"}\n',
            "4:16: http.listen: an address beyond loopback needs 'user' and 'password'",
        ),
        ("http: {user: a}\n", "4:14: http.user: 'user' and 'password' go together"),
        ("rules: 5\n", "4:8: rules: should be a list"),
        ("rules: [5]\n", "4:9: rules[0]: should be a mapping of keys to values"),
        ("rules: [{name: r}]\n", "4:9: rules[0].where: this key is required"),
        (RULE + ", dwel: 2}\n", "5:48: rules[0].dwel: unknown key; did you mean 'dwell'?"),
        (RULE + ", allow: [wrong]}\n", "5:56: rules[0].allow[0]: should be one of incorrect"),
        (
            RULE.replace("face_mask", "facemask") + "}\n",
            "5:37: rules[0].require: should be one of hard_hat, face_mask",
        ),
        (
            RULE.replace("gate", "gaet") + "}\n",
            "5:22: rules[0].where: there is no camera 'gaet'; did you mean 'gate'?",
        ),
        (
            RULE.replace("gate", "[gate, gate/x]") + "}\n",
            "5:29: rules[0].where[1]: camera 'gate' has no zone 'x'",
        ),
        (RULE.replace("gate", "'*/x'") + "}\n", "5:22: rules[0].where: no camera has a zone 'x'"),
        (
            RULE + "}\n  - {name: r, where: gate, require: hard_hat}\n",
            "6:12: rules[1].name: another rule has this name",
        ),
        (
            RULE + ", schedule: {days: mon-fry}}\n",
            "5:65: rules[0].schedule.days: 'fry' is no day; days are mon, tue",
        ),
        (RULE + ", schedule: {days: [1]}}\n", "5:65: rules[0].schedule.days: should be days such as mon-fri"),
        (
            RULE + ", schedule: {from: 25:00}}\n",
            "5:65: rules[0].schedule.from: a time of day runs from 00:00",
        ),
        (
            RULE + ", schedule: [{}, {to: 6}]}\n",
            "5:68: rules[0].schedule[1].to: should be a time of day such as",
        ),
        (RULE + ", schedule: nights}\n", "5:58: rules[0].schedule: should be a mapping of keys to values"),
        ("state_dir: []\n", "4:12: state_dir: "),
    ],
)
def test_a_problem_at_the_top(errors_of, minimal, added, expected):
    errors = errors_of(minimal + added)
    assert errors[0].startswith(f"site.yaml:{expected}")


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        ("{}", "3:9: cameras.gate.url: this key is required"),
        ("", "3:8: cameras.gate: should be a mapping of keys to values"),
        ("rtsp://h/", "3:9: cameras.gate: should be a mapping of keys to values"),
        ("{url: }", "3:14: cameras.gate.url: should be the address of a camera"),
        ("{url: 5, fps: -1}", "3:15: cameras.gate.url: should be the address"),
        ("{url: /x, zone: {}}", "3:19: cameras.gate.zone: unknown key; did you mean 'zones'?"),
        (
            "{url: /x, transport: tpc}",
            "3:30: cameras.gate.transport: should be one of tcp, udp; did you mean 'tcp'?",
        ),
        (
            "{url: /x, zones: {a b: {coordinates: '0,0,1,0,1,1'}}}",
            "3:27: cameras.gate.zones.a b: a name takes letters",
        ),
        (
            "{url: /x, zones: {gate: {coordinates: '0,0,1,0,1,1'}}}",
            "3:33: cameras.gate.zones.gate: a zone may not have",
        ),
        (
            "{url: /x, zones: {a: {coordinates: '0,0,1,0'}}}",
            "3:44: cameras.gate.zones.a.coordinates: a polygon has 3",
        ),
        ("{url: /x, zones: {a: {}}}", "3:30: cameras.gate.zones.a.coordinates: this key is required"),
        (
            "{url: /x, zones: {a: {coordinates: '0,0,1,0,1,1', anchor: feets}}}",
            "3:67: cameras.gate.zones.a.anchor: should be one of feet, center, head; did you mean 'feet'?",
        ),
        (
            "{url: /x, privacy: {polygons: ['0,0,1,0,1,1', 7]}}",
            "3:55: cameras.gate.privacy.polygons[1]: should be",
        ),
    ],
)
def test_a_problem_of_a_camera(errors_of, camera, expected):
    errors = errors_of(f"site: {{name: yard}}\ncameras:\n  gate: {camera}\n")
    assert errors[0].startswith(f"site.yaml:{expected}")


def test_several_problems_come_together_in_the_order_of_the_file(errors_of):
    errors = errors_of(
        "site: {name: north yard, timezone: Europe/Brusels}\nfps: 99\ncameras:\n  gate:\n    url: rtsp://h/\n"
        "    pasword: x\n  dock: {fps: 3}\nrules:\n  - where: gate\n"
    )
    assert [error.split(": ")[:2] for error in errors] == [
        ["site.yaml:1:14", "site.name"],
        ["site.yaml:1:36", "site.timezone"],
        ["site.yaml:2:6", "fps"],
        ["site.yaml:6:5", "cameras.gate.pasword"],
        ["site.yaml:7:9", "cameras.dock.url"],
        ["site.yaml:9:5", "rules[0].name"],
        ["site.yaml:9:5", "rules[0].require"],
    ]
    assert errors[1].endswith("did you mean 'Europe/Brussels'?")


def test_a_problem_of_an_inherited_value_is_told_once_where_it_is_written(errors_of):
    cameras = "".join(f"  c{i}: {{url: /{i}}}\n" for i in range(5))
    errors = errors_of(
        f"site: {{name: y}}\nprivacy: {{blur: faces}}\nreconnect: {{stall: 0}}\ncameras:\n{cameras}"
    )
    assert len(errors) == 2
    assert errors[0].startswith("site.yaml:2:17: privacy.blur: should be one of")
    assert errors[1].startswith("site.yaml:3:20: reconnect.stall: should be greater than or equal to 1")


def test_a_wrong_value_of_a_camera_that_overrides_a_right_one_is_told_at_the_camera(errors_of):
    errors = errors_of(
        "site: {name: y}\nmotion: {hold: 5s}\ncameras:\n  a: {url: /a, motion: {min_area: 2}}\n"
    )
    assert [error.split(": ")[:2] for error in errors] == [["site.yaml:4:35", "cameras.a.motion.min_area"]]


def test_values_from_a_merge_key_are_told_where_they_are_written(errors_of):
    errors = errors_of("site: {name: y}\ncameras:\n  a: &a {url: /a, fps: 77}\n  b: {<<: *a}\n")
    assert [error.split(": ")[:2] for error in errors] == [
        ["site.yaml:3:24", "cameras.a.fps"],
        ["site.yaml:3:24", "cameras.b.fps"],
    ]


@pytest.mark.parametrize(
    "text", ["site: {name: y}\n", "cameras: {}\nsite: {name: y}\n", "cameras:\nsite: {name: y}\n"]
)
def test_a_site_needs_a_camera(errors_of, text):
    (error,) = errors_of(text)
    assert ": cameras: " in error


def test_too_many_of_something(errors_of):
    zones = ", ".join(f"z{i}: {{coordinates: '0,0,1,0,1,1'}}" for i in range(65))
    (error,) = errors_of(f"site: {{name: y}}\ncameras: {{a: {{url: /a, zones: {{{zones}}}}}}}\n")
    assert error == "site.yaml:2:31: cameras.a.zones: should have at most 64 entries"
