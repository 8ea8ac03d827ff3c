"""What Mask R-CNN learns from: what anchors and boxes are asked, and what wrong answers cost."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from mask_rcnn_builders import drawn_canvas
from mask_rcnn_training_builders import FEW, SIDE, anchors, made_up_batch, numbers

from models.mask_rcnn.boxes import apply_deltas, to_centre
from models.networks.boxes import box_coverage, box_iou
from models.training.mask_rcnn.anchor_targets import anchor_targets
from models.training.mask_rcnn.batch import MOST_THINGS, stacked
from models.training.mask_rcnn.losses import (
    anchor_box_loss,
    box_loss,
    class_loss,
    objectness_loss,
    seg_mask_loss,
)
from models.training.mask_rcnn.roi_targets import roi_targets, seg_mask_rows, seg_mask_targets

# what anchors are asked


def test_anchors_on_things_lead_to_them_and_the_others_lie_off_them():
    canvas = drawn_canvas(1, SIDE)
    all_anchors = anchors()
    targets = anchor_targets(canvas, all_anchors, np.random.default_rng(0), count=64)
    chosen = all_anchors[targets.rows]
    corners = np.concatenate([chosen[:, :2] - chosen[:, 2:] / 2, chosen[:, :2] + chosen[:, 2:] / 2], 1)
    best = box_iou(corners, canvas.boxes_xyxy).max(1)
    on = targets.is_object == 1
    assert on.sum() >= len(canvas.boxes_xyxy)
    assert (best[on] > 0.3).all()
    assert (best[~on] < 0.3).all()
    reached = numbers(apply_deltas(targets.deltas[on], chosen[on]))
    assert box_iou(reached, canvas.boxes_xyxy).max(1).min() > 0.99


def test_each_thing_has_an_anchor_however_unlike():
    thin = replace(
        drawn_canvas(1, SIDE),
        boxes_xyxy=np.array([[10, 10, 100, 16]], np.float32),
        admissible=np.array([[True, False]]),
        seg_masks=np.zeros((1, 56, 56), np.uint8),
        has_seg_mask=np.array([False]),
    )
    targets = anchor_targets(thin, anchors(), np.random.default_rng(0))
    assert targets.is_object.sum() >= 1


def test_an_ignored_region_hides_what_is_of_its_size_and_no_more():
    region = np.array([[40, 40, 90, 90]], np.float32)
    canvas = replace(drawn_canvas(1, SIDE), ignored_xyxy=region)
    targets = anchor_targets(canvas, anchors(), np.random.default_rng(0), count=20000)
    asked = anchors()[targets.rows[(targets.is_object == 0) & (targets.weights > 0)]]
    corners = np.concatenate([asked[:, :2] - asked[:, 2:] / 2, asked[:, :2] + asked[:, 2:] / 2], 1)
    inside = box_coverage(corners, region)[:, 0] > 0.5
    share = box_coverage(region, corners)[0]
    assert not (inside & (share > 0.1)).any()
    assert (inside & (share < 0.1)).any(), "a speck on an ignored person is background all the same"


def test_a_canvas_that_labels_half_speaks_softly_of_background():
    canvas = replace(drawn_canvas(1, SIDE), labelled=np.array([True, False]))
    targets = anchor_targets(canvas, anchors(), np.random.default_rng(0))
    background = (targets.is_object == 0) & (targets.weights > 0)
    assert set(targets.weights[background]) == {0.5}
    assert set(targets.weights[targets.is_object == 1]) == {1.0}


def test_a_crowd_is_thinned_and_the_rest_ignored():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100, (100, 2))
    crowd = replace(
        drawn_canvas(1, SIDE),
        boxes_xyxy=np.concatenate([xy, xy + 10], 1).astype(np.float32),
        admissible=np.ones((100, 2), bool),
        seg_masks=np.zeros((100, 56, 56), np.uint8),
        has_seg_mask=np.zeros(100, bool),
    )
    batch = stacked([crowd], anchors(), rng)
    assert batch["gt_present"].sum() == MOST_THINGS
    assert (batch["ignored"][0, :, 2] > 0).sum() == 100 - MOST_THINGS
    assert batch["gt_admissible"][0, :, 0].sum() == 0, "no thing is background"


# what boxes are judged


def test_boxes_are_drawn_on_things_first_and_told_what_they_are():
    batch = made_up_batch()
    gt = batch["gt_boxes"]
    near = gt[:, :4] + np.array([1, 1, 2, 1], np.float32)
    far = np.tile(np.array([[[0, 0, 6, 6], [120, 0, 127, 6]]], np.float32), (2, 1, 1))
    proposals = np.concatenate([near, far], axis=1)
    valid = np.concatenate([batch["gt_present"][:, :4] > 0, np.ones((2, 2), bool)], axis=1)
    targets = roi_targets(proposals, valid, batch, keras.random.SeedGenerator(0), FEW)
    is_object, weights = numbers(targets.is_object), numbers(targets.weights)
    present = batch["gt_present"].sum(1)
    np.testing.assert_array_equal(is_object.sum(1), 2 * present, err_msg="the near ones and the things")
    np.testing.assert_array_equal((weights * (1 - is_object)).sum(1), [2, 2], err_msg="the far ones")
    boxes, admissible, thing = (
        numbers(value) for value in (targets.boxes, targets.admissible, targets.thing)
    )
    reached = numbers(apply_deltas(targets.deltas, to_centre(targets.boxes)))
    for image in range(2):
        for row in np.flatnonzero(is_object[image]):
            np.testing.assert_array_equal(
                admissible[image, row], batch["gt_admissible"][image, thing[image, row]]
            )
            np.testing.assert_allclose(reached[image, row], gt[image, thing[image, row]], atol=1e-2)
        for row in np.flatnonzero(weights[image] * (1 - is_object[image])):
            np.testing.assert_array_equal(admissible[image, row], [1, 0, 0])
            assert boxes[image, row, 2] - boxes[image, row, 0] < 8


def test_boxes_in_ignored_regions_are_not_background():
    batch = made_up_batch(1)
    batch["ignored"][0, 0] = (0, 0, 10, 10)
    batch["ignored"][0, 1] = (50, 50, 120, 120)
    # as large as its region; a speck on its region; off both
    proposals = np.array([[[0, 0, 8, 8], [60, 60, 63, 63], [0, 60, 3, 63]]], np.float32)
    targets = roi_targets(proposals, np.ones((1, 3), bool), batch, keras.random.SeedGenerator(0), FEW)
    background = numbers(targets.weights)[0] * (1 - numbers(targets.is_object)[0]) > 0
    drawn = {tuple(box) for box in numbers(targets.boxes)[0][background].astype(int).tolist()}
    assert drawn == {(60, 60, 63, 63), (0, 60, 3, 63)}


def test_pixels_are_cut_out_as_the_box_sees_them():
    label = np.zeros((1, 56, 56), np.uint8)
    label[0, :28] = 1  # the upper half of the thing
    thing = np.array([[20, 20, 60, 60]], np.float32)
    same = numbers(seg_mask_targets(thing, thing, label, 28))[0]
    np.testing.assert_array_equal(same, np.repeat(np.arange(28) < 14, 28).reshape(28, 28))
    # a box twice as high that begins one height above the thing: nothing, the hat, the face
    above = np.array([[20, -20, 60, 60]], np.float32)
    seen = numbers(seg_mask_targets(above, thing, label, 28))[0]
    rows = np.arange(28)
    np.testing.assert_array_equal(seen[:, 14] > 0, (rows >= 14) & (rows < 21))


def test_only_things_with_pixels_teach_pixels():
    batch = made_up_batch()
    batch["gt_has_seg_mask"][:] = 0
    targets = roi_targets(
        batch["gt_boxes"][:, :8], batch["gt_present"][:, :8] > 0, batch, keras.random.SeedGenerator(0), FEW
    )
    _, weights = seg_mask_rows(targets, batch, FEW)
    assert numbers(weights).sum() == 0


# losses


def test_a_set_of_one_class_costs_its_cross_entropy():
    logits = np.array([[[1.0, 2.0, -1.0]]], np.float32)
    probs = np.exp(logits[0, 0]) / np.exp(logits[0, 0]).sum()
    for index in range(3):
        admissible = np.eye(3, dtype=np.float32)[index][None, None]
        loss = float(class_loss(logits, admissible, np.ones((1, 1), np.float32)))
        assert loss == pytest.approx(-np.log(probs[index]), rel=1e-5)


def test_a_set_of_several_costs_what_their_sum_does_and_all_cost_nothing():
    logits = np.array([[[1.0, 2.0, -1.0]]], np.float32)
    probs = np.exp(logits[0, 0]) / np.exp(logits[0, 0]).sum()
    ones = np.ones((1, 1), np.float32)
    two = float(class_loss(logits, np.array([[[0, 1, 1]]], np.float32), ones))
    assert two == pytest.approx(-np.log(probs[1] + probs[2]), rel=1e-5)
    assert float(class_loss(logits, np.ones((1, 1, 3), np.float32), ones)) == pytest.approx(0, abs=1e-6)


def test_rows_without_weight_cost_nothing_and_none_at_all_is_no_division_by_zero():
    logits = np.array([[[9.0, 0.0], [0.0, 9.0]]], np.float32)
    admissible = np.array([[[0, 1], [0, 1]]], np.float32)
    assert float(class_loss(logits, admissible, np.array([[0, 1]], np.float32))) < 1e-3
    assert float(class_loss(logits, admissible, np.zeros((1, 2), np.float32))) == 0


def test_only_the_boxes_of_admissible_classes_are_taught():
    deltas = np.zeros((1, 1, 3, 4), np.float32)
    deltas[0, 0, 1] = 100
    wanted = np.zeros((1, 1, 4), np.float32)
    ones = np.ones((1, 1), np.float32)
    assert float(box_loss(deltas, wanted, np.array([[[0, 0, 1]]], np.float32), ones)) == 0
    assert float(box_loss(deltas, wanted, np.array([[[0, 1, 1]]], np.float32), ones)) == pytest.approx(199)


def test_pixels_cost_their_cross_entropy_on_the_thing_s_class_alone():
    logits = np.zeros((1, 28, 28, 3), np.float32)
    logits[..., 2] = -5
    wanted = np.ones((1, 28, 28), np.float32)
    ones = np.ones(1, np.float32)
    of_second = float(seg_mask_loss(logits, wanted, np.array([[0, 1, 0]], np.float32), ones))
    assert of_second == pytest.approx(np.log(2), rel=1e-5)
    of_third = float(seg_mask_loss(logits, wanted, np.array([[0, 0, 1]], np.float32), ones))
    assert of_third == pytest.approx(np.log1p(np.exp(5)), rel=1e-4)


def test_anchors_that_are_not_asked_cost_nothing():
    batch = made_up_batch(1)
    logits = np.zeros((1, len(anchors()), 2), np.float32)
    assert float(objectness_loss(logits, batch)) == pytest.approx(np.log(2), rel=1e-5)
    right = logits.copy()
    asked = batch["rpn_rows"][0][batch["rpn_weights"][0] > 0]
    kinds = batch["rpn_is_object"][0][batch["rpn_weights"][0] > 0].astype(int)
    right[0, asked, kinds] = 20
    assert float(objectness_loss(right, batch)) < 1e-6
    deltas = np.zeros((1, len(anchors()), 4), np.float32)
    deltas[0, batch["rpn_rows"][0]] = batch["rpn_deltas"][0]
    assert float(anchor_box_loss(deltas, batch)) == 0
