"""Which anchors stand for which faces."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retinaface_training_builders import canvas_of

from models.networks.boxes import box_iou
from models.networks.graph_boxes import decode_boxes, decode_landmarks
from models.retinaface.anchors import anchors_for
from models.training.retinaface_targets import Matching, targets_for


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(12, 120), st.floats(0.7, 1.4)),
        min_size=1,
        max_size=4,
    )
)
def test_every_face_has_an_anchor_and_anchors_lead_back(
    rows: list[tuple[float, float, float, float]],
) -> None:
    boxes = np.array([[x, y, x + side, y + side * aspect] for x, y, side, aspect in rows], np.float32)
    boxes = np.clip(boxes, 0, 256)
    boxes = boxes[((boxes[:, 2:] - boxes[:, :2]) >= 12).all(axis=1)]
    anchors = anchors_for((256, 256))
    targets = targets_for(canvas_of(boxes, side=256), anchors, Matching())
    positive = targets.labels == 1
    back = np.asarray(
        decode_boxes(keras.ops.array(targets.box_deltas[positive]), keras.ops.array(anchors[positive]))
    )
    distances = np.abs(back[:, None] - boxes[None]).max(axis=2)
    assert (distances.min(axis=1, initial=np.inf) < 0.1).all() or len(boxes) == 0
    nearest = set(distances.argmin(axis=1).tolist()) if len(boxes) else set()
    distinct = {tuple(box) for box in boxes.tolist()}
    if len(distinct) == 1:
        assert nearest
    points = np.asarray(
        decode_landmarks(
            keras.ops.array(targets.landmark_deltas[positive]), keras.ops.array(anchors[positive])
        )
    )
    np.testing.assert_allclose(points[:, 0], (back[:, :2] + back[:, 2:]) / 2, atol=0.1)
    np.testing.assert_array_equal(targets.landmark_weights, positive)


def test_two_faces_far_apart_both_have_anchors_and_ignored_ones_have_none() -> None:
    anchors = anchors_for((128, 128))
    targets = targets_for(
        canvas_of([[8, 8, 24, 26], [80, 80, 120, 124]], [[60, 4, 90, 40]]), anchors, Matching()
    )
    centres = anchors[targets.labels == 1, :2]
    assert (centres < 40).all(axis=1).any()
    assert (centres > 70).all(axis=1).any()
    ignored = anchors[targets.labels == -1]
    assert len(ignored) > 0
    assert ((ignored[:, 0] > 50) & (ignored[:, 1] < 60)).all()
    assert (targets.labels == 0).sum() > len(anchors) / 2
    empty = targets_for(canvas_of([]), anchors, Matching())
    assert (empty.labels == 0).all()
    assert (empty.landmark_weights == 0).all()


def corners_of(anchors: np.ndarray) -> np.ndarray:
    half = anchors[:, 2:] / 2
    return np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1)


def test_published_thresholds_by_hand() -> None:
    # cells of 8 px: the anchor of side 16 at cell (2, 2) is 12..28; a face 4 px to its right overlaps it by
    # 12 * 16 / (2 * 256 - 12 * 16) = 0.6, the neighbour 8 px on the left of that by 4 * 16 / (512 - 64) = 0.14
    face = [16, 12, 32, 28]
    anchors = anchors_for((64, 64))
    overlaps = box_iou(corners_of(anchors), np.array([face], np.float32))[:, 0]
    labels = targets_for(canvas_of([face], side=64), anchors, Matching()).labels
    np.testing.assert_array_equal(labels == 1, overlaps >= 0.35)
    # the paper's: what lies between is asked nothing
    paper = targets_for(
        canvas_of([face], side=64), anchors, Matching(positive_iou=0.5, background_iou=0.3)
    ).labels
    np.testing.assert_array_equal(paper == 1, overlaps >= 0.5)
    np.testing.assert_array_equal(paper == -1, (overlaps >= 0.3) & (overlaps < 0.5))


def test_small_faces_get_as_many_anchors_as_asked_for() -> None:
    # 9 px, between four cells: no anchor of 16 px reaches 0.35
    canvas = canvas_of([[27.5, 27.5, 36.5, 36.5]], side=64)
    anchors = anchors_for((64, 64))
    published = targets_for(canvas, anchors, Matching())
    assert (published.labels == 1).sum() == 1
    compensated = targets_for(canvas, anchors, Matching(least_anchors=4))
    chosen = anchors[compensated.labels == 1]
    assert {tuple(anchor) for anchor in chosen} == {(x, y, 16, 16) for x in (28, 36) for y in (28, 36)}
    back = np.asarray(
        decode_boxes(
            keras.ops.array(compensated.box_deltas[compensated.labels == 1]), keras.ops.array(chosen)
        )
    )
    np.testing.assert_allclose(back, np.repeat([[27.5, 27.5, 36.5, 36.5]], 4, axis=0), atol=1e-3)


def test_compensation_takes_no_anchor_from_another_face() -> None:
    boxes = [[24, 24, 40, 40], [36, 30, 44, 38]]
    anchors = anchors_for((64, 64))
    before = targets_for(canvas_of(boxes[:1], side=64), anchors, Matching())
    after = targets_for(canvas_of(boxes, side=64), anchors, Matching(least_anchors=5))
    is_first = (before.labels == 1) & (box_iou(corners_of(anchors), np.array(boxes, np.float32))[:, 1] < 0.2)
    np.testing.assert_array_equal(after.box_deltas[is_first], before.box_deltas[is_first])


def test_weights_of_faces_reach_their_anchors() -> None:
    canvas = canvas_of([[8, 8, 24, 26], [80, 80, 120, 124]])
    canvas.box_weights[:] = [0, 0.5]
    canvas.landmark_weights[:] = [1, 0.25]
    anchors = anchors_for((128, 128))
    targets = targets_for(canvas, anchors, Matching())
    first = (targets.labels == 1) & (anchors[:, 0] < 60)
    second = (targets.labels == 1) & (anchors[:, 0] > 60)
    assert first.any()
    assert second.any()
    for rows, box, landmark in ((first, 0, 1), (second, 0.5, 0.25), (targets.labels < 1, 0, 0)):
        assert (targets.box_weights[rows] == box).all()
        assert (targets.landmark_weights[rows] == landmark).all()
    with pytest.raises(ValueError, match="background_iou"):
        Matching(background_iou=0.6)
