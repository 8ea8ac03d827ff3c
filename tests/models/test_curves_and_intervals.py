"""Curves against scikit-learn, intervals against what is known of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as published_curve

from models.evaluation.bootstrap import bootstrap_intervals
from models.evaluation.roc import roc_area, roc_curve


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(1, 3)), min_size=2, max_size=40).filter(
        lambda rows: len({positive for _, positive, _ in rows}) == 2
    )
)
def test_agrees_with_scikit_learn(rows: list[tuple[int, bool, int]]) -> None:
    scores = np.array([row[0] for row in rows]) / 6
    positive = np.array([row[1] for row in rows])
    weights = np.array([row[2] for row in rows], np.float64)
    for counts in (None, weights):
        curve = roc_curve(scores, positive, counts)
        assert curve is not None
        rates = published_curve(positive, scores, sample_weight=counts, drop_intermediate=False)
        for ours, theirs in zip(
            (curve.false_positive_rate, curve.true_positive_rate, curve.thresholds), rates, strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)
        area = roc_auc_score(positive, scores, sample_weight=counts)
        assert roc_area(scores, positive, counts) == pytest.approx(area)


def test_there_is_no_curve_of_one_kind() -> None:
    scores = np.array([0.1, 0.9])
    assert roc_curve(scores, np.array([True, True])) is None
    assert roc_area(scores, np.array([True, False]), np.array([1.0, 0.0])) is None


def test_intervals_of_a_mean_are_as_wide_as_known() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)

    def statistics(weights: np.ndarray) -> dict[str, float | None]:
        return {"mean": float(weights @ values / weights.sum()), "none": None}

    found = bootstrap_intervals(statistics, len(values), samples=2000, seed=3)
    assert set(found) == {"mean"}
    error = values.std() / 20
    assert found["mean"].low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found["mean"].high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert found == bootstrap_intervals(statistics, len(values), samples=2000, seed=3)
    assert found != bootstrap_intervals(statistics, len(values), samples=2000, seed=4)
    narrow = bootstrap_intervals(statistics, len(values), samples=2000, seed=3, confidence=0.5)["mean"]
    assert narrow.high - narrow.low == pytest.approx(2 * 0.674 * error, rel=0.15)


def test_what_is_seldom_known_has_no_interval() -> None:
    def statistics(weights: np.ndarray) -> dict[str, float | None]:
        return {"of the first": 1.0 if weights[0] > 2 else None}

    assert bootstrap_intervals(statistics, 10, samples=100, seed=1) == {}
    assert bootstrap_intervals(statistics, 0, samples=100, seed=1) == {}
