"""What the host computes between exported graphs is what the graphs of Keras compute."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InferenceError
from models.mask_rcnn.detections import choose_detections
from models.mask_rcnn.host_stages import best_proposals, chosen_detections
from models.mask_rcnn.level_geometry import LevelGeometry, suiting_levels
from models.mask_rcnn.proposals import propose
from models.mask_rcnn.roi_align import level_of
from models.mask_rcnn.settings import DetectionSettings, ProposalSettings
from models.mask_rcnn.suppression import surviving
from models.networks.boxes import boxes_from_deltas, landmarks_from_deltas
from models.networks.graph_boxes import decode_boxes, decode_landmarks
from models.networks.suppression import surviving_rows
from models.retinaface.candidates import CANDIDATES, best_candidates

HW = (96, 128)


def some_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, 100, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(2, 40, (count, 2))], 1).astype(np.float32)


def some_anchors(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.concatenate([rng.uniform(0, 100, (count, 2)), rng.uniform(4, 60, (count, 2))], 1).astype(
        np.float32
    )


def test_deltas_mean_the_same_on_the_host_and_in_a_graph() -> None:
    rng = np.random.default_rng(1)
    anchors = some_anchors(rng, 50)
    deltas, points = rng.normal(0, 4, (50, 4)), rng.normal(0, 4, (50, 10))
    deltas[0, 2:] = 1e5
    deltas, points = deltas.astype(np.float32), points.astype(np.float32)
    np.testing.assert_allclose(
        boxes_from_deltas(deltas, anchors), np.asarray(decode_boxes(deltas, anchors)), rtol=1e-5, atol=1e-3
    )
    np.testing.assert_allclose(
        landmarks_from_deltas(points, anchors),
        np.asarray(decode_landmarks(points, anchors)),
        rtol=1e-5,
        atol=1e-3,
    )


@settings(max_examples=25)
@given(st.integers(0, 200), st.integers(0, 1000), st.floats(0.1, 0.9))
def test_suppression_is_that_of_the_graph(count: int, seed: int, iou_threshold: float) -> None:
    boxes = some_boxes(np.random.default_rng(seed), count)
    kept = surviving_rows(boxes, iou_threshold, 10**6)
    if not count:
        assert len(kept) == 0
        return
    stays = np.asarray(surviving(boxes[None], np.ones((1, count), bool), iou_threshold=iou_threshold))[0]
    np.testing.assert_array_equal(kept, np.flatnonzero(stays))
    np.testing.assert_array_equal(surviving_rows(boxes, iou_threshold, 3), kept[:3])


def test_proposals_are_those_of_the_graph() -> None:
    rng = np.random.default_rng(3)
    anchors = some_anchors(rng, 400)
    logits, deltas = (
        rng.normal(0, 2, (400, 2)).astype(np.float32),
        rng.normal(0, 1, (400, 4)).astype(np.float32),
    )
    chosen = ProposalSettings(candidates=120, count=40, iou_threshold=0.5)
    boxes, valid = propose(logits[None], deltas[None], keras.ops.array(anchors), HW, chosen)
    expected = np.asarray(boxes)[0][np.asarray(valid)[0]]
    found = best_proposals(logits, deltas, anchors, HW, chosen)
    assert 10 < len(found) <= 40
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_detections_are_those_of_the_graph() -> None:
    rng = np.random.default_rng(4)
    proposals = some_boxes(rng, 60)
    logits = rng.normal(0, 2, (60, 4)).astype(np.float32)
    deltas = rng.normal(0, 1, (60, 4, 4)).astype(np.float32)
    chosen = DetectionSettings(score_threshold=0.2, candidates=50, count=20)
    expected = choose_detections(
        logits[None], deltas[None], proposals[None], np.ones((1, 60), bool), input_hw=HW, settings=chosen
    )
    boxes, scores, classes = (np.asarray(part)[0] for part in expected)
    stays = (scores >= 0.2) & ((boxes[:, 2:] - boxes[:, :2]).min(1) > 0)
    found = chosen_detections(logits, deltas, proposals, HW, chosen)
    assert len(found[0]) > 10
    np.testing.assert_allclose(found[0], boxes[stays], atol=1e-3)
    np.testing.assert_allclose(found[1], scores[stays], atol=1e-5)
    np.testing.assert_array_equal(found[2], classes[stays])


def test_levels_suit_boxes_as_in_the_graph() -> None:
    rng = np.random.default_rng(5)
    side = np.exp(rng.uniform(0, 7, (300, 2)))
    boxes = np.concatenate([np.zeros((300, 2)), side], 1).astype(np.float32)
    geometry = LevelGeometry((4, 8, 16, 32), canonical_px=112.0)
    levels = suiting_levels(boxes, geometry)
    assert set(levels.tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(levels, np.asarray(level_of(boxes, geometry)))


def test_only_the_best_candidates_from_the_threshold_on_are_decoded() -> None:
    rng = np.random.default_rng(6)
    logits = rng.normal(0, 3, (5000, 2)).astype(np.float32)
    parts = logits, np.zeros((5000, 4), np.float32), np.zeros((5000, 10), np.float32), some_anchors(rng, 5000)
    probs = np.asarray(keras.ops.softmax(logits, axis=-1))[:, 1]
    everything = best_candidates(*parts, score_threshold=0.0)
    assert len(everything.scores) == CANDIDATES
    np.testing.assert_allclose(everything.scores, np.sort(probs)[::-1][:CANDIDATES], atol=1e-6)
    few = best_candidates(*parts, score_threshold=0.99)
    assert (few.scores >= 0.989).all()
    assert (few.scores >= 0.99).sum() == (probs >= 0.99).sum()
    assert len(best_candidates(*parts, score_threshold=1.0).scores) == 0
    logits[7] = np.nan
    with pytest.raises(InferenceError):
        best_candidates(*parts, score_threshold=0.5)
