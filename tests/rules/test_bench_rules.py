"""``ppewatch bench rules``: what it prints, on tiny scenes; how fast anything is is no business of a test."""

import json
from functools import partial

import pytest

from streamer.bench import rules as bench
from streamer.bench.figures import spread
from streamer.cli import main


@pytest.fixture
def quick(monkeypatch):
    small = partial(bench.measure_rules, (1, 20), frames=4, cameras=(2, 3), runs=2)
    monkeypatch.setattr(bench, "measure_rules", small)


def test_the_command_prints_crowds_updates_and_cameras(quick, capsys):
    assert main(["bench", "rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rules"
    names = [line.split("  ")[1] for line in lines[1:]]
    assert names == [
        "1 persons",
        "20 persons",
        "ratio 20 persons",
        "updates per second 20 persons",
        "2 cameras ms per frame",
        "3 cameras ms per frame",
        "ratio 3 cameras",
    ]
    assert all("median" in line and "least" in line and "most" in line for line in lines[3:])


def test_the_figures_are_of_what_they_say(quick, capsys):
    assert main(["bench", "rules", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["rules"]
    assert figures["20_persons"]["p50_ms"] > figures["20_persons"]["floor_ms"] / 2 > 0
    updates, cameras = figures["updates_per_second_20_persons"], figures["3_cameras_ms_per_frame"]
    assert 0 < updates["least"] <= updates["median"] <= updates["most"]
    assert updates["runs"] == cameras["runs"] == 2
    assert 0 < cameras["least"] <= cameras["median"] <= cameras["most"]
    assert figures["2_cameras_ms_per_frame"]["ratio"] == 1.0


def test_every_person_of_the_scene_is_seen_and_followed():
    engine = bench._engine("test")
    for index, seen in enumerate(bench.scene(7, 4, 5.0)):
        engine.observe(seen, 1_795_244_400.0 + index / 5)
    assert len(engine.tracks) == 7
    assert all(len(track.gear) == 2 for track in engine.tracks)


def test_the_spread_of_runs():
    assert spread([3.0, 1.0, 2.26], digits=1) == {"median": 2.3, "least": 1.0, "most": 3.0, "runs": 3}
