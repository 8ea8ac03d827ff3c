"""``ppewatch plan`` and ``simulate`` as people call them."""

import json

import pytest
from capacity.made_figures import device_figures, processor_figures

from streamer.capacity.figures import write_figures
from streamer.cli import main

_STREAM = ["--stream", "1280x720@25", "--input-size", "640", "--fps", "2"]


@pytest.fixture
def figures(tmp_path):
    """A file of figures of a small machine."""
    path = tmp_path / "box.json"
    write_figures(path, processor_figures())
    return str(path)


def test_plan_says_what_binds_and_how_much_fits(figures, capsys):
    assert main(["plan", "--figures", figures, "--cameras", "30", "--choices", *_STREAM]) == 0
    told = capsys.readouterr().out
    assert "inference binds" in told
    assert "most cameras on these machines   4" in told
    assert "machines for these cameras       8 x machine" in told
    assert "maskrcnn retinaface" in told


def test_plan_fails_where_more_is_asked_than_the_named_machines_have(figures, capsys):
    command = ["plan", "--figures", figures, "--cameras", "30", *_STREAM, "--nodes"]
    assert main([*command, "8"]) == 0
    assert main([*command, "7"]) == 1
    assert "does not fit: inference" in capsys.readouterr().err


def test_plan_gives_machines_what_people_see(figures, capsys):
    assert main(["plan", "--figures", figures, "--cameras", "4", "--json", "--simulate", *_STREAM]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["most_cameras"] == 4
    assert told["binding"] == {"group": "machine", "resource": "inference"}
    assert {one["name"] for one in told["resources"]} == {
        "processor",
        "inference",
        "verdicts",
        "memory",
        "network",
        "one stream",
    }
    # what the plan calls eight tenths the simulation fills to eight tenths
    assert told["simulation"]["looks_per_s"] == pytest.approx(8, rel=0.05)


def test_plan_takes_the_cameras_of_a_site(figures, tmp_path, capsys):
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: {name: yard}\nfps: 2\ninput_size: 640\ncameras:\n  gate: {url: 'rtsp://10.0.0.1/s'}\n"
        "  shop: {url: 'rtsp://10.0.0.2/s', fps: 1, priority: high}\n"
        "  off: {url: 'rtsp://10.0.0.3/s', enabled: false}\n"
        "rules:\n  - {name: all, where: ['*'], require: [hard_hat, face_mask]}\n"
    )
    command = ["plan", "--figures", figures, "--site", str(site), "--stream", "1280x720@25", "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cameras"] == 2
    assert told["granted_fps"] == [2.0, 1.0]


def test_simulate_tells_latency_looks_failures_and_price(figures, tmp_path, capsys):
    write_figures(tmp_path / "gpu.json", device_figures())
    scenario = tmp_path / "many.yaml"
    scenario.write_text(
        "cameras: [{count: 12, size: [1280, 720], fps: 2, models: [maskrcnn, retinaface], input_size: 640}]\n"
        "nodes:\n  - {name: door, figures: box.json, count: 3, inference: false, price_per_hour: 0.1}\n"
        "  - {name: brain, figures: gpu.json, ingest: false, count: 2, price_per_hour: 1}\n"
    )
    command = ["simulate", str(scenario), "--seconds", "20", "--worker-hours", "0.005", "--takeover", "2"]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["events"]["worker failures"] > 0
    assert told["price_per_hour"] == pytest.approx(2.3)
    assert 0 < told["looks_per_s"] <= 25
    assert main(command) == 0
    lines = capsys.readouterr().out
    assert "from frame to verdict" in lines
    assert "worker failures" in lines


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--figures"),
        (["--figures", "FIGURES", "--models", "retinaface"], "were not measured"),
        (["--figures", "FIGURES", "--codec", "hevc"], "decoding of hevc was not measured"),
        (["--figures", "FIGURES", "--stream", "huge"], "1920x1080@25"),
        (["scenario.yaml", "--cameras", "3"], "give one of them"),
        (["--figures", "FIGURES", "--site", "no.yaml"], "no.yaml"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_line(figures, capsys, options, words):
    command = ["plan", *(figures if word == "FIGURES" else word for word in options)]
    try:
        code = main(command)
    except SystemExit as end:
        code = end.code
    assert code in {1, 2}
    error = capsys.readouterr().err
    assert words in error
    assert "internal error" not in error
