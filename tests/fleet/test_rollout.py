"""The way back of a rollout, whatever ends it; sites are folders here, and what they run is a file in them."""

import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fleet.fleet_folders import write_fleet
from peers.dead_ends import refusing_port

from config.fleet import load_fleet
from streamer.cli import main
from streamer.commands import fleet as command
from streamer.fleet import rollout as rollout_module
from streamer.fleet.book import FleetBook, SiteState, SiteView
from streamer.fleet.folder import load_folder
from streamer.fleet.rollout import Change, Rollout, Step

#: ``argv``: file, text. Writes it there.
_PUT = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"


@dataclass
class Sites:
    """A book whose sites say the version and the revision that stand in their folders."""

    folder: Path
    told: list[str] = field(default_factory=list)

    def view_of(self, prefix: str) -> SiteView:
        running = self.folder / prefix
        version, target = running / "version", running / "site.yaml"
        return SiteView(
            broker="main",
            prefix=prefix,
            name=prefix,
            state=SiteState.ONLINE,
            reason="",
            version=version.read_text() if version.exists() else "",
            config_revision=target.read_text(errors="replace") if target.exists() else "",
            cameras=1,
            cameras_down=(),
            alerts_open=0,
            lag_s=None,
            pending=None,
            age_s=0.0,
        )

    def add(self, name: str, *, text: str = "old", version: str = "1.0") -> Path:
        (self.folder / name).mkdir()
        (self.folder / name / "version").write_text(version)
        target = self.folder / name / "site.yaml"
        target.write_text(text)
        return target

    def settings(self, name: str, text: str = "new", **changes: object) -> Change:
        target = self.folder / name / "site.yaml"
        return Change(
            **{"site": name, "prefix": name, "target": target, "text": text, "revision": text} | changes
        )

    def update(self, name: str, to: str, back: str | None, *, says: str | None = None) -> Change:
        """``says``: what it runs after ``to`` was brought to it."""
        put = [sys.executable, "-c", _PUT, str(self.folder / name / "version")]
        return Change(
            site=name,
            prefix=name,
            hooks=[[*put, says or to]],
            back=[] if back is None else [[*put, back]],
            version=to,
        )

    def rollout(self, within_s: float = 0.5) -> Rollout:
        return Rollout(self, within_s=within_s, hold_s=0.0, tell=self.told.append)


@pytest.fixture
def sites(tmp_path):
    return Sites(tmp_path)


def test_a_file_that_cannot_be_written_brings_its_wave_back(sites, monkeypatch):
    first, second = sites.add("north"), sites.add("south")
    real = Path.write_bytes

    def full(path, data):
        if path.parent == second.parent and data == b"new":
            real(path, data[:1])
            raise OSError(28, "No space left on device", str(path))
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    report = sites.rollout().run(
        [[sites.settings("north"), sites.settings("south")], [sites.settings("north")]]
    )
    assert report.stopped.startswith("south: ")
    assert "No space left on device" in report.stopped
    assert (first.read_text(), second.read_text()) == ("old", "old")
    assert report.steps["south"] is Step.ROLLED_BACK
    # what was begun and not ended lies nowhere
    assert sorted(path.name for path in second.parent.iterdir()) == ["site.yaml", "version"]


def test_a_target_that_cannot_be_read_brings_its_wave_back(sites):
    first, second = sites.add("north"), sites.add("south")
    second.unlink()
    second.mkdir()
    report = sites.rollout().run([[sites.settings("north"), sites.settings("south", revision=None)]])
    assert report.stopped.startswith("south: ")
    assert first.read_text() == "old"
    assert report.steps == {"north": Step.ROLLED_BACK, "south": Step.NOT_BEGUN}


def test_a_target_that_is_no_text_is_put_back_as_it_was(sites):
    target = sites.add("north")
    target.write_bytes(b"# caf\xe9\r\n")
    fails = [sys.executable, "-c", "import sys; sys.exit(3)"]
    report = sites.rollout().run([[sites.settings("north", hooks=[fails])]])
    assert "ended with 3" in report.stopped
    assert target.read_bytes() == b"# caf\xe9\r\n"


@pytest.mark.parametrize("ended_by", [KeyboardInterrupt, SystemExit])
def test_whoever_ends_it_leaves_no_wave_half_changed(sites, monkeypatch, ended_by):
    target = sites.add("north")
    rollout = sites.rollout(within_s=60)
    real = rollout_module.time.sleep

    def sleep(wait_s):
        monkeypatch.setattr(rollout_module.time, "sleep", real)
        raise ended_by

    monkeypatch.setattr(rollout_module.time, "sleep", sleep)
    with pytest.raises(ended_by):
        rollout.run([[sites.settings("north", revision="never said")]])
    assert target.read_text() == "old"
    assert sites.told[-1] == "north: rolled back"


def test_a_version_is_back_when_the_site_says_so(sites):
    sites.add("north")
    report = sites.rollout().run([[sites.update("north", "2.0", "1.0", says="broken")]])
    assert report.steps == {"north": Step.ROLLED_BACK}
    assert sites.view_of("north").version == "1.0"


def test_a_version_that_does_not_come_back_is_not_called_rolled_back(sites):
    sites.add("north")
    change = sites.update("north", "2.0", "1.0", says="broken")
    deaf = [sys.executable, "-c", ""]
    report = sites.rollout().run(
        [[Change(site="north", prefix="north", hooks=change.hooks, back=[deaf], version="2.0")]]
    )
    assert report.steps == {"north": Step.NOT_ROLLED_BACK}


def test_a_version_that_nobody_knows_is_not_called_rolled_back(sites):
    sites.add("north", version="")
    report = sites.rollout().run([[sites.update("north", "2.0", None, says="broken")]])
    assert report.steps == {"north": Step.NOT_ROLLED_BACK}
    assert "which version it ran before is not known" in sites.told[-1]


@pytest.mark.parametrize(
    ("version", "back"),
    [
        ("1.4.0", [["update", "1.4.0"]]),
        ("1.4.0+gpu-2_b", [["update", "1.4.0+gpu-2_b"]]),
        ("1.4.0; rm -rf ~", []),
        ("$(reboot)", []),
        ("--help", []),
        ("1.4.0\n", []),
        ("1" * 65, []),
        ("", []),
    ],
)
def test_a_version_that_a_site_says_is_no_word_of_a_shell(tmp_path, version, back):
    folder = write_fleet(tmp_path, sites=("north",), rollout={"update": ["update", "{version}"]})
    fleet = load_fleet(folder)
    book = FleetBook()
    health = json.dumps({"state": "ready", "version": version}).encode()
    book.receive("main", "ppewatch/north", "health", health, retained=True)
    change = command._change(fleet, load_folder(folder, fleet)["north"], book, "2.0")
    assert (list(change.hooks), list(change.back)) == ([["update", "2.0"]], back)


@pytest.mark.parametrize(
    ("payload", "refused"),
    [
        (b"[" * 100_000, False),
        (b'{"ok": false, "error": ' + b"[" * 400 + b"]" * 400 + b"}", True),
        (b'{"ok": false, "error": "\\u001b[2Jno such\\ncamera"}', True),
        (b'{"ok": false}', True),
        (b'{"ok": true}', False),
        (b"\xff", False),
    ],
)
def test_whatever_a_site_answers_the_others_are_heard(sites, payload, refused):
    sites.add("north")
    rollout = sites.rollout()
    change = sites.settings("north", hooks=[[sys.executable, "-c", ""]])
    real = rollout._call

    def call(site, hooks):
        real(site, hooks)
        rollout.answered("north", payload)

    rollout._call = call
    report = rollout.run([[change]])
    assert ("refused the reload" in report.stopped) == refused
    assert report.stopped.replace("\n", "").isprintable()


def test_sigterm_reaches_a_rollout_before_it_ends(tmp_path, monkeypatch):
    folder = write_fleet(tmp_path, port=refusing_port(), sites=("north",))
    monkeypatch.setattr(command, "_CONNECT_S", 0.1)
    heard = []

    def run(_rollout, _waves):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit:
            heard.append("in time")
            raise
        raise KeyboardInterrupt

    monkeypatch.setattr(Rollout, "run", run)
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("not heard"))
    try:
        with pytest.raises(SystemExit):
            main(["fleet", "rollout", str(folder), "--settle", "0"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["in time"]
