"""Average precision of the pipeline as a detector of three states.

Every found face is a detection of each state, with its score times the probability that it can be told times that
state's: so do two-stage detectors, which give every region one score a class and one for none of them. Taking faces as
detections of their likeliest state alone hides what the second one would have found, and depends on a threshold where
average precision must not.

Shapes: P pictures; D detections of one state; T thresholds of IoU.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.coco_precision import (
    IOU_THRESHOLDS,
    RECALLS,
    CocoMatches,
    PrecisionCurves,
    match_coco,
    precision_curves,
)
from models.evaluation.face_labels import FaceLabels
from models.evaluation.instances import clipped
from models.evaluation.overlaps import box_areas
from models.evaluation.pipeline_faces import SeenPicture
from models.structures import FACE_MASK_CLASSES

_ALL: Final = 0


@dataclass(frozen=True, slots=True, eq=False)
class StatePrecision:
    """Average precision of one state.

    - ``labels``: faces to be found. ``by_threshold``: float64 (T,), NaN without labels. ``curves``: of all
      thresholds. ``samples``: for the bootstrap.
    """

    labels: int
    by_threshold: NDArray[np.float64]
    curves: PrecisionCurves
    samples: "WeightedPrecision"

    @property
    def ap50(self) -> float | None:
        """At IoU 0.5."""
        return finite(self.by_threshold[0])

    @property
    def ap(self) -> float | None:
        """Mean over IoU 0.5 to 0.95."""
        return finite(self.by_threshold.mean())


class WeightedPrecision:
    """Average precision when pictures count differently often: a sample of the bootstrap.

    ``matches``: of each picture (P), at least one.
    """

    def __init__(self, matches: Sequence[CocoMatches]) -> None:
        scores = np.concatenate([one.scores for one in matches])
        order = np.argsort(-scores, kind="stable")
        label_of = np.concatenate([one.label_of[_ALL] for one in matches], axis=1)[:, order]
        ignored = np.concatenate([one.ignored[_ALL] for one in matches], axis=1)[:, order]
        self._picture_of = np.repeat(np.arange(len(matches)), [len(one.scores) for one in matches])[order]
        self._right = (label_of >= 0) & ~ignored
        self._wrong = (label_of < 0) & ~ignored
        self._labels = np.array([one.label_counts[_ALL] for one in matches], np.float64)

    def by_threshold(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average precision (T,) when each picture counts ``weights`` (P,) times; NaN without labels."""
        total = float(weights @ self._labels)
        if not total:
            return np.full(len(IOU_THRESHOLDS), np.nan)
        counts = weights[self._picture_of]
        found, false = np.cumsum(self._right * counts, axis=1), np.cumsum(self._wrong * counts, axis=1)
        precision = found / np.maximum(found + false, np.finfo(np.float64).eps)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        means = np.empty(len(found))
        for row in range(len(found)):
            reached = np.searchsorted(found[row] / total, RECALLS, side="left")
            means[row] = np.append(envelope[row], 0.0)[reached].mean()
        return means


def state_precision(pictures: Sequence[SeenPicture], state: int) -> StatePrecision:
    """Average precision of one state (index into ``FACE_MASK_CLASSES``) over ``pictures``, at least one."""
    matches = [_match_state(seen, state) for seen in pictures]
    return precision_of(matches)


def face_precision(pictures: Sequence[SeenPicture]) -> StatePrecision:
    """The same of faces, whatever their states."""
    return precision_of([_match(seen, seen.detections.scores, seen.labels) for seen in pictures])


def mean_precision(states: Sequence[StatePrecision]) -> tuple[float | None, float | None]:
    """Means of AP50 and AP over the states that are labelled at all."""
    labelled = [one for one in states if one.labels]
    if not labelled:
        return None, None
    means = np.mean([one.by_threshold for one in labelled], axis=0)
    return float(means[0]), float(means.mean())


def precision_sample(
    states: Sequence[StatePrecision], weights: NDArray[np.float64]
) -> dict[str, float | None]:
    """AP50 and AP by state's name, and their means as ``mAP50`` and ``mAP``, in one sample of the bootstrap."""
    values: dict[str, float | None] = {}
    means: list[NDArray[np.float64]] = []
    for category, one in zip(FACE_MASK_CLASSES, states, strict=True):
        by_threshold = one.samples.by_threshold(weights)
        values[f"AP50 {category.label}"] = finite(by_threshold[0])
        values[f"AP {category.label}"] = finite(by_threshold.mean())
        if np.isfinite(by_threshold[0]):
            means.append(by_threshold)
    values["mAP50"] = float(np.mean(means, axis=0)[0]) if means else None
    values["mAP"] = float(np.mean(means)) if means else None
    return values


def finite(value: float) -> float | None:
    """``value``, or None where it is NaN."""
    return None if np.isnan(value) else float(value)


def match_for_precision(
    boxes_xyxy: NDArray[np.float64], scores: NDArray[np.float32], labels: FaceLabels
) -> CocoMatches:
    """How boxes (N, 4), inside of the picture, of any scores meet the labels at all thresholds."""
    matches = match_coco(
        scores,
        box_areas(boxes_xyxy),
        box_areas(labels.boxes_xyxy),
        labels.ignored,
        labels.overlaps(boxes_xyxy),
    )
    # as for COCO's ranges of areas: what is too small to count and meets nothing is not wrong
    small = labels.too_small(boxes_xyxy)[matches.order]
    return replace(matches, ignored=matches.ignored | ((matches.label_of < 0) & small))


def precision_of(matches: Sequence[CocoMatches]) -> StatePrecision:
    """Average precision over the matches of each picture, at least one."""
    curves = precision_curves(matches)
    return StatePrecision(
        labels=int(curves.label_counts[_ALL]),
        by_threshold=curves.average_precision[_ALL],
        curves=curves,
        samples=WeightedPrecision(matches),
    )


def _match_state(seen: SeenPicture, state: int) -> CocoMatches:
    probs = seen.detections.face_mask_probs
    scores = seen.detections.scores * (1.0 if probs is None else probs[:, state])
    if seen.detections.sharpness is not None:
        scores = scores * seen.detections.sharpness
    # a label of unknown state excuses whatever lies on it; one of another state does not
    rows = (
        (seen.labels.states == state) | seen.labels.ignored & (seen.labels.states < 0) | seen.labels.regions
    )
    labels = replace(
        seen.labels,
        boxes_xyxy=seen.labels.boxes_xyxy[rows],
        states=seen.labels.states[rows],
        ignored=seen.labels.ignored[rows],
        regions=seen.labels.regions[rows],
    )
    return _match(seen, scores.astype(np.float32), labels)


def _match(seen: SeenPicture, scores: NDArray[np.float32], labels: FaceLabels) -> CocoMatches:
    return match_for_precision(clipped(seen.detections.boxes_xyxy, seen.picture.image_hw), scores, labels)
