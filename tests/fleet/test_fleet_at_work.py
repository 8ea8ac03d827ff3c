"""Three real daemons at a real broker: seen together, changed in waves, rolled back; the models alone are none."""

import json
import os
import signal
import sys
import time

import pytest
import yaml
from fleet.fleet_folders import SITES, write_fleet
from peers.daemon import ROOT, DaemonProcess
from peers.mosquitto import Mosquitto

from config.fleet import load_fleet
from streamer.bench.clips import camera_clip
from streamer.cli import main
from streamer.commands import fleet as fleet_command
from streamer.demo.site import CLIP
from streamer.fleet.folder import load_folder

pytestmark = pytest.mark.e2e

#: A busy machine is no failure.
_WITHIN_S = 120


class Fleet:
    """A folder, its broker and its daemons, which run what lies at their targets."""

    def __init__(self, folder, broker, clip):
        self.folder, self.broker, self.clip = folder, broker, clip
        self.daemons = {}
        self.write()

    def write(self, **changes):
        """The folder anew; ``own`` and ``defaults`` as for ``write_fleet``."""
        own = {name: {"cameras": {"gate": {"url": str(self.clip), "loop": True}}} for name in SITES}
        for name, keys in changes.pop("own", {}).items():
            own[name] = own[name] | keys
        defaults = {
            "mqtt": {"host": "127.0.0.1", "port": self.broker.port, "commands": True, "stats_interval": 5},
            "fps": 1,
        } | changes.pop("defaults", {})
        write_fleet(
            self.folder,
            port=self.broker.port,
            own=own,
            defaults=defaults,
            waves=[["north"], ["south"], ["east"]],
            rollout={
                "reload": [sys.executable, str(self.folder / "hook.py"), "{site}", "{file}"],
                "within": f"{_WITHIN_S}s",
                "hold": "1s",
            },
            **changes,
        )

    def start(self):
        """Give every site its settings and start its daemon."""
        pids = {}
        for name, site in self.planned().items():
            site.target.parent.mkdir(exist_ok=True)
            site.target.write_text(site.text)
            self.daemons[name] = DaemonProcess(
                site.target,
                self.folder / f"{name}.log",
                module="fleet.light_daemon",
                environ={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            )
            pids[name] = self.daemons[name].process.pid
        (self.folder / "pids.json").write_text(json.dumps(pids))
        (self.folder / "hook.py").write_text(
            "import json, os, pathlib, signal, sys\n"
            "here = pathlib.Path(__file__).parent\n"
            "pids = json.loads((here / 'pids.json').read_text())\n"
            "with (here / 'hooks').open('a') as told:\n"
            "    told.write(sys.argv[1] + '\\n')\n"
            "os.kill(pids[sys.argv[1]], signal.SIGHUP)\n"
        )
        for daemon in self.daemons.values():
            daemon.wait_for_log("ready:", _WITHIN_S)

    def planned(self):
        return load_folder(self.folder, load_fleet(self.folder))

    def shown(self, capsys):
        """What ``ppewatch fleet --once --json`` says of each site, by name."""
        capsys.readouterr()
        code = main(["fleet", str(self.folder), "--once", "--json", "--settle", "3"])
        told = json.loads(capsys.readouterr().out)
        return code, {site["name"]: site for site in told["each"]}

    def shown_when(self, capsys, holds):
        """The same, once it is as it should be."""
        end_s = time.monotonic() + _WITHIN_S
        while True:
            code, sites = self.shown(capsys)
            if holds(sites) or time.monotonic() > end_s:
                return code, sites

    @property
    def hooks(self):
        path = self.folder / "hooks"
        return path.read_text().split() if path.exists() else []


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Three sites that run."""
    folder = tmp_path_factory.mktemp("fleet")
    clip = camera_clip(CLIP, folder, image_hw=(180, 320), fps=5, seconds=2.0)
    with Mosquitto(folder) as broker:
        running = Fleet(folder, broker, clip)
        try:
            running.start()
            yield running
        finally:
            for daemon in running.daemons.values():
                daemon.end()


def _all_online(sites):
    return len(sites) == 3 and {site["state"] for site in sites.values()} == {"online"}


def test_a_fleet_is_seen_changed_and_rolled_back(fleet, capsys):
    # each step builds on the one before: starting three daemons anew for each would take minutes
    code, sites = fleet.shown_when(capsys, _all_online)
    assert (code, set(sites)) == (0, set(SITES))
    for name, site in fleet.planned().items():
        assert sites[name]["config_revision"] == site.revision
        assert sites[name]["cameras"] == 1
        assert sites[name]["version"]

    # a change of what all share goes through site by site
    fleet.write(defaults={"fps": 2})
    assert main(["fleet", "rollout", str(fleet.folder), "--dry-run"]) == 0
    assert "wave 2: south: would change" in capsys.readouterr().out
    assert main(["fleet", "rollout", str(fleet.folder), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["waves"]
    assert {site: changes for wave in told for site, changes in wave.items()} == dict.fromkeys(SITES, True)
    assert "south" in told[1]
    assert not fleet.hooks
    assert main(["fleet", "rollout", str(fleet.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sites"] == dict.fromkeys(SITES, "done")
    assert fleet.hooks == ["north", "south", "east"]
    _, sites = fleet.shown(capsys)
    for name, site in fleet.planned().items():
        assert sites[name]["config_revision"] == site.revision
        assert yaml.safe_load(site.target.read_text())["fps"] == 2

    # what runs already is left alone
    assert main(["fleet", "rollout", str(fleet.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sites"] == dict.fromkeys(SITES, "unchanged")
    assert len(fleet.hooks) == 3

    # settings that a daemon refuses: its wave is rolled back, the next is not begun
    before = {name: site.target.read_text() for name, site in fleet.planned().items()}
    weights = {"inference": {"retinaface_weights": "/nowhere/none.safetensors"}}
    fleet.write(defaults={"fps": 3}, own={"south": weights})
    assert main(["fleet", "rollout", str(fleet.folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["sites"] == {"north": "done", "south": "rolled back", "east": "not begun"}
    assert "south: refused the reload" in told["stopped"]
    targets = {name: site.target.read_text() for name, site in fleet.planned().items()}
    assert targets["south"] == before["south"]
    assert targets["east"] == before["east"]
    assert "fps: 3" in targets["north"]

    # one that dies is offline by its last will, and nothing is given to it
    fleet.daemons["north"].process.send_signal(signal.SIGKILL)
    code, sites = fleet.shown_when(capsys, lambda sites: sites["north"]["state"] == "offline")
    assert code == 1
    assert sites["north"]["state"] == "offline"
    fleet.write(defaults={"fps": 4})
    assert main(["fleet", "rollout", str(fleet.folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["sites"] == dict.fromkeys(SITES, "not begun")
    assert "north: is offline" in told["stopped"]


def test_a_broker_that_is_away_is_told_and_its_sites_are_unknown(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fleet_command, "_CONNECT_S", 1.0)
    with Mosquitto(tmp_path) as broker:
        folder = write_fleet(tmp_path / "folder", port=broker.port, sites=("north",))
    assert main(["fleet", str(folder), "--once", "--json", "--settle", "1", "--page", "0"]) == 1
    said = capsys.readouterr()
    assert "fleet: http://127.0.0.1:" in said.err
    assert json.loads(said.out)["by_state"] == {"unknown": 1}
    assert "not every broker answered" in said.err
    assert "main: 127.0.0.1" in said.err
    assert "nothing listens there" in said.err
