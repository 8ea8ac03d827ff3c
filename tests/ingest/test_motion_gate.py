"""The motion gate on made pictures: what counts as motion, and which looks are held back."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_clips import Collector, picture, write_clip

from models.pictures import ArrayPicture
from streamer.attention import Attention
from streamer.frame import Frame
from streamer.ingest.connection import run_connection
from streamer.ingest.errors import EndOfStream
from streamer.ingest.motion import MotionDetector
from streamer.ingest.motion_gate import MotionGate, MotionPolicy
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.ingest.video_picture import VideoPicture

HW = (90, 160)
FPS = 5
POLICY = MotionPolicy(min_area=0.0005, hold_s=1.0, look_every_s=5.0)


def scene(seed: int = 1) -> np.ndarray:
    """Grey levels of a yard, float (h, w): smooth light, things with edges, a dark corner."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : HW[0], 0 : HW[1]]
    grey = 90.0 + 40 * np.sin(columns / 30) + rows / 3
    for _ in range(25):
        y, x = rng.integers(0, HW[0] - 12), rng.integers(0, HW[1] - 20)
        grey[y : y + rng.integers(3, 12), x : x + rng.integers(3, 20)] += rng.uniform(-50, 60)
    grey[:30, :40] *= 0.15
    return np.clip(grey, 3, 200)


def shown(grey: np.ndarray, rng: np.random.Generator, noise: float = 2.0) -> np.ndarray:
    return np.clip(grey + rng.normal(0, noise, grey.shape), 0, 255).astype(np.uint8)


def with_person(grey: np.ndarray, x: float, *, height: int = 7, level: float = 35.0) -> np.ndarray:
    """A small figure, 2 pixels wide, in front of the scene: some 80 by 24 pixels of 1080p."""
    out = grey.copy()
    left = round(x)
    out[50 : 50 + height, left : left + 2] = level
    return out


class Camera:
    """A gate that is shown grey pictures, five a second."""

    def __init__(self, policy: MotionPolicy = POLICY) -> None:
        self.attention = Attention()
        self.gate = MotionGate(policy, self.attention)
        self.rng = np.random.default_rng(7)
        self.index = 0

    def show(self, grey: np.ndarray, *, seconds: float = 0.2, noise: float = 2.0) -> list[bool]:
        """Whether the frames of so long were let through."""
        passed = []
        for _ in range(round(seconds * FPS)):
            rgb = np.repeat(shown(grey, self.rng, noise)[..., None], 3, axis=2)
            at = 1_700_000_000.0 + self.index / FPS
            passed.append(self.gate.passes(Frame("gate", self.index, None, at, 0.0, ArrayPicture(rgb))))
            self.index += 1
        return passed


def still_camera(**policy: float) -> Camera:
    """A camera whose gate knows the scene and holds."""
    camera = Camera(replace(POLICY, **policy))
    first = camera.show(scene(), seconds=20)
    assert first[0], "the first picture of a connection is news"
    return camera


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_a_still_scene_is_looked_at_only_every_few_seconds(noise: float) -> None:
    camera = Camera()
    camera.show(scene(), seconds=20, noise=noise)
    passed = camera.show(scene(), seconds=60, noise=noise)
    assert sum(passed) == 12
    assert set(np.diff(np.nonzero(passed)[0])) == {25}


@pytest.mark.parametrize("look_every_s", [0.4, 2.0, 20.0])
def test_the_forced_look_comes_as_often_as_asked_for(look_every_s: float) -> None:
    passed = still_camera(look_every_s=look_every_s).show(scene(), seconds=60)
    assert sum(passed) == pytest.approx(60 / look_every_s, abs=1)


@pytest.mark.parametrize("start", [20, 60, 120])
def test_a_small_person_who_walks_is_looked_at_at_once_and_all_the_way(start: int) -> None:
    camera = still_camera(hold_s=0.0, look_every_s=600.0)
    passed = [camera.show(with_person(scene(), start + step * 0.8))[0] for step in range(30)]
    assert passed[0]
    assert np.mean(passed) > 0.9


def test_smaller_things_than_asked_for_are_held() -> None:
    camera = still_camera(min_area=0.01, hold_s=0.0, look_every_s=600.0)
    assert not any(camera.show(with_person(scene(), 60 + step))[0] for step in range(20))


def test_looks_go_on_for_the_hold_after_the_last_motion_and_then_end() -> None:
    camera = still_camera(hold_s=3.0, look_every_s=600.0)
    assert all(camera.show(with_person(scene(), 60 + step))[0] for step in range(5))
    assert all(camera.show(scene(), seconds=3.0))
    # the figure's last places are forgotten soon after
    assert not any(camera.show(scene(), seconds=40)[-50:])


@pytest.mark.parametrize("gain", [0.6, 0.8, 1.25])
def test_a_jump_of_the_exposure_is_no_motion(gain: float) -> None:
    camera = still_camera(hold_s=0.0, look_every_s=600.0)
    assert sum(camera.show(scene() * gain, seconds=4)) == 0


def test_a_cloud_that_passes_is_no_motion() -> None:
    camera = still_camera(hold_s=0.0, look_every_s=600.0)
    passed = []
    for step in range(75):
        light = 1 - 0.4 * np.exp(-(((np.arange(HW[1]) - 4 * step + 80) / 60.0) ** 2))
        passed += camera.show(scene() * light)
    assert sum(passed) == 0


def test_a_light_that_is_switched_on_is_looked_at_at_once_and_not_for_ever() -> None:
    """Shadows fall elsewhere: the scene's contrasts are others than before."""
    camera = still_camera(hold_s=0.0, look_every_s=600.0)
    lit = np.clip(scene(2) * 1.5 + 30, 0, 255)
    passed = camera.show(lit, seconds=30)
    assert passed[0]
    assert not any(passed[50:])


def test_leaves_in_the_wind_stop_counting_and_a_person_beside_them_does_not() -> None:
    camera = Camera(replace(POLICY, hold_s=0.0, look_every_s=600.0))
    rng = np.random.default_rng(3)

    def windy() -> np.ndarray:
        grey = scene()
        grey[5:25, 100:140] += rng.normal(0, 12, (20, 40))
        return grey

    for _ in range(300):
        camera.show(windy())
    assert sum(camera.show(windy())[0] for _ in range(100)) <= 5
    assert camera.show(with_person(windy(), 60))[0]


def test_a_busy_way_does_not_go_blind() -> None:
    camera = Camera(replace(POLICY, hold_s=0.0, look_every_s=600.0))
    for _ in range(10):
        for step in range(60):
            camera.show(with_person(scene(), 20 + 2 * step))
    camera.show(scene(), seconds=20)
    assert camera.show(with_person(scene(), 70))[0]


def test_a_camera_that_wants_attention_is_never_held_back() -> None:
    camera = still_camera(hold_s=0.0, look_every_s=600.0)
    assert not any(camera.show(scene(), seconds=2))
    camera.attention.wanted = True
    assert all(camera.show(scene(), seconds=30))
    camera.attention.wanted = False
    assert not any(camera.show(scene(), seconds=10))


@given(
    shapes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 160)), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_pictures_of_any_size_and_content_are_taken(shapes: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    detector = MotionDetector()
    for number, shape in enumerate(shapes):
        share = detector.changed_share(rng.integers(0, 256, shape, dtype=np.uint8), number / 3)
        assert 0 <= share <= 1


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12", "yuv420p10le", "gray"])
@pytest.mark.parametrize("turns", [0, 1, 2])
def test_grey_comes_from_the_luma_of_any_format(pixel_format: str, turns: int) -> None:
    rgb = np.repeat(picture(3)[..., 1:2], 3, axis=2)
    each = VideoPicture(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format))
    each._turns = turns  # PyAV cannot write the side data that a file's rotation comes in
    size_hw = (40, 30) if turns == 1 else (30, 40)
    grey = each.grey(size_hw)
    assert grey.shape == size_hw
    wanted = each.rgb(size_hw)[..., 1].astype(float)
    # luma may have the limited range
    assert np.corrcoef(grey.ravel(), wanted.ravel())[0, 1] > 0.99


def test_held_looks_of_a_connection_are_counted(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "still.mp4", frames=40, moves=False)
    sink = Collector()
    gate = MotionGate(MotionPolicy(min_area=0.001, hold_s=0.0, look_every_s=1.0), Attention())
    session = Session("test", sink, gate=gate)
    assert isinstance(run_connection(Source(str(clip), paced=False), session), EndOfStream)
    assert [frame.index for frame in sink.frames] == [0, 10, 20, 30]
    assert (session.counters.due, session.counters.held_looks) == (40, 36)
