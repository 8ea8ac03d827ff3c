"""How large heads are, and what it would take to judge them."""

import json
from pathlib import Path

import pytest
from command_line import ppewatch
from peers.mosquitto import Mosquitto

from models.weights import STORE
from streamer.demo.site import CLIP
from streamer.detect.heads_seen import HeadsSeen, advice_for
from streamer.fitness.head_sizes import ZoneHeads

SITE = """\
site: {{name: yard}}
mqtt: {{host: 127.0.0.1, port: {port}}}
cameras:
  entrance:
    url: {clip}
    fps: 2
    zones:
      counter: {{coordinates: "0,0, 1,0, 1,1, 0,1", anchor: head}}
      ceiling: {{coordinates: "0,0, 1,0, 1,0.02, 0,0.02", anchor: head}}
rules: [{{name: masks, where: ["*"], require: [face_mask]}}]
"""


def seen(
    median_px: float | None, *, image_hw: tuple[int, int] = (1080, 1920), input_px: int = 1280
) -> list[str]:
    heads = ZoneHeads("apron", 0 if median_px is None else 40, median_px, 0.1, 0.5)
    return list(advice_for(heads, HeadsSeen((heads,), 20, 6.0, image_hw, input_px)))


def test_heads_that_are_large_enough_need_nothing() -> None:
    assert seen(24.0) == seen(60.0) == seen(None) == []


@pytest.mark.parametrize(
    ("median_px", "advice"),
    [
        (20.0, ["input_size: 1536", "tiles: {grid: [2, 2]}"]),
        (14.0, ["input_size: 2208", "tiles: {grid: [2, 2]}"]),
        (10.0, ["tiles: {grid: [3, 3]}"]),
        (5.0, []),
    ],
)
def test_small_heads_need_a_larger_input_or_tiles_as_far_as_the_camera_has_pixels(median_px, advice) -> None:
    assert seen(median_px) == advice


def test_a_small_picture_has_nothing_more_to_show() -> None:
    assert seen(10.0, image_hw=(360, 640), input_px=960) == []


@pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet")
def test_check_looks_at_the_demo_clip(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        path = tmp_path / "site.yaml"
        path.write_text(SITE.format(port=broker.port, clip=CLIP))
        done = ppewatch("check", path, "--connect", "--json", timeout=280)
    assert done.code == 0, done.said
    counter, ceiling = json.loads(done.out)["heads"]
    assert (counter["camera"], counter["zone"], ceiling["zone"]) == ("entrance", "counter", "ceiling")
    assert counter["heads"] > 0
    assert 60 < counter["median_px"] < 300
    assert counter["too_small"] == 0
    assert "median" in counter["said"]
    assert (ceiling["heads"], ceiling["median_px"]) == (0, None)
    assert "nobody was seen" in ceiling["said"]
