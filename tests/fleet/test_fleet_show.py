"""``ppewatch fleet --once`` fails where it does not know how the sites stand."""

import json
import signal
import threading
import time
from types import SimpleNamespace

import pytest
import yaml
from peers.dead_ends import HangingPort, refusing_port
from peers.mosquitto import Mosquitto

from streamer.cli import main
from streamer.commands import fleet as command


@pytest.fixture
def write(tmp_path):
    """Writes a ``fleet.yaml`` of brokers alone, by their ports."""

    def written(*ports):
        brokers = {f"b{number}": {"host": "127.0.0.1", "port": port} for number, port in enumerate(ports)}
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"brokers": brokers}))
        return str(tmp_path)

    return written


def test_no_answer_is_no_good_news(tmp_path, write, capsys, monkeypatch):
    monkeypatch.setattr(command, "_CONNECT_S", 1.0)
    with Mosquitto(tmp_path) as broker, HangingPort() as hanging:
        there = write(broker.port)
        assert main(["fleet", there, "--once", "--json", "--settle", "0.1"]) == 0
        capsys.readouterr()
        one_away = write(broker.port, refusing_port(), hanging.port)
        began_s = time.monotonic()
        assert main(["fleet", one_away, "--once", "--json", "--settle", "0.1"]) == 1
        # one limit for all
        assert time.monotonic() - began_s < 20
    said = capsys.readouterr()
    # what is known is told all the same
    assert json.loads(said.out)["sites"] == 0
    assert "not every broker answered; how its sites stand is not known" in said.err


def test_a_broker_that_refuses_is_not_waited_for(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "_CONNECT_S", 120.0)
    with Mosquitto(tmp_path, users={"watcher": "secret"}) as broker:
        there = {"host": "127.0.0.1", "port": broker.port, "user": "watcher", "password": "another"}
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"brokers": {"main": there}}))
        began_s = time.monotonic()
        assert main(["fleet", str(tmp_path), "--once", "--settle", "0.1"]) == 1
        assert time.monotonic() - began_s < 60
    said = capsys.readouterr().err
    assert "refused the connection" in said
    assert "not every broker answered" in said


def test_signals_do_afterwards_what_they_did_before(write, monkeypatch):
    monkeypatch.setattr(command, "_CONNECT_S", 0.1)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    main(["fleet", write(refusing_port()), "--once", "--settle", "0"])
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_waiting_has_one_limit_and_an_end(monkeypatch):
    monkeypatch.setattr(command, "_CONNECT_S", 0.3)
    silent = SimpleNamespace(ready=threading.Event(), refused=threading.Event())
    ready = command._Ready([silent] * 50)
    began_s = time.monotonic()
    assert not ready(0.0)
    assert time.monotonic() - began_s < 12
    monkeypatch.setattr(command, "_CONNECT_S", 60.0)
    stop = threading.Event()
    stop.set()
    assert not ready(60.0, stop)
    assert time.monotonic() - began_s < 40
