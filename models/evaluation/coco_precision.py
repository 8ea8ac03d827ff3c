"""Average precision as COCO counts it (Lin et al. 2014, arXiv:1405.0312; agrees with pycocotools).

Detections, best first, each take the free label that they overlap most, if that is enough. A label outside of the
range of areas is ignored, as is a labelled region of many or unclear things: who meets it is neither right nor
wrong. So is a detection that meets nothing and lies outside of the range itself.

Differs from ``matching``, which measures faces as PASCAL VOC does, in the ignored labels and in the curve: 101
recalls instead of every one.

Shapes: N detections and M labels of one class on one picture; D detections on all pictures; A ranges of areas, T
thresholds, R recalls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: 0.5 to 0.95. Written as pycocotools does: thresholds must meet overlaps of exactly that number alike.
IOU_THRESHOLDS: Final = np.linspace(0.5, 0.95, 10)
RECALLS: Final = np.linspace(0.0, 1.0, 101)
AREA_RANGES_PX: Final = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
MAX_DETECTIONS: Final = 100

_AREA_BOUNDS: Final = np.array(list(AREA_RANGES_PX.values()))


@dataclass(frozen=True, slots=True, eq=False)
class CocoMatches:
    """How the detections of one class meet its labels on one picture.

    - ``order``: int64 (N,), rows of the detections that count, best first, at most ``MAX_DETECTIONS``.
    - ``scores``: float32 (N,), in that order.
    - ``label_of``: int64 (A, T, N), the label that each found, or -1.
    - ``ignored``: bool (A, T, N), detections that are neither right nor wrong.
    - ``label_counts``: int64 (A,), labels that are to be found.
    - ``gt_ignored``: bool (A, M), labels that are not.
    """

    order: NDArray[np.int64]
    scores: NDArray[np.float32]
    label_of: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    label_counts: NDArray[np.int64]
    gt_ignored: NDArray[np.bool_]


def match_coco(
    scores: NDArray[np.float32],
    areas: NDArray[np.float64],
    gt_areas: NDArray[np.float64],
    gt_ignored: NDArray[np.bool_],
    overlaps: NDArray[np.float64],
) -> CocoMatches:
    """Match detections (N,) and labels (M,) whose ``overlaps`` (N, M) are known, at all thresholds and ranges."""
    order = np.argsort(-scores, kind="stable")[:MAX_DETECTIONS]
    outside = (gt_areas[None] < _AREA_BOUNDS[:, :1]) | (gt_areas[None] > _AREA_BOUNDS[:, 1:])
    unwanted = gt_ignored[None] | outside
    label_of = np.full((len(_AREA_BOUNDS), len(IOU_THRESHOLDS), len(order)), -1, np.int64)
    if len(gt_areas):
        _assign(label_of, overlaps[order], unwanted, gt_ignored)
    met = np.take_along_axis(
        np.concatenate([unwanted, np.zeros((len(unwanted), 1), np.bool_)], axis=1)[:, None, :],
        label_of,
        axis=2,
    )
    detection_outside = (areas[order] < _AREA_BOUNDS[:, :1]) | (areas[order] > _AREA_BOUNDS[:, 1:])
    return CocoMatches(
        order=order,
        scores=scores[order],
        label_of=label_of,
        ignored=met | ((label_of < 0) & detection_outside[:, None, :]),
        label_counts=np.count_nonzero(~unwanted, axis=1),
        gt_ignored=unwanted,
    )


def _assign(
    label_of: NDArray[np.int64],
    overlaps: NDArray[np.float64],
    unwanted: NDArray[np.bool_],
    gt_ignored: NDArray[np.bool_],
) -> None:
    """Fill ``label_of`` (A, T, N), one detection after the other, all ranges and thresholds at once."""
    count = overlaps.shape[1]
    # what is exactly as large as the threshold is enough, an overlap of one half a step below is too
    least = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)[None, :, None]
    free = np.ones((*label_of.shape[:2], count), np.bool_)
    for row in range(len(overlaps)):
        if overlaps[row].max() < IOU_THRESHOLDS[0]:
            continue
        enough = free & (overlaps[row] >= least)
        wanted = enough & ~unwanted[:, None, :]
        # a label that is to be found goes before an ignored one, however large the overlap
        eligible = np.where(wanted.any(axis=2, keepdims=True), wanted, enough)
        # of equal overlaps the last one counts, as in pycocotools
        values = np.where(eligible, overlaps[row], -1.0)[..., ::-1]
        best = count - 1 - values.argmax(axis=2)
        found = eligible.any(axis=2)
        label_of[..., row] = np.where(found, best, -1)
        ranges, thresholds = np.nonzero(found & ~gt_ignored[best])
        free[ranges, thresholds, best[ranges, thresholds]] = False


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionCurves:
    """One class over all pictures.

    - ``label_counts``: int64 (A,), labels that were to be found.
    - ``precision``: float64 (A, T, R) at ``RECALLS``, made monotonic; NaN where there are no labels.
    - ``recall``: float64 (A, T), of all detections; NaN where there are no labels.
    - ``scores``: float32 (D,), best first; ``right`` and ``ignored``: bool (D,), at the first threshold (0.5)
      and over the range ``all``.
    """

    label_counts: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    ignored: NDArray[np.bool_]

    @property
    def average_precision(self) -> NDArray[np.float64]:
        """Area under each curve (A, T); NaN where there are no labels."""
        return np.asarray(self.precision.mean(axis=2))


def precision_curves(matches: Sequence[CocoMatches]) -> PrecisionCurves:
    """The curves over the pictures' matches, at least one, in the pictures' order (which breaks ties)."""
    scores = np.concatenate([one.scores for one in matches])
    order = np.argsort(-scores, kind="stable")
    label_of = np.concatenate([one.label_of for one in matches], axis=2)[..., order]
    ignored = np.concatenate([one.ignored for one in matches], axis=2)[..., order]
    counts = np.sum([one.label_counts for one in matches], axis=0)
    right, wrong = (label_of >= 0) & ~ignored, (label_of < 0) & ~ignored
    found, false = np.cumsum(right, axis=2), np.cumsum(wrong, axis=2)
    precision = np.full((*label_of.shape[:2], len(RECALLS)), np.nan)
    recall = np.full(label_of.shape[:2], np.nan)
    for area in np.flatnonzero(counts):
        for threshold in range(label_of.shape[1]):
            recalls = found[area, threshold] / counts[area]
            envelope = _envelope(found[area, threshold], false[area, threshold])
            recall[area, threshold] = recalls[-1] if len(recalls) else 0.0
            reached = np.searchsorted(recalls, RECALLS, side="left")
            precision[area, threshold] = np.append(envelope, 0.0)[reached]
    return PrecisionCurves(counts, precision, recall, scores[order], right[0, 0], ignored[0, 0])


def _envelope(found: NDArray[np.int64], false: NDArray[np.int64]) -> NDArray[np.float64]:
    precision = found / np.maximum(found + false, np.finfo(np.float64).eps)
    return np.asarray(np.maximum.accumulate(precision[::-1])[::-1])


@dataclass(frozen=True, slots=True)
class BestF1:
    """The score threshold at which precision and recall at IoU 0.5 meet best; all 0 when nothing is right."""

    f1: float = 0.0
    score_threshold: float = 0.0
    precision: float = 0.0
    recall: float = 0.0


def best_f1(curves: PrecisionCurves) -> BestF1:
    """The threshold of largest F1; of equals the highest. Detections of equal scores pass together."""
    counted = ~curves.ignored
    right, scores = curves.right[counted], curves.scores[counted]
    if not right.any():
        return BestF1()
    last_of_score = np.append(scores[1:] != scores[:-1], True)
    found = np.cumsum(right)[last_of_score]
    passed = np.arange(1, len(right) + 1)[last_of_score]
    f1 = 2 * found / (passed + curves.label_counts[0])
    best = int(f1.argmax())
    return BestF1(
        f1=float(f1[best]),
        score_threshold=float(scores[last_of_score][best]),
        precision=float(found[best] / passed[best]),
        recall=float(found[best] / curves.label_counts[0]),
    )
