"""Figures of a detector on a set of pictures, word by word.

Shapes: see ``coco_precision``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from models.data.annotated import AnnotatedPicture
from models.evaluation.coco_precision import (
    AREA_RANGES_PX,
    IOU_THRESHOLDS,
    BestF1,
    PrecisionCurves,
    best_f1,
    precision_curves,
)
from models.evaluation.confusion import ConfusionMatrix, confusion_matrix
from models.evaluation.instances import Kind, WordMatches
from models.evaluation.picture_counts import PictureCounts, picture_counts
from models.structures import Detections

_AREAS: Final = {name: index for index, name in enumerate(AREA_RANGES_PX)}
_IOU_75: Final = int(np.abs(IOU_THRESHOLDS - 0.75).argmin())


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPicture:
    """One picture, what a detector saw on it, and how the two meet.

    - ``data_file``: name of the file that the labels come from.
    - ``confusions``: counts by word and category.
    """

    data_file: str
    picture: AnnotatedPicture
    detections: Detections
    words: tuple[WordMatches, ...]
    confusions: Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PrecisionFigures:
    """Average precision at IoU 0.5, 0.75 and the mean over 0.5 to 0.95, the latter also by area, and ``recall50``, the
    share that any detection finds at IoU 0.5, however low its score; None where no thing of that size is labelled."""

    labels: int
    ap50: float | None
    ap75: float | None
    ap: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    recall50: float | None


@dataclass(frozen=True, slots=True)
class WordFigures:
    """How well one word is answered.

    - ``answered_by``: the categories whose detections count.
    - ``pictures``: on which the word is labelled. ``labels``: things to be found.
    - ``boxes``, ``pixels``: the latter None where no polygons are labelled or no pixels detected.
    - ``recall``, ``precision``: of boxes at IoU 0.5 and the score threshold; None where of nothing.
    - ``best_f1``: over all thresholds. ``counts``: see ``picture_counts``.
    """

    word: str
    answered_by: tuple[str, ...]
    pictures: int
    labels: int
    boxes: PrecisionFigures
    pixels: PrecisionFigures | None
    recall: float | None
    precision: float | None
    best_f1: BestF1
    counts: PictureCounts


@dataclass(frozen=True, slots=True, eq=False)
class SetFigures:
    """A detector on one set: a data file, a source of it, or everything.

    ``curves``: by word and kind, of boxes and of pixels.
    """

    name: str
    pictures: int
    words: tuple[WordFigures, ...]
    counts: PictureCounts
    confusion: ConfusionMatrix
    curves: dict[tuple[str, Kind], PrecisionCurves]

    def to_mapping(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            "name": self.name,
            "pictures": self.pictures,
            "words": [
                asdict(word) | {"counts": _counts_mapping(word.counts), "answered_by": list(word.answered_by)}
                for word in self.words
            ],
            "counts": _counts_mapping(self.counts),
            "confusion": {
                "labelled": list(self.confusion.words),
                "detected": list(self.confusion.categories),
                "counts": self.confusion.counts.tolist(),
            },
        }


def set_figures(
    name: str,
    measured: Sequence[MeasuredPicture],
    answered_by: dict[str, tuple[str, ...]],
    *,
    score_threshold: float,
) -> SetFigures:
    """The figures over ``measured``; ``answered_by`` names the categories of each word that may occur."""
    matches: dict[tuple[str, Kind], list[WordMatches]] = {}
    for one in measured:
        for found in one.words:
            matches.setdefault((found.word, found.kind), []).append(found)
    curves = {key: precision_curves([one.matches for one in many]) for key, many in matches.items()}
    words = [
        _word_figures(word, matches[word, "box"], curves, answered_by[word], score_threshold)
        for word, kind in sorted(matches)
        if kind == "box"
    ]
    return SetFigures(
        name=name,
        pictures=len(measured),
        words=tuple(words),
        counts=sum((word.counts for word in words), PictureCounts()),
        confusion=confusion_matrix(sum((one.confusions for one in measured), Counter())),
        curves=curves,
    )


def sets_of(measured: Sequence[MeasuredPicture]) -> dict[str, list[MeasuredPicture]]:
    """The pictures of each source of each data file, of each file with several sources, and of all files."""
    sets: dict[str, list[MeasuredPicture]] = {}
    for data_file in dict.fromkeys(one.data_file for one in measured):
        of_file = [one for one in measured if one.data_file == data_file]
        sources = dict.fromkeys(one.picture.source for one in of_file)
        for source in sources if len(sources) > 1 else ():
            sets[f"{data_file}: {source or 'no source'}"] = [
                one for one in of_file if one.picture.source == source
            ]
        sets[data_file] = of_file
    if len({one.data_file for one in measured}) > 1:
        sets["total"] = list(measured)
    return sets


def _word_figures(
    word: str,
    found: Sequence[WordMatches],
    curves: dict[tuple[str, Kind], PrecisionCurves],
    answered_by: tuple[str, ...],
    score_threshold: float,
) -> WordFigures:
    boxes = curves[word, "box"]
    said = (boxes.scores >= score_threshold) & ~boxes.ignored
    right = int((boxes.right & said).sum())
    labels = int(boxes.label_counts[_AREAS["all"]])
    counts = [picture_counts(one.matches, score_threshold=score_threshold) for one in found]
    return WordFigures(
        word=word,
        answered_by=answered_by,
        pictures=len(found),
        labels=labels,
        boxes=_precision_figures(boxes),
        pixels=_precision_figures(curves[word, "pixels"]) if (word, "pixels") in curves else None,
        recall=right / labels if labels else None,
        precision=right / int(said.sum()) if said.any() else None,
        best_f1=best_f1(boxes),
        counts=sum(counts, PictureCounts()),
    )


def _precision_figures(curves: PrecisionCurves) -> PrecisionFigures:
    by_threshold = curves.average_precision
    mean = by_threshold.mean(axis=1)
    return PrecisionFigures(
        labels=int(curves.label_counts[_AREAS["all"]]),
        ap50=_number(by_threshold[_AREAS["all"], 0]),
        ap75=_number(by_threshold[_AREAS["all"], _IOU_75]),
        ap=_number(mean[_AREAS["all"]]),
        ap_small=_number(mean[_AREAS["small"]]),
        ap_medium=_number(mean[_AREAS["medium"]]),
        ap_large=_number(mean[_AREAS["large"]]),
        recall50=_number(curves.recall[_AREAS["all"], 0]),
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _counts_mapping(counts: PictureCounts) -> dict[str, Any]:
    return asdict(counts) | {"accuracy": counts.accuracy, "precision": counts.precision}
