"""The real Prometheus scrapes the metrics; its rules fire when they should; the dashboard's queries find something."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from http_client import ask
from web_site import Site

from streamer.web.server import WebServer

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "ppewatch.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "ppewatch.json"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")

needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="needs Prometheus (the Debian package prometheus)"
)
NAME = re.compile(r"\bppewatch_[a-z_]+\b")


def expressions() -> list[str]:
    """Every query of the dashboard, with its variable filled in."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"].replace("$instance", ".*") for panel in panels for target in panel["targets"]]


def exposed(server: WebServer) -> set[str]:
    return set(re.findall(r"^(ppewatch_[a-z_]+)", ask(server, "/metrics").text, re.MULTILINE))


def test_rules_and_dashboard_ask_for_metrics_that_there_are(server: WebServer) -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    asked = " ".join([rule["expr"] for group in groups for rule in group["rules"]] + expressions())
    names = set(NAME.findall(asked))
    assert len(names) > 12
    assert names <= exposed(server)


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@needs_prometheus
def test_the_rules_are_sound_and_fire(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yml"
    shutil.copy(RULES, tmp_path)
    site = {"instance": "yard:8787", "job": "ppewatch"}

    def series(name: str, values: str, **labels: str) -> dict[str, str]:
        shown = ",".join(f'{key}="{value}"' for key, value in (site | labels).items())
        return {"series": f"{name}{{{shown}}}", "values": values}

    quiet = [
        series("up", "1x60"),
        series("ppewatch_broker_connected", "1x60"),
        series("ppewatch_camera_state", "1x60", camera="gate", state="online"),
        series("ppewatch_camera_state", "0x60", camera="gate", state="stalled"),
        series("ppewatch_camera_analysed_frames_per_second", "5x60", camera="gate"),
        series("ppewatch_outbox_oldest_pending_age_seconds", "0x60"),
        series("ppewatch_outbox_dropped_messages_total", "3x60"),
        series("ppewatch_outbox_held_alerts", "0x60"),
        series("ppewatch_outbox_lost_alerts_total", "2x60"),
        series("ppewatch_worker_failed_batches_total", "7x60"),
    ]
    trouble = {
        "PpewatchDown": series("up", "0x60"),
        "PpewatchStageLate": series("ppewatch_stage_late", "1x60", stage="rules"),
        "PpewatchCameraAway": series("ppewatch_camera_state", "1x60", camera="gate", state="stalled"),
        "PpewatchModelsNotReady": series("ppewatch_worker_ready", "0x60"),
        "PpewatchBatchesFail": series("ppewatch_worker_failed_batches_total", "0+1x60"),
        "PpewatchBrokerAway": series("ppewatch_broker_connected", "0x60"),
        "PpewatchAlertsWait": series("ppewatch_outbox_oldest_pending_age_seconds", "200x60"),
        "PpewatchAlertsDropped": series("ppewatch_outbox_dropped_messages_total", "0+1x60"),
        "PpewatchDiskTakesNoAlerts": series("ppewatch_outbox_held_alerts", "2x60"),
        "PpewatchAlertsLost": series("ppewatch_outbox_lost_alerts_total", "0+1x60"),
    }
    names = {
        rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    }
    assert set(trouble) <= names
    tests: list[dict[str, Any]] = [
        {
            "interval": "1m",
            "input_series": quiet,
            "promql_expr_test": [
                {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "30m", "exp_samples": []}
            ],
        }
    ]
    tests += [
        {
            "interval": "1m",
            "input_series": [line],
            "promql_expr_test": [
                {
                    "expr": f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})',
                    "eval_time": "30m",
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}],
                }
            ],
        }
        for name, line in trouble.items()
    ]
    cases.write_text(
        yaml.safe_dump({"rule_files": [RULES.name], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(cases)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def prometheus(server: WebServer, tmp_path: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes the server each second."""
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.example.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [server.address.removeprefix("http://")]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
    shutil.copy(RULES, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [
            str(PROMETHEUS),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(
        f"{prometheus}/api/v1/query?query={urllib.parse.quote(expression)}", timeout=5
    ) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


@needs_prometheus
def test_it_scrapes_and_answers_the_dashboard(prometheus: str, site: Site) -> None:
    until_s = time.monotonic() + 60
    while True:
        try:
            if query(prometheus, 'up{job="ppewatch"} == 1 and count_over_time(up[1m]) >= 4'):
                break
        except (urllib.error.URLError, ConnectionError):
            pass  # it is still starting
        assert time.monotonic() < until_s, "Prometheus did not scrape the daemon"
        time.sleep(0.2)
    (value,) = query(prometheus, 'ppewatch_people{camera="entrance",zone="desk",state="missing"}')
    assert value["value"][1] == "1"
    assert len(query(prometheus, 'ppewatch_camera_state{state="refused"} == 1')) == 1
    for expression in expressions():
        assert query(prometheus, expression) or "person_seconds" in expression, expression
    assert {"PpewatchCameraAway"} <= {alert["metric"]["alertname"] for alert in query(prometheus, "ALERTS")}
