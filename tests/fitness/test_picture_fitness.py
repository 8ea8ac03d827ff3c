"""Defects put into the demo clip and drawn yards, through an encoder: what is found, when, and what is not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.demo.site import CLIP
from streamer.fitness.findings import Code
from streamer.fitness.measures import blur_px, light_of, orientations
from streamer.fitness.picture_fitness import PictureFitness
from streamer.fitness_trial.defects import Defect, Grey, all_defects, shown
from streamer.fitness_trial.material import drawn, recorded, to_and_fro
from streamer.fitness_trial.trial import Phases, calm, try_out

#: As short as can be: a view is known after half a minute.
PHASES = Phases(before_s=42, during_s=48, after_s=15)

DEFECTS = {defect.name: defect for defect in all_defects()}


@pytest.fixture(scope="module")
def demo_pictures() -> list[Grey]:
    return recorded(CLIP)


@pytest.fixture
def scene(demo_pictures: list[Grey]) -> Callable[[str], Iterator[Grey]]:
    return lambda name: to_and_fro(demo_pictures) if name == "demo" else drawn(1)


@pytest.mark.parametrize("name", ["demo", "yard"])
@pytest.mark.parametrize(
    "defect",
    [
        "blur 3 px",
        "shift 5%",
        "turn 15 deg",
        "hand over 90 %",
        "lens cap",
        "frozen, clock goes on",
    ],
)
def test_what_happens_is_found_and_over_when_it_is_over(scene, name: str, defect: str) -> None:
    outcome = try_out(name, scene(name), DEFECTS[defect], frozen_after_s=20, phases=PHASES)
    assert outcome.is_right, outcome
    assert outcome.found_s is not None
    assert outcome.found_s <= 40


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("demo", "infrared at night"),
        ("demo", "crowd of 24"),
        ("yard", "lorry before 50 %"),
    ],
)
def test_what_is_no_defect_is_not_found(scene, name: str, harmless: str) -> None:
    assert try_out(name, scene(name), DEFECTS[harmless], frozen_after_s=20, phases=PHASES).is_right


def test_every_defect_that_is_to_be_found_has_a_code_of_pictures() -> None:
    codes = {defect.code for defect in DEFECTS.values()} - {None}
    assert codes == {Code.DEFOCUSED, Code.MOVED, Code.COVERED, Code.DARK, Code.BRIGHT, Code.FROZEN}


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 3.0])
def test_the_blur_is_measured_whatever_the_contrast(sigma_px: float) -> None:
    squares = np.kron(np.indices((9, 16)).sum(0) % 2, np.ones((40, 40))).astype(np.float32)
    for contrast in (60, 180):
        picture = cv2.GaussianBlur(40 + contrast * squares, (0, 0), sigma_px).round().astype(np.uint8)
        assert blur_px(picture) == pytest.approx(sigma_px, abs=0.35)
    assert blur_px(np.full((360, 640), 90, np.uint8)) is None


def test_orientations_do_not_care_for_exposure_or_the_sign_of_contrast() -> None:
    picture = shown(next(drawn(3)))
    field = orientations(picture)
    for other in (picture // 2 + 20, 255 - picture):
        both = (field != 0) & (orientations(other) != 0)
        assert np.mean(np.real(np.conj(field[both]) * orientations(other)[both])) > 0.8


def test_levels_of_light() -> None:
    half = np.zeros((90, 160), np.uint8)
    half[:, 80:] = 255
    light = light_of(half)
    assert (light.low, light.high, light.white) == (0, 255, 0.5)


def test_a_view_that_moved_is_well_again_once_it_is_accepted() -> None:
    fitness = PictureFitness(frozen_after_s=60)
    yard, second = drawn(1), 0
    for _ in range(50):
        fitness.examine(shown(next(yard)), float(second := second + 1))
    other = drawn(2)
    for _ in range(40):
        fitness.examine(shown(next(other)), float(second := second + 1))
    assert [code for code, follower in fitness.followed() if follower.is_on] == [Code.MOVED]
    fitness.learn_anew()
    for _ in range(60):
        fitness.examine(shown(next(other)), float(second := second + 1))
    assert not [code for code, follower in fitness.followed() if follower.is_on]


def test_codes_that_are_ignored_are_not_looked_for() -> None:
    dark = Defect("dark", None, DEFECTS["lens cap"].effect)
    fitness = PictureFitness(frozen_after_s=60, ignored=[Code.DARK])
    for second in range(60):
        fitness.examine(dark.effect(next(drawn(1)), second, np.random.default_rng(1)), float(second))
    assert not [code for code, follower in fitness.followed() if follower.is_on]


@pytest.mark.parametrize("clip", ["persons_one_by_one_432p10_h264"])
def test_undisturbed_clips_of_real_cameras(shared_data: Path, clip: str) -> None:
    pictures = recorded(shared_data / "video" / f"{clip}.mp4")
    assert calm(to_and_fro(pictures), seconds=150, frozen_after_s=60) == []
