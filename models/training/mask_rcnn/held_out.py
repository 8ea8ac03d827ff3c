"""Average precision on the pictures that a run holds out: how it chooses its best round.

Shapes: N detections and G things of one picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.matching import average_precision, match
from models.letterbox import letterbox_batch
from models.mask_rcnn.detector import NetworkMaskRcnn
from models.networks.boxes import box_coverage, box_iou
from models.pictures import ArrayPicture
from models.structures import Category, Detections
from models.training.mask_rcnn.labels import Example
from models.training.picture_cache import PictureCache


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """``ap50`` by category; categories that no held-out picture shows are left out."""

    ap50: dict[str, float]

    @property
    def score(self) -> float:
        """The mean over the categories."""
        return float(np.mean(list(self.ap50.values()))) if self.ap50 else 0.0


def measure_held_out(
    detector: NetworkMaskRcnn,
    examples: Sequence[Example],
    cache: PictureCache,
    *,
    categories: Sequence[str],
    longest_side_px: int,
) -> HeldOutFigures:
    """Detect on every example and compare; a detection that lies on what is ignored, or on a thing that may
    be of its category among others, counts neither way."""
    found = [_detections(detector, cache, example, longest_side_px) for example in examples]
    ap50 = {}
    for index, name in enumerate(categories):
        scores: list[NDArray[np.float32]] = []
        right: list[NDArray[np.bool_]] = []
        labels = 0
        for example, detections in zip(examples, found, strict=True):
            if example.labelled[index]:
                counted, is_right, count = _compared(example, detections, index, name)
                scores.append(counted)
                right.append(is_right)
                labels += count
        if labels:
            ap50[name] = average_precision(np.concatenate(scores), np.concatenate(right), labels)
    return HeldOutFigures(ap50)


def _detections(
    detector: NetworkMaskRcnn, cache: PictureCache, example: Example, longest_side_px: int
) -> Detections:
    picture = ArrayPicture(cache.read(example.path))
    # one square for all: every other shape would be compiled for a few pictures
    batch = letterbox_batch([picture], (longest_side_px, longest_side_px))
    return detector.detect_batch(batch)[0]


def _compared(
    example: Example, detections: Detections, index: int, name: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    # the cache may hold a smaller picture than the labels speak of
    scale = np.float32(example.image_hw[1] / detections.image_hw[1])
    of_class = detections.class_ids == int(Category[name.upper()])
    boxes, scores = detections.boxes_xyxy[of_class] * scale, detections.scores[of_class]
    admissible = example.admissible[:, index]
    sure = admissible & (example.admissible.sum(1) == 1)
    unsure = np.concatenate([example.ignored_xyxy, example.boxes_xyxy[admissible & ~sure]])
    gt_boxes = example.boxes_xyxy[sure]
    order = np.argsort(-scores, kind="stable")
    matches = match(boxes, scores, gt_boxes, iou_threshold=0.5)
    is_right = matches.label_of >= 0
    counted = is_right | ~_lies_on(boxes[order], unsure)
    return matches.scores[counted], is_right[counted], len(gt_boxes)


def _lies_on(boxes_xyxy: NDArray[np.float32], unsure_xyxy: NDArray[np.float32]) -> NDArray[np.bool_]:
    covered = box_coverage(boxes_xyxy, unsure_xyxy).max(axis=1, initial=0.0) > 0.5
    return np.asarray(covered | (box_iou(boxes_xyxy, unsure_xyxy).max(axis=1, initial=0.0) >= 0.5))
