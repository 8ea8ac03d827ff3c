"""Every command, where it works and where it fails: nothing that it prints, logs or writes holds a secret."""

import contextlib
import io
import logging
import urllib.parse
from pathlib import Path

import pytest
from canaries import SECRETS, Search, spellings
from peers.mosquitto import Mosquitto, free_port

from streamer.cli import COMMANDS, main
from streamer.demo.site import CLIP
from streamer.redaction import uninstall_redaction

CAMERA, IN_URL, TOKEN = SECRETS["camera"], SECRETS["camera in its address"], SECRETS["query"]


@pytest.fixture(autouse=True)
def as_it_was():
    """Commands change what the process logs; each test begins without what another command learned."""
    uninstall_redaction()
    before = {name: logging.getLogger(name).level for name in ("asyncio", "amqtt", "h5py", "PIL")}
    yield
    uninstall_redaction()
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with every kind of secret, as references and inside addresses."""
    quoted = urllib.parse.quote(IN_URL, safe="")
    path = tmp_path / "site.yaml"
    path.write_text(
        f"""\
site: {{name: yard}}
state_dir: {tmp_path / "state"}
mqtt: {{port: PORT, user: ppewatch, password: "${{MQTT}}"}}
http: {{user: operator, password: "${{HTTP}}"}}
reconnect: {{connect_timeout: 2s}}
cameras:
  refused: {{url: "rtsp://127.0.0.1:1/s", user: viewer, password: "${{CAMERA}}"}}
  written: {{url: "rtsp://viewer:{quoted}@127.0.0.1:1/s"}}
  query: {{url: "http://127.0.0.1:1/v.mjpg?channel=1&token={urllib.parse.quote(TOKEN, safe="")}"}}
  unknown: {{url: "rtsps://viewer:{quoted}@no-such-host.invalid/s"}}
rules: [{{name: masks, where: ["*"], require: face_mask}}]
""".replace("PORT", str(free_port()))
    )
    return path


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in (
        ("MQTT", SECRETS["mqtt"]),
        ("HTTP", SECRETS["http"]),
        ("CAMERA", CAMERA),
        ("IN_URL", urllib.parse.quote(IN_URL, safe="")),
        ("TOKEN", urllib.parse.quote(TOKEN, safe="")),
    ):
        monkeypatch.setenv(name, secret)


def test_no_command_tells_a_secret(
    tmp_path: Path, site: Path, environ, rtsp_server, capfd, caplog, monkeypatch
) -> None:
    caplog.set_level(logging.DEBUG)
    broken = tmp_path / "broken.yaml"
    broken.write_text(site.read_text().replace("cameras:", "cameras: [", 1))
    unknown_key = tmp_path / "unknown.yaml"
    unknown_key.write_text(site.read_text().replace("password:", "passwort:", 1))
    twice = tmp_path / "twice.yaml"
    twice.write_text(site.read_text().replace("viewer:", "viewer:x@", 1).replace("user: viewer,", "user: a,"))
    fleet = tmp_path / "fleet"
    (fleet / "sites").mkdir(parents=True)
    (fleet / "sites" / "yard.yaml").write_text(site.read_text())
    other = rtsp_server(user="viewer", password="another").url
    ours = rtsp_server(user="viewer", password=IN_URL).url
    with Mosquitto(tmp_path, users={"ppewatch": "another"}) as broker:
        reference = (
            "--host",
            "127.0.0.1",
            "--port",
            broker.port,
            "--user",
            "ppewatch",
            "--password",
            "${MQTT}",
        )
        answers = (
            "--name",
            "yard",
            "--require",
            "both",
            "--no-probe",
            "--user",
            "viewer",
            "--password",
            "${MQTT}",
        )
        (fleet / "fleet.yaml").write_text(
            "brokers:\n  main: {host: 127.0.0.1, "
            f'port: {broker.port}, user: ppewatch, password: "${{MQTT}}", topics: [ppewatch/+]}}\n'
        )
        commands = [
            ("fleet", fleet, "--once", "--settle", "0.2"),
            ("fleet", "check", fleet),
            ("fleet", "diff", fleet),
            ("check", site),
            ("check", site, "--json"),
            ("check", site, "--connect"),
            ("check", site, "--connect", "--json"),
            ("check", broken),
            ("check", broken, "--json"),
            ("check", unknown_key),
            ("check", twice, "--json"),
            ("run", broken),
            ("run", unknown_key),
            ("probe", other.replace("://", "://viewer:${IN_URL}@")),
            ("probe", other.replace("://", "://viewer:${IN_URL}@"), "--json"),
            ("probe", ours.replace("://", "://viewer:${IN_URL}@"), "--seconds", "0.3"),
            ("probe", ours, "--user", "viewer", "--password", CAMERA),
            ("probe", "http://127.0.0.1:1/v?token=${TOKEN}"),
            ("probe", f"rtsp://viewer:{CAMERA}@127.0.0.1:1/s"),
            ("probe", "ftp://viewer:${IN_URL}@127.0.0.1/s"),
            ("probe", "rtsps://viewer:${IN_URL}@127.0.0.1:1/s", "--ca-file", tmp_path / "none.pem"),
            ("listen", *reference),
            ("listen", *reference, "--tls"),
            ("listen", "--config", site),
            ("listen", "--config", broken),
            ("explain", "01JD3Z6Q8YB2M4T7VN5C9K0XWE", "--state-dir", tmp_path / "state"),
            ("replay", tmp_path / "none.mp4", "--config", site),
            ("replay", CLIP, "--config", broken),
            ("detect", f"rtsp://viewer:{CAMERA}@127.0.0.1:1/s"),
            ("report", site, "--json"),
            ("report", broken),
            ("suppressions", "list", site),
            ("suppressions", "list", broken),
            ("password",),
            ("init", tmp_path / "a.yaml", *answers, "--camera", f"gate={ours}", "--force"),
            (
                "init",
                tmp_path / "b.yaml",
                *answers[:4],
                "--camera",
                f"gate={other}",
                "--password",
                "${IN_URL}",
            ),
            ("init", tmp_path / "c.yaml", *answers, "--camera", f"gate=ftp://viewer:{CAMERA}@127.0.0.1/s"),
            ("init", tmp_path / "d.yaml", "--password", CAMERA),
            ("init", tmp_path / "e.yaml", "--answers", site),
        ]
        search = Search()
        for arguments in commands:
            for debug in ((), ("--debug",)):
                uninstall_redaction()
                monkeypatch.setattr("sys.stdin", io.StringIO(SECRETS["http"] + "\n"))
                with contextlib.suppress(SystemExit):
                    main([*map(str, arguments), *debug])
                told = capfd.readouterr()
                assert told.out + told.err, arguments
                command = " ".join(map(str, arguments[:1])) + f" ({len(search.found)})"
                for place, text in (("stdout", told.out), ("stderr", told.err), ("log", caplog.text)):
                    search.look(f"{command} {place}", text)
                caplog.clear()
    for path in (tmp_path / "state").rglob("*"):
        if path.is_file():
            search.look(str(path), path.read_bytes())
    print(f"{search.summary()}, {2 * len(commands)} runs")
    assert not search.found
    assert search.places > 100
    # what is not tried above needs no password: it opens neither a camera nor a broker
    tried = {str(arguments[0]) for arguments in commands}
    openless = {"demo", "data", "train", "evaluate", "weights", "bench", "plan", "simulate", "soak"}
    assert set(COMMANDS) - tried == openless


@pytest.mark.parametrize("name", SECRETS)
def test_the_search_finds_what_it_is_to_find(name: str) -> None:
    for form in spellings(SECRETS[name]):
        search = Search()
        search.look("a text", b"before " + form + b" after")
        assert search.found, form
    blank = Search()
    blank.look("nothing", b"rtsp://viewer:***@127.0.0.1/s c4n4ry")
    assert not blank.found
