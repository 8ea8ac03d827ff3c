"""From nothing, Mask R-CNN learns eight pictures by heart: its targets, losses and steps fit together."""

from dataclasses import replace

import keras
import numpy as np
from mask_rcnn_builders import TINY, drawn_canvas
from mask_rcnn_training_builders import SIDE, learner_for

from models.evaluation.matching import average_precision, match
from models.mask_rcnn.detector import NetworkMaskRcnn
from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.pasting import paste_seg_mask
from models.mask_rcnn.settings import ProposalSettings
from models.structures import Category, ImageBatch
from models.training.mask_rcnn.batch import stacked
from models.training.mask_rcnn.initialisation import set_initial_weights
from models.weights.keras_variables import assign_tensors


def test_it_learns_eight_pictures_by_heart():
    canvases = [drawn_canvas(index, SIDE) for index in range(8)]
    pixels = np.stack([canvas.pixels for canvas in canvases])
    keras.utils.set_random_seed(0)
    network = MaskRcnn(replace(TINY, box_units=64))
    assert set_initial_weights(network, None, lambda: pixels) == "starts from nothing"
    learner = learner_for(network, steps=120, learning_rate=1.5e-3, weight_decay=0.0)
    for step in range(120):
        learner.learn(stacked(canvases, network.anchors((SIDE, SIDE)), np.random.default_rng(step)))
    assign_tensors(network, learner.average, origin="average")
    # proposals as many as it has learnt from
    detector = NetworkMaskRcnn(network, score_threshold=0.05, proposals=ProposalSettings(100, 40))
    found = detector.detect_batch(
        ImageBatch(
            pixels=pixels,
            scales=np.ones(8, np.float32),
            pads_xy=np.zeros((8, 2), np.float32),
            image_hw=np.full((8, 2), SIDE, np.int32),
        )
    )
    for index, category in enumerate((Category.HARD_HAT, Category.BARE_HEAD)):
        scores, right, labels = [], [], 0
        for canvas, detections in zip(canvases, found, strict=True):
            of_class = detections.class_ids == int(category)
            gt_boxes = canvas.boxes_xyxy[canvas.admissible[:, index]]
            matches = match(
                detections.boxes_xyxy[of_class], detections.scores[of_class], gt_boxes, iou_threshold=0.5
            )
            scores.append(matches.scores)
            right.append(matches.label_of >= 0)
            labels += len(gt_boxes)
        assert labels > 5
        assert average_precision(np.concatenate(scores), np.concatenate(right), labels) > 0.9
    # a hat's pixels are the upper half of its box
    overlaps = []
    for detections in found:
        for row in np.flatnonzero(
            (detections.class_ids == int(Category.HARD_HAT)) & (detections.scores > 0.5)
        ):
            box = detections.boxes_xyxy[row]
            pixels = paste_seg_mask(detections.seg_masks[row], box, (SIDE, SIDE))
            middle = round(float(box[1] + box[3]) / 2)
            overlaps.append(pixels[:middle].sum() / max(1, pixels.sum()))
    assert len(overlaps) > 5
    assert np.mean(overlaps) > 0.9
