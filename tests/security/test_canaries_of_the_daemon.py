"""The running daemon, with everything that asks for a secret refused, reloaded, and ended by a crash: all that it gives
off is searched for canaries.
"""

import base64
import json
import re
import signal
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from canaries import SECRETS, Search
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto, free_port
from peers.subscriber import Subscriber
from peers.webhook_server import Reply, WebhookServer

import streamer.web
from models.weights import STORE
from streamer.demo.site import CLIP

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet"),
]

PREFIX = "ppewatch/canaries"
READY_S = 200


class Processes:
    """Reads, over and over, what ``/proc`` tells of a process's children, until it is stopped."""

    def __init__(self, pid: int, search: Search) -> None:
        self._pid = pid
        self._search = search
        self.seen: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            for child in descendants(self._pid):
                if child not in self.seen and look_at_process(self._search, child):
                    self.seen.add(child)


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield int(child)
            yield from descendants(int(child))


def look_at_process(search: Search, pid: int) -> bool:
    """Whether there was something to read: between fork and exec a child still is its parent's copy."""
    try:
        told = {
            name: Path(f"/proc/{pid}/{name}").read_bytes()
            for name in ("cmdline", "environ", "status", "stat")
        }
        names = b"".join(path.read_bytes() for path in Path(f"/proc/{pid}/task").glob("*/comm"))
    except OSError:
        return False
    for name, data in {**told, "names of threads": names}.items():
        search.look(f"/proc/{pid}/{name}", data)
    return bool(told["environ"])


def site_of(
    folder: Path, *, broker_port: int, http_port: int, locked: str, open_to_us: str, hook: str
) -> dict[str, object]:
    camera = {"user": "viewer", "password": "${CAMERA}"}
    nowhere = f"127.0.0.1:{free_port()}"
    token = urllib.parse.quote(SECRETS["query"], safe="")
    return {
        "site": {"name": "canaries"},
        "mqtt": {"port": broker_port, "topic_prefix": PREFIX, "commands": True, "user": "ppewatch",
                 "password": "${MQTT}", "stats_interval": "5s"},
        "http": {"listen": f"127.0.0.1:{http_port}", "user": "operator", "password": "${HTTP}"},
        "state_dir": str(folder / "state"),
        "cameras": {
            "entrance": {"url": str(CLIP), "loop": True, "fps": 5},
            "ours": {"url": open_to_us, **camera, "fps": 1},
            "locked": {"url": locked, **camera},
            "locked-too": {"url": "${ADDRESS}"},
            "away": {"url": f"rtsp://{nowhere}/s", **camera},
            "untrusted": {"url": f"rtsps://{nowhere}/s", **camera, "tls": {"ca": "none.pem"}},
            "query": {"url": f"http://{nowhere}/v.mjpg?token={token}"},
        },
        "webhooks": {
            name: {"url": f"http://{host}/${{HOOK}}", "secret": "${HOOK_KEY}", "token": "${HOOK_TOKEN}"}
            for name, host in {"refusing": hook, "nowhere": nowhere}.items()
        },
        "rules": [{"name": "masks", "where": ["entrance"], "require": "face_mask", "dwell": "1s", "clear": "3s",
                   "cooldown": 0}],
    }  # fmt: skip


def test_nothing_that_the_daemon_gives_off_holds_a_secret(tmp_path: Path, rtsp_server) -> None:
    search = Search()
    mqtt, camera, http = SECRETS["mqtt"], SECRETS["camera"], SECRETS["http"]
    locked = rtsp_server(user="viewer", password="another").url
    in_address = urllib.parse.quote(SECRETS["camera in its address"], safe="")
    environ = {"MQTT": mqtt, "CAMERA": camera, "HTTP": http, "PYTHONFAULTHANDLER": "1",
               "HOOK": urllib.parse.quote(SECRETS["hook in its address"], safe=""),
               "HOOK_KEY": SECRETS["hook's key"], "HOOK_TOKEN": SECRETS["hook's token"],
               "ADDRESS": locked.replace("://", f"://viewer:{in_address}@"), "HARMLESS": "stays"}  # fmt: skip
    with (
        Mosquitto(tmp_path, users={"ppewatch": mqtt, "reader": "reader"}) as broker,
        WebhookServer(lambda _posted: Reply(401)) as hook,
    ):
        port = free_port()
        data = site_of(tmp_path, broker_port=broker.port, http_port=port, locked=locked,
                       open_to_us=rtsp_server(user="viewer", password=camera).url,
                       hook=f"127.0.0.1:{hook.port}")  # fmt: skip
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump(data))
        subscriber = Subscriber(broker.port, PREFIX, user="reader", password="reader")
        daemon = DaemonProcess(path, tmp_path / "daemon.log", environ=environ, options=("--debug",))
        children = Processes(daemon.process.pid, search)
        try:
            daemon.wait_for_log("ready: 7 cameras", READY_S)
            subscriber.wait_for(lambda: subscriber.alerts(kind="new"), 90, "an alert")
            wanted = {
                "ours": ("ok", "online"),
                "locked": ("credentials_refused", "refused"),
                "locked-too": ("credentials_refused", "refused"),
                "away": ("unreachable", "connecting"),
                "untrusted": ("certificate_refused", "connecting"),
                "query": ("unreachable", "connecting"),
            }
            for name, (reason, state) in wanted.items():
                subscriber.wait_for(
                    lambda n=name, s=state, r=reason: has_state(subscriber, n, s, r), 60, name
                )
            daemon.wait_for_log("webhook refusing", 60)
            daemon.wait_for_log("it answers 401: not authorised", 60)
            daemon.wait_for_log("webhook nowhere", 60)
            pages = look_at_pages(search, port, http)
            look_at_process(search, daemon.process.pid)
            own = Path(f"/proc/{daemon.process.pid}")
            assert b"HARMLESS=stays" in (own / "environ").read_bytes()
            assert re.search(r"Max core file size\s+0\s+0", (own / "limits").read_text())
            assert int((own / "coredump_filter").read_text(), 16) == 0
            # settings that are wrong, with secrets around what is wrong; commands that are none
            path.write_text(path.read_text().replace("${MQTT}", json.dumps(mqtt)[1:-1]) + f"\nx: [{camera}\n")
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for_log("not reloaded, the settings in force stay", 30)
            ours = ("command/reload", f"command/cameras/{in_address}/set", "command/alerts/x/ack")
            for topic in ours:
                subscriber.publish(topic, camera)
            path.write_text(
                yaml.safe_dump(data | {"cameras": data["cameras"] | {"more": data["cameras"]["away"]}})
            )  # type: ignore[operator, index]
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for_log("reloaded: 1 of 8 cameras changed", 30)
            broker.kill()
            broker.start()
            broker_is_back = len(subscriber.messages)
            subscriber.wait_for(lambda: len(subscriber.messages) > broker_is_back, 60, "the daemon's return")
            look_at_pages(search, port, http)
            daemon.process.send_signal(signal.SIGABRT)
            assert daemon.process.wait(60) == -signal.SIGABRT
        finally:
            daemon.end()
            children.stop()
            subscriber.stop()
    assert "Fatal Python error: Aborted" in daemon.log
    assert "Thread 0x" in daemon.log
    search.look("what the daemon printed", daemon.log)
    sent = {f"{PREFIX}/{topic}" for topic in ours}
    for message in subscriber.messages:
        if message.topic in sent:
            continue
        search.look(f"MQTT {message.topic}", message.topic.encode() + b" " + message.payload)
    files = [each for each in (tmp_path / "state").rglob("*") if each.is_file()]
    for each in files:
        search.look(str(each), each.read_bytes())
    pictures = [message for message in subscriber.messages if message.topic.endswith("/snapshot")]
    print(
        f"{search.summary()}; {len(subscriber.messages)} MQTT messages with {len(pictures)} pictures, {pages} HTTP "
        f"answers twice, {len(files)} files of state, {len(children.seen)} child processes, "
        f"{len(daemon.log.splitlines())} lines of log"
    )
    assert not search.found
    assert pictures
    assert files


def has_state(subscriber: Subscriber, name: str, state: str, reason: str) -> bool:
    told = subscriber.latest(f"cameras/{name}/status") or {}
    return (told.get("state"), told.get("reason")) == (state, reason)


def look_at_pages(search: Search, port: int, password: str) -> int:
    """Every route, with the right credentials, wrong ones and none, and a path that does not exist."""
    right = base64.b64encode(f"operator:{password}".encode()).decode()
    wrong = base64.b64encode(f"operator:{SECRETS['mqtt']}".encode()).decode()
    sources = (file.read_text() for file in Path(streamer.web.__file__).parent.glob("*.py"))
    paths = [path for source in sources for path in re.findall(r'Route\(\s*"(/[^"]*)"', source)]
    assert len(paths) > 20
    alert = json.loads(get(port, "/api/alerts", f"Basic {right}")[1])
    first = (alert["alerts"] if isinstance(alert, dict) else alert)[0]["alert_id"]
    answers = 0
    for path in [*paths, f"/nothing?token={urllib.parse.quote(SECRETS['query'], safe='')}"]:
        filled = (
            path.replace("{alert_id}", first).replace("{camera}", "entrance").replace("{name}", "page.js")
        )
        for credentials in (f"Basic {right}", f"Basic {wrong}" if path == "/" else "", ""):
            status, body, head = get(port, filled, credentials)
            search.look(f"HTTP {status} {filled}", head.encode() + body)
            answers += 1
    return answers


def get(port: int, path: str, authorization: str) -> tuple[int, bytes, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), str(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), str(error.headers)
