"""Logits to probabilities, sharpness, and the figures that judge them."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.evaluation.classification import classification_report, expected_calibration_error
from models.mask_state.calibration import fit_temperature, mask_states, softmax
from models.mask_state.network import NOT_VISIBLE
from models.mask_state.sharpness import laplacian_energy, sharpness, sharpness_of

LOGITS = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 9), st.just(4)), elements=st.floats(-60, 60, width=32)
)


@given(LOGITS, st.floats(0.2, 10))
def test_probabilities_sum_to_one_and_keep_the_decision(
    logits: NDArray[np.float32], temperature: float
) -> None:
    states = mask_states(logits, temperature)
    assert states.probs.shape == (len(logits), 3)
    assert states.probs.dtype == states.visibility.dtype == np.float32
    np.testing.assert_allclose(states.probs.sum(1), 1, atol=1e-5)
    assert ((states.visibility >= 0) & (states.visibility <= 1)).all()
    best = logits[:, :NOT_VISIBLE].max(1)
    chosen = logits[np.arange(len(logits)), states.probs.argmax(1)]
    # far apart logits can both round to a probability of 1 or 0, equal ones can fall either way
    assert (chosen >= best - 1e-4 * temperature).all()


def test_what_speaks_for_not_visible_lowers_visibility_alone() -> None:
    plain = mask_states(np.array([[2, 1, 0, -3]], np.float32), 1.0)
    hidden = mask_states(np.array([[2, 1, 0, 5]], np.float32), 1.0)
    np.testing.assert_allclose(plain.probs, hidden.probs)
    assert plain.visibility[0] > 0.99
    assert hidden.visibility[0] < 0.1


def test_the_temperature_of_overconfident_logits_is_found_again() -> None:
    rng = np.random.default_rng(3)
    honest = rng.normal(0, 2, (20_000, 4))
    labels = np.array([rng.choice(4, p=row) for row in softmax(honest)])
    assert fit_temperature((honest * 3).astype(np.float32), labels) == pytest.approx(3, rel=0.05)
    assert expected_calibration_error(softmax(honest), labels) < 0.02
    assert expected_calibration_error(softmax(honest * 3), labels) > 0.1


def test_the_report_counts_truth_by_row() -> None:
    labels, answers = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    report = classification_report(labels, answers, 3)
    assert report.confusion.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert report.recall.tolist() == pytest.approx([2 / 3, 1, 0])
    assert report.precision.tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    assert report.f1.tolist() == pytest.approx([2 / 3, 0.8, 0])
    assert report.accuracy == pytest.approx(4 / 6)
    assert report.macro_f1 == pytest.approx((2 / 3 + 0.8) / 3)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probs = np.array([[0.9, 0.1]] * 10)
    labels = np.array([0] * 6 + [1] * 4)
    assert expected_calibration_error(probs, labels) == pytest.approx(0.3)
    assert expected_calibration_error(probs[:0], labels[:0]) == 0


def _scene(seed: int, side: int = 120) -> NDArray[np.uint8]:
    """Patches and edges of all sizes, as natural pictures have them."""
    rng = np.random.default_rng(seed)
    scene = np.zeros((side, side, 3), np.float32)
    for cell in (4, 8, 16, 32):
        coarse = rng.uniform(-1, 1, (side // cell + 2, side // cell + 2, 3)).astype(np.float32)
        scene += cell**0.7 * cv2.resize(coarse, (side, side), interpolation=cv2.INTER_NEAREST)
    return np.clip(scene * 6 + 128, 0, 255).astype(np.uint8)


@given(st.integers(0, 10_000))
def test_more_blur_is_never_sharper(seed: int) -> None:
    scene = _scene(seed)
    blurred = [cv2.GaussianBlur(scene, (0, 0), sigma) for sigma in (0.5, 1, 2, 4, 8, 12)]
    energies = [laplacian_energy(picture) for picture in blurred]
    assert all(more < less for less, more in itertools.pairwise(energies))
    assert sharpness(blurred[0]) == 1
    assert sharpness(blurred[4]) < 0.8
    assert sharpness(blurred[5]) < 0.35


@pytest.mark.parametrize("contrast", [0.3, 0.6])
def test_contrast_and_scale_hardly_change_the_sharpness(contrast: float) -> None:
    scene = cv2.GaussianBlur(_scene(7), (0, 0), 7)
    faint = (128 + (scene.astype(np.float32) - 128) * contrast).astype(np.uint8)
    larger = cv2.resize(scene, (240, 240), interpolation=cv2.INTER_LINEAR)
    assert 0.1 < sharpness(scene) < 0.9
    assert sharpness(faint) == pytest.approx(sharpness(scene), abs=0.05)
    assert sharpness(larger) == pytest.approx(sharpness(scene), abs=0.05)


def test_nothing_to_see_is_not_sharp() -> None:
    assert sharpness(np.full((50, 50, 3), 90, np.uint8)) == 0
    assert sharpness_of([]).shape == (0,)
    assert sharpness_of([_scene(1), np.zeros((9, 9, 3), np.uint8)]).tolist() == [1, 0]
