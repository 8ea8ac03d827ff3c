"""Figures as text, for the page and for the terminal."""

from collections.abc import Sequence
from typing import Final

from models.evaluation.instance_figures import SetFigures, WordFigures
from models.evaluation.picture_counts import PictureCounts
from models.evaluation.tables import columns_of, number

#: Columns of the terminal's table after set and label.
_COLUMNS: Final = (
    "labels",
    "detector",
    "AP50",
    "AP75",
    "AP",
    "pixels AP50",
    "recall",
    "precision",
    "F1",
    "at",
)


def word_values(word: WordFigures) -> list[str]:
    """AP50, AP75, AP and AP by size of boxes; AP50, AP75, AP of pixels; recall, precision, best F1 and its score."""
    boxes, pixels = word.boxes, word.pixels
    best = word.best_f1 if word.labels else None
    return [
        number(boxes.ap50),
        number(boxes.ap75),
        number(boxes.ap),
        number(boxes.ap_small),
        number(boxes.ap_medium),
        number(boxes.ap_large),
        number(pixels.ap50 if pixels else None),
        number(pixels.ap75 if pixels else None),
        number(pixels.ap if pixels else None),
        number(word.recall),
        number(word.precision),
        number(best.f1 if best else None),
        number(best.score_threshold if best else None),
    ]


def count_values(counts: PictureCounts) -> list[str]:
    """True positives, false negatives, false positives, true negatives, accuracy, precision."""
    return [
        str(counts.true_positives),
        str(counts.false_negatives),
        str(counts.false_positives),
        str(counts.true_negatives),
        number(counts.accuracy),
        number(counts.precision),
    ]


def terminal_table(detectors: Sequence[tuple[str, Sequence[SetFigures]]]) -> str:
    """One line for each set, word and detector, in columns."""
    names = dict.fromkeys(one.name for _, sets in detectors for one in sets)
    lines: list[tuple[str, ...]] = [("set", "label", *_COLUMNS)]
    for name in names:
        of_set = [(detector, one) for detector, sets in detectors for one in sets if one.name == name]
        for word in sorted({word.word for _, one in of_set for word in one.words}):
            lines += [
                (name, word, *_line(detector, figures))
                for detector, one in of_set
                for figures in one.words
                if figures.word == word
            ]
    return columns_of(lines, frozenset({0, 1, 3}))


def _line(detector: str, figures: WordFigures) -> tuple[str, ...]:
    values = word_values(figures)
    return (str(figures.labels), detector, *values[:3], values[6], *values[9:])
