"""What is taken for what: labelled words against detected categories.

Things and detections are matched whatever they are called, best score first, each once. Detections of categories
that nobody labelled on a picture take part only for what is left: they may be right unseen, and then are no mistake.

Shapes: W words, K categories; the last row and column are the background.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.data.label_answers import LabelAnswers
from models.evaluation.instances import clipped, judged_boxes
from models.evaluation.matching import match
from models.evaluation.overlaps import box_overlaps
from models.structures import Category, Detections

BACKGROUND = "background"


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionMatrix:
    """Counts int64 (W + 1, K + 1).

    - ``words``, ``categories``: (W,) and (K,) names of rows and columns; the last of either is the background: a thing
      that was missed, a detection of nothing.
    """

    words: tuple[str, ...]
    categories: tuple[str, ...]
    counts: NDArray[np.int64]


def confusions(
    picture: AnnotatedPicture,
    detections: Detections,
    answers: LabelAnswers,
    *,
    known: frozenset[Category],
    score_threshold: float,
    iou_threshold: float = 0.5,
) -> Counter[tuple[str, str]]:
    """Counts by word and category of one picture; words that nothing of ``known`` answers are left out."""
    answered = {
        word: categories
        for word in answers.measured_words(picture)
        if (categories := (answers.categories(picture.source, word) or frozenset())) & known
    }
    things = [thing for thing in picture.objects if thing.category in answered and not thing.ignored]
    seen = detections.select(detections.scores >= score_threshold)
    expected = np.isin(seen.class_ids, [int(one) for one in frozenset().union(*answered.values())])
    boxes = judged_boxes(picture, seen, answers)
    gt_boxes = clipped(np.array([thing.box_xyxy for thing in things], np.float64), picture.image_hw)
    label_of = np.full(len(seen), -1)
    for rows in (np.flatnonzero(expected), np.flatnonzero(~expected)):
        left = np.flatnonzero(~np.isin(np.arange(len(things)), label_of))
        best_first = rows[np.argsort(-seen.scores[rows], kind="stable")]
        found = match(
            boxes[best_first], seen.scores[best_first], gt_boxes[left], iou_threshold=iou_threshold
        ).label_of
        label_of[best_first[found >= 0]] = left[found[found >= 0]]
    names = [Category(int(class_id)).label for class_id in seen.class_ids]
    counts = Counter((things[label].category, names[row]) for row, label in enumerate(label_of) if label >= 0)
    counts.update((thing.category, BACKGROUND) for index, thing in enumerate(things) if index not in label_of)
    wrong = expected & (label_of < 0) & ~_excused(picture, boxes, answers, iou_threshold)
    counts.update((BACKGROUND, names[row]) for row in np.flatnonzero(wrong))
    return counts


def confusion_matrix(counts: Counter[tuple[str, str]]) -> ConfusionMatrix:
    """The counts of all pictures as a matrix: words by name, categories in their own order."""
    words = sorted({word for word, _ in counts} - {BACKGROUND})
    seen = {category for _, category in counts}
    categories = [category.label for category in Category if category.label in seen]
    matrix = np.array(
        [
            [counts.get((word, category), 0) for category in (*categories, BACKGROUND)]
            for word in (*words, BACKGROUND)
        ],
        np.int64,
    )
    return ConfusionMatrix((*words, BACKGROUND), (*categories, BACKGROUND), matrix)


def _excused(
    picture: AnnotatedPicture, boxes: NDArray[np.float64], answers: LabelAnswers, iou_threshold: float
) -> NDArray[np.bool_]:
    """Detections that lie mostly in an ignored region."""
    regions: Sequence[tuple[float, ...]] = [
        thing.box_xyxy
        for thing in picture.objects
        if thing.ignored or answers.categories(picture.source, thing.category) is None
    ]
    gt_boxes = clipped(np.array(regions, np.float64), picture.image_hw)
    shares = box_overlaps(boxes, gt_boxes, np.ones(len(regions), np.bool_))
    return np.asarray(shares.max(axis=1, initial=0.0) >= iou_threshold)
