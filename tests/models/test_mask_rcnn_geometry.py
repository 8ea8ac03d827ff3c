"""Anchors, boxes, suppression and RoIAlign, against plain loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.mask_rcnn.anchors import anchors_for
from models.mask_rcnn.boxes import (
    apply_deltas,
    clip_boxes,
    deltas_between,
    pairwise_coverage,
    pairwise_iou,
    to_centre,
)
from models.mask_rcnn.proposals import ProposalSettings, best_kept, propose
from models.mask_rcnn.roi_align import LevelGeometry, level_of, roi_align
from models.mask_rcnn.suppression import surviving
from models.networks.boxes import box_coverage, box_iou
from models.networks.suppression import suppress

STRIDES = (4, 8, 16, 32, 64)


def numbers(value):
    return np.array(keras.ops.convert_to_numpy(value))


def some_boxes(rng, count, limit=100.0):
    xy = rng.uniform(0, limit * 0.8, (count, 2))
    return np.concatenate([xy, xy + rng.uniform(2, limit / 2, (count, 2))], 1).astype(np.float32)


def test_anchors_lie_in_the_order_of_the_answers():
    anchors = anchors_for(
        (64, 96), strides=STRIDES, scales_px=(8, 16, 32, 64, 128), ratios=(2.0, 1.0, 0.5), cell_offset=0.5
    )
    places = [(64 // s) * (96 // s) if s < 64 else 2 for s in STRIDES]
    assert anchors.shape == (3 * sum(places), 4)
    np.testing.assert_allclose(anchors[0], (2, 2, 8 / 2**0.5, 8 * 2**0.5), rtol=1e-6)
    np.testing.assert_allclose(anchors[1], (2, 2, 8, 8))
    np.testing.assert_allclose(anchors[3][:2], (6, 2), err_msg="along the row first")
    np.testing.assert_allclose(anchors[3 * 24][:2], (2, 6), err_msg="then down")
    np.testing.assert_allclose(anchors[3 * places[0] + 1], (4, 4, 16, 16), err_msg="the next level")
    np.testing.assert_allclose(
        anchors[:, 2] * anchors[:, 3],
        np.repeat((8, 16, 32, 64, 128), [3 * n for n in places]) ** 2.0,
        rtol=1e-5,
    )
    assert not anchors.flags.writeable


def test_matterports_anchors_start_at_the_corner():
    anchors = anchors_for(
        (64, 64), strides=STRIDES, scales_px=(32, 64, 128, 256, 512), ratios=(2.0, 1.0, 0.5), cell_offset=0.0
    )
    np.testing.assert_allclose(anchors[1], (0, 0, 32, 32))
    np.testing.assert_allclose(anchors[4], (4, 0, 32, 32))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_deltas_lead_from_any_box_to_any_other(seed):
    rng = np.random.default_rng(seed)
    wanted, references = some_boxes(rng, 8), to_centre(some_boxes(rng, 8))
    reached = apply_deltas(deltas_between(wanted, references), references)
    np.testing.assert_allclose(numbers(reached), wanted, atol=1e-3)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_overlaps_are_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    first, second = some_boxes(rng, 7), some_boxes(rng, 5)
    second[0] = second[0, 0]  # an empty one
    np.testing.assert_allclose(
        numbers(pairwise_iou(first[None], second[None]))[0], box_iou(first, second), atol=1e-5
    )
    np.testing.assert_allclose(
        numbers(pairwise_coverage(first[None], second[None]))[0], box_coverage(first, second), atol=1e-5
    )


def test_boxes_are_clipped_to_the_input():
    boxes = numbers(clip_boxes(np.array([[-5.0, -3, 70, 40]], np.float32), (32, 64)))
    np.testing.assert_array_equal(boxes, [[0, 0, 64, 32]])


@given(st.integers(0, 2**32 - 1), st.sampled_from((0.3, 0.5, 0.7)))
@settings(max_examples=40)
def test_suppression_is_the_greedy_loops(seed, iou_threshold):
    rng = np.random.default_rng(seed)
    boxes = np.stack([some_boxes(rng, 40, 60.0) for _ in range(2)])
    valid = rng.random((2, 40)) < 0.8
    kept = numbers(surviving(boxes, valid, iou_threshold=iou_threshold))
    for image in range(2):
        rows = np.flatnonzero(valid[image])
        scores = -np.arange(len(rows), dtype=np.float32)
        greedy = suppress(boxes[image][rows], scores, iou_threshold=iou_threshold, max_kept=40)
        np.testing.assert_array_equal(np.flatnonzero(kept[image]), np.sort(rows[greedy]))


def test_a_chain_of_overlaps_is_settled_to_its_end():
    # each box overlaps the next one only: every second one stays, which takes as many rounds as boxes
    boxes = np.array([[[i * 5.0, 0, i * 5.0 + 10, 10] for i in range(20)]], np.float32)
    kept = numbers(surviving(boxes, np.ones((1, 20), bool), iou_threshold=0.3))
    np.testing.assert_array_equal(kept[0], np.arange(20) % 2 == 0)


def test_fewer_boxes_than_asked_for_leave_empty_rows():
    boxes = np.array([[[0, 0, 4, 4], [8, 8, 12, 12], [1, 1, 9, 9]]], np.float32)
    picked, valid, rows = best_kept(
        boxes, np.array([[0.1, 0.9, 0.5]], np.float32), np.array([[True, True, False]]), 5
    )
    np.testing.assert_array_equal(numbers(valid), [[True, True, False, False, False]])
    np.testing.assert_array_equal(numbers(picked)[0, :3], [[8, 8, 12, 12], [0, 0, 4, 4], [0, 0, 0, 0]])
    np.testing.assert_array_equal(numbers(rows)[0, :2], [1, 0])


def test_proposals_are_the_best_anchors_moved_and_thinned():
    anchors = np.array([[10, 10, 8, 8], [11, 10, 8, 8], [40, 40, 16, 16], [20, 50, 8, 8]], np.float32)
    logits = np.zeros((1, 4, 2), np.float32)
    logits[0, :, 1] = (1.0, 2.0, 3.0, -1.0)
    deltas = np.zeros((1, 4, 4), np.float32)
    deltas[0, 2, 0] = 5.0  # half a width to the right
    boxes, valid = propose(logits, deltas, anchors, (64, 64), ProposalSettings(4, 3, 0.5))
    np.testing.assert_allclose(numbers(boxes)[0], [[40, 32, 56, 48], [7, 6, 15, 14], [16, 46, 24, 54]])
    assert numbers(valid).all(), "the first anchor's box is one with the second's"


def brute_force(levels, box, image, geometry, side, points):
    """RoIAlign of one box by the definition, point after point."""
    size = np.sqrt(max(1e-12, (box[2] - box[0]) * (box[3] - box[1])))
    level = int(np.clip(np.round(np.log2(size / geometry.canonical_px)) + 2, 0, len(levels) - 1))
    plane, stride = levels[level][image].astype(np.float64), geometry.strides[level]
    result = np.zeros((side, side, plane.shape[2]))
    for row in range(side):
        for column in range(side):
            for i in range(points):
                for j in range(points):
                    y = box[1] + (box[3] - box[1]) * (row + (i + 0.5) / points) / side
                    x = box[0] + (box[2] - box[0]) * (column + (j + 0.5) / points) / side
                    y = np.clip(y / stride - geometry.cell_offset, 0, plane.shape[0] - 1)
                    x = np.clip(x / stride - geometry.cell_offset, 0, plane.shape[1] - 1)
                    y0, x0 = int(y), int(x)
                    y1, x1 = min(y0 + 1, plane.shape[0] - 1), min(x0 + 1, plane.shape[1] - 1)
                    upper = plane[y0, x0] * (1 - x + x0) + plane[y0, x1] * (x - x0)
                    lower = plane[y1, x0] * (1 - x + x0) + plane[y1, x1] * (x - x0)
                    result[row, column] += upper * (1 - y + y0) + lower * (y - y0)
    return result / points**2


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from((0.0, 0.5)),
    st.sampled_from((1, 2, 3)),
    st.sampled_from((2, 7)),
)
@settings(max_examples=25)
def test_roi_align_is_what_its_definition_says(seed, cell_offset, points, side):
    rng = np.random.default_rng(seed)
    levels = [rng.normal(size=(2, 96 // s, 128 // s, 3)).astype(np.float32) for s in STRIDES[:4]]
    geometry = LevelGeometry(STRIDES[:4], canonical_px=30.0, cell_offset=cell_offset)
    # some reach beyond the input
    boxes = (some_boxes(rng, 6, 120.0) - 10).astype(np.float32)
    images = rng.integers(0, 2, 6).astype(np.int32)
    features = roi_align(levels, boxes, images, geometry=geometry, side=side, sampling_points=points)
    for row, box in enumerate(boxes):
        wanted = brute_force(levels, box, images[row], geometry, side, points)
        np.testing.assert_allclose(numbers(features)[row], wanted, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.sampled_from((7, 14)))
@settings(max_examples=10)
def test_corner_aligned_it_is_the_resampling_of_matterport(seed, side):
    rng = np.random.default_rng(seed)
    level = rng.normal(size=(2, 12, 16, 3)).astype(np.float32)
    boxes = some_boxes(rng, 5, 72.0)
    images = rng.integers(0, 2, 5).astype(np.int32)
    # his boxes: y first, over what lies between the outermost pixels, of the input of 96 x 128
    last = np.array([95, 127, 95, 127], np.float32)
    normed = (boxes[:, [1, 0, 3, 2]] - np.array([0, 0, 1, 1], np.float32)) / last
    wanted = tf.image.crop_and_resize(level, normed, images, (side, side))
    features = roi_align(
        [level],
        boxes,
        images,
        geometry=LevelGeometry((8,), corner_aligned=True),
        side=side,
        sampling_points=1,
    )
    np.testing.assert_allclose(numbers(features), wanted.numpy(), atol=1e-4)


def test_roi_align_of_a_slope_is_the_slope_at_the_bins_centres():
    y, x = np.mgrid[:32, :32] + 0.5
    level = (3.0 * x * 4 + 7.0 * y * 4).astype(np.float32)[None, ..., None]
    box = np.array([[10.3, 20.7, 73.1, 90.9]], np.float32)
    features = roi_align(
        [level], box, np.zeros(1, np.int32), geometry=LevelGeometry((4,)), side=7, sampling_points=2
    )
    centre = (np.arange(7) + 0.5) / 7
    wanted = 3.0 * (10.3 + 62.8 * centre)[None, :] + 7.0 * (20.7 + 70.2 * centre)[:, None]
    np.testing.assert_allclose(numbers(features)[0, ..., 0], wanted, rtol=1e-4)


@pytest.mark.parametrize(("side", "level"), [(3, 0), (56, 0), (112, 1), (224, 2), (448, 3), (4000, 3)])
def test_each_box_is_looked_at_on_the_level_of_its_size(side, level):
    box = np.array([[0, 0, side, side]], np.float32)
    assert int(numbers(level_of(box, LevelGeometry(STRIDES[:4], canonical_px=224.0)))[0]) == level
