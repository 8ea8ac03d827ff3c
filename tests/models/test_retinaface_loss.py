"""The loss of RetinaFace against cases computed by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.networks.boxes import encode_boxes
from models.training.retinaface_loss import LossSettings, retinaface_loss


def loss_of(
    logits: Any,
    labels: Any,
    *,
    boxes: Any = 0.0,
    gt_boxes: Any = 0.0,
    landmarks: float = 0.0,
    landmark_weights: Any = 0.0,
    box_weights: Any = None,
    **settings: Any,
) -> dict[str, float]:
    """Of one image; deltas and weights are one number for all anchors or one row per anchor."""
    labels = np.array([labels], np.float32)
    count = labels.shape[1]

    def rows(value: Any, *shape: int) -> Any:
        return np.broadcast_to(np.array(value, np.float32), (1, count, *shape)).copy()

    outputs = {
        "face_logits": np.array([logits], np.float32),
        "box_deltas": rows(boxes, 4),
        "landmark_deltas": rows(landmarks, 10),
    }
    targets = {
        "labels": labels,
        "box_deltas": rows(gt_boxes, 4),
        "box_weights": rows((labels == 1) if box_weights is None else box_weights),
        "landmark_deltas": rows(0.0, 10),
        "landmark_weights": rows(landmark_weights),
    }
    losses = retinaface_loss(outputs, targets, LossSettings(**settings))
    return {name: float(value) for name, value in losses.items()}


def test_the_published_loss_by_hand() -> None:
    # one face of probability 1/2, one background of probability 1/2, one ignored that is wrong with certainty
    losses = loss_of(
        [[0, 0], [0, 0], [-50, 50]], [1, 0, -1], boxes=0.5, landmarks=3.0, landmark_weights=[1.0, 0, 0]
    )
    assert losses["class"] == pytest.approx(2 * np.log(2), rel=1e-5)
    assert losses["box"] == pytest.approx(4 * 0.125)
    assert losses["landmark"] == pytest.approx(10 * 2.5)
    assert losses["total"] == pytest.approx(losses["class"] + 2 * losses["box"] + losses["landmark"])


def test_the_hardest_seven_for_each_face_count() -> None:
    # two faces; 500 anchors of background, of which 100 are harder, each by a little more than the one before
    logits = np.zeros((502, 2), np.float32)
    logits[:2, 1] = 30
    logits[2:402, 1] = -4
    logits[402:, 1] = np.linspace(0, 2, 100)
    losses = loss_of(logits, [1, 1] + [0] * 500)
    # not fewer than 32, though seven each were 14
    assert losses["class"] == pytest.approx(
        np.log1p(np.exp(np.linspace(0, 2, 100)[-32:])).sum() / 2, rel=1e-4
    )
    logits = np.concatenate([logits[:1].repeat(10, axis=0), logits[2:]])
    losses = loss_of(logits, [1] * 10 + [0] * 500)
    assert losses["class"] == pytest.approx(
        np.log1p(np.exp(np.linspace(0, 2, 100)[-70:])).sum() / 10, rel=1e-4
    )
    three = loss_of(logits, [1] * 10 + [0] * 500, negatives_per_positive=4)
    assert three["class"] == pytest.approx(
        np.log1p(np.exp(np.linspace(0, 2, 100)[-40:])).sum() / 10, rel=1e-4
    )


def test_images_without_faces_teach_and_nothing_is_divided_by_zero() -> None:
    losses = loss_of([[0.0, 2.0]] * 100, [0] * 100)
    assert losses["class"] == pytest.approx(32 * np.log1p(np.exp(2)), rel=1e-4)
    assert loss_of([[0.0, 2.0]] * 100, [-1] * 100)["total"] == 0


def test_the_focal_loss_by_hand() -> None:
    # probabilities of a face: 0.8 where one is, 0.1 and 0.6 on background, and one that is ignored
    logits = [[0, np.log(p / (1 - p))] for p in (0.8, 0.1, 0.6, 0.99)]
    losses = loss_of(logits, [1, 0, 0, -1], classification="focal")
    by_hand = 0.25 * 0.2**2 * -np.log(0.8) + 0.75 * (0.1**2 * -np.log(0.9) + 0.6**2 * -np.log(0.4))
    assert losses["class"] == pytest.approx(by_hand, rel=1e-4)
    # without doubt's power and with equal halves it is half the cross entropy of everything
    plain = loss_of(logits, [1, 0, 0, -1], classification="focal", focal_gamma=0, focal_alpha=0.5)
    assert plain["class"] == pytest.approx(-0.5 * np.log(0.8 * 0.9 * 0.4), rel=1e-4)


def test_small_betas_care_for_the_last_pixel() -> None:
    losses = loss_of([[0, 0]], [1], boxes=0.5, box_beta=0.1)
    assert losses["box"] == pytest.approx(4 * (0.5 - 0.05))
    losses = loss_of([[0, 0]], [1], landmarks=0.05, landmark_weights=1.0, landmark_beta=0.1)
    assert losses["landmark"] == pytest.approx(10 * 0.5 * 0.05**2 / 0.1, rel=1e-4)


def test_boxes_of_another_habit_teach_no_box() -> None:
    boxes = [[0.5] * 4, [3.0] * 4]
    losses = loss_of([[0, 0], [0, 0]], [1, 1], boxes=boxes, box_weights=[1.0, 0.0])
    assert losses["box"] == pytest.approx(4 * 0.125)
    assert losses["class"] == pytest.approx(np.log(2))


ANCHOR = np.array([[50.0, 50.0, 20.0, 20.0]], np.float32)


def overlap_loss(form: str, box: Any, gt_box: Any) -> float:
    deltas = [encode_boxes(np.array([row], np.float32), ANCHOR)[0] for row in (box, gt_box)]
    return loss_of([[0, 0]], [1], boxes=deltas[0], gt_boxes=deltas[1], box=form)["box"]


def test_losses_of_overlap_by_hand() -> None:
    # 10 x 10, one 5 px to the right: 50 of 150 px, hull 150 px, centres 5 apart, diagonal of the hull sqrt(325)
    first, second = [40, 40, 50, 50], [45, 40, 55, 50]
    assert overlap_loss("giou", first, second) == pytest.approx(1 - 1 / 3, abs=1e-4)
    assert overlap_loss("diou", first, second) == pytest.approx(1 - 1 / 3 + 25 / 325, abs=1e-4)
    # apart: nothing in common, 300 px of hull of which 200 are theirs; centres 20 apart
    apart = [60, 40, 70, 50]
    assert overlap_loss("giou", first, apart) == pytest.approx(1 + 100 / 300, abs=1e-4)
    assert overlap_loss("diou", first, apart) == pytest.approx(1 + 400 / 1000, abs=1e-4)


box = st.tuples(st.floats(20, 70), st.floats(20, 70), st.floats(5, 60), st.floats(5, 60)).map(
    lambda row: [row[0], row[1], row[0] + row[2], row[1] + row[3]]
)


@settings(max_examples=10)
@given(first=box, second=box, shift=st.floats(-30, 30), scale=st.floats(0.5, 2))
def test_losses_of_overlap_do_not_depend_on_place_and_size(first, second, shift, scale) -> None:
    moved = [[side * scale + shift for side in row] for row in (first, second)]
    for form in ("giou", "diou"):
        one = overlap_loss(form, first, second)
        assert one == pytest.approx(overlap_loss(form, *moved), abs=2e-3)
        assert overlap_loss(form, first, first) == pytest.approx(0, abs=1e-4)
        assert 0 <= one + 1e-5 < 2


@pytest.mark.parametrize("form", ["giou", "diou"])
def test_losses_of_overlap_fall_all_the_way_home(form) -> None:
    # the first steps are taken apart from the label, where the overlap alone says nothing
    begin, home = np.array([75, 40, 90, 52]), np.array([42, 44, 60, 66])
    losses = [overlap_loss(form, begin + share * (home - begin), home) for share in np.linspace(0, 1, 9)]
    assert losses[0] > 1
    assert losses[-1] == pytest.approx(0, abs=1e-4)
    assert (np.diff(losses) < 0).all()
