from pathlib import Path

import pytest

from config import load_site
from config.advice import site_warnings

#: A site that gives no reason to warn.
GOOD = """\
site: {name: yard}
mqtt: {user: a, password: "${PW}"}
cameras:
  gate:
    url: "rtsp://10.0.0.1/stream"
    password: file:pw
    zones: {apron: {coordinates: "0,0, 1,0, 1,1"}}
rules:
  - {name: r, where: gate/apron, require: face_mask, dwell: 2s}
"""


def warnings_of(folder: Path, text: str, mode: int = 0o644) -> list[str]:
    path = folder / "site.yaml"
    path.write_text(text)
    path.chmod(mode)
    (folder / "pw").write_text("CANARY")
    found = site_warnings(path, load_site(path, {"PW": "CANARY", "HOME": "/"}))
    assert "CANARY" not in str(found)
    return [str(problem).removeprefix(f"{folder}/") for problem in found]


def test_a_good_site_has_none(tmp_path):
    assert warnings_of(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (
            "file:pw",
            "CANARY",
            "site.yaml:6:15: cameras.gate.password: this password can be read by other users",
        ),
        (
            "//10",
            "//a:CANARY@10",
            "site.yaml:5:10: cameras.gate.url: the credentials in this address can be read",
        ),
        (
            "stream",
            "stream?token=CANARY",
            "site.yaml:5:10: cameras.gate.url: the credentials in this address",
        ),
        ('"${PW}"', "CANARY", "site.yaml:2:27: mqtt.password: this password can be read by other users"),
    ],
)
def test_secrets_in_a_file_that_others_can_read(tmp_path, old, new, place):
    text = GOOD.replace(old, new)
    if "//a:" in new:
        text = text.replace("    password: file:pw\n", "")
    (warning,) = warnings_of(tmp_path, text)
    assert warning.startswith(place)
    assert warnings_of(tmp_path, text, 0o600) == []
    assert len(warnings_of(tmp_path, text, 0o640)) == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("dwell: 2s", "dwell: 300ms", "9:61: rules[0].dwell: 0.3 s is less than two frames at 5 fps"),
        (
            "    zones",
            "    fps: 0.5\n    zones",
            "10:61: rules[0].dwell: 2 s is less than two frames at 0.5 fps",
        ),
        ("    zones", "    loop: true\n    zones", "7:11: cameras.gate.loop: has no effect on a stream"),
        (
            "    zones",
            "    enabled: off\n    zones",
            "10:22: rules[0].where: every camera of this rule is switched off",
        ),
        (
            "    zones",
            "    tiles: {grid: [3, 1]}\n    zones",
            "7:19: cameras.gate.tiles.grid: tiles of another shape than the picture",
        ),
        ("gate/apron", "gate", "7:20: cameras.gate.zones.apron: no rule watches this zone"),
        ("rules:", "  dock: {url: /d}\nrules:", "8:9: cameras.dock: no rule watches this camera"),
        ("user: a, ", "", "2:18: mqtt.password: is not sent without 'user' beside it"),
        ("{user", "{host: broker, user", "2:41: mqtt.password: is sent to the broker in clear"),
        ("{user", "{tls: {insecure: true}, user", "2:24: mqtt.tls.insecure: anyone who can redirect"),
        ("{user", "{tls: {ca: none.pem}, user", "2:18: mqtt.tls.ca: "),
    ],
)
def test_what_is_hardly_meant(tmp_path, old, new, expected):
    (warning,) = warnings_of(tmp_path, GOOD.replace(old, new, 1))
    assert warning.startswith(f"site.yaml:{expected}")


def test_a_site_without_rules(tmp_path):
    found = warnings_of(tmp_path, GOOD[: GOOD.index("rules:")])
    assert [warning.split(": ", 1)[1].split(":")[0] for warning in found] == ["rules", "cameras.gate"]
