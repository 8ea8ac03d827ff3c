"""Smooth L1 against cases computed by hand."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.training.smooth_l1 import smooth_l1


@pytest.mark.parametrize(
    ("beta", "differences", "loss"),
    [
        (1.0, [0.5, 0, 0, 0], 0.125),  # 0.5 x 0.25
        (1.0, [3, -3, 0, 0], 5.0),  # 2.5 + 2.5
        (1.0, [1, 0.5], 0.625),  # where square and line meet: 0.5
        (0.05, [0.03, -0.03], 0.018),  # 2 x 0.5 x 0.0009 / 0.05
        (0.05, [-0.5, 0.01], 0.476),  # 0.475 + 0.001
        (2.0, [1, -4], 3.25),  # 0.25 + 3
    ],
)
def test_it_is_round_at_the_bottom_and_straight_outside(
    beta: float, differences: list[float], loss: float
) -> None:
    rows = np.array([[differences, np.zeros(len(differences))]], np.float32)
    assert_allclose(keras.ops.convert_to_numpy(smooth_l1(rows, beta)), [[loss, 0]], rtol=1e-5)


def test_without_a_word_the_bend_is_that_of_the_paper() -> None:
    rows = np.linspace(-3, 3, 31, dtype=np.float32)[:, None]
    assert_allclose(
        keras.ops.convert_to_numpy(smooth_l1(rows)), keras.ops.convert_to_numpy(smooth_l1(rows, 1))
    )
