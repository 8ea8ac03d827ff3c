"""Found and missed, one count for each picture and word: as small studies print them.

Every word that is labelled on a picture counts once, whatever the number of things. What its best detection says
decides: on a thing that bears the word (IoU 0.5) the picture is a true positive, on nothing a false positive; without
a detection it is a false negative when there was something to find, else a true negative.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.evaluation.coco_precision import CocoMatches


@dataclass(frozen=True, slots=True)
class PictureCounts:
    """Counts of pictures (times words), and their shares; a share of nothing is None."""

    true_positives: int = 0
    false_negatives: int = 0
    false_positives: int = 0
    true_negatives: int = 0

    def __add__(self, other: Self) -> "PictureCounts":
        return PictureCounts(
            self.true_positives + other.true_positives,
            self.false_negatives + other.false_negatives,
            self.false_positives + other.false_positives,
            self.true_negatives + other.true_negatives,
        )

    @property
    def accuracy(self) -> float | None:
        """Share of the pictures that were told right."""
        right = self.true_positives + self.true_negatives
        return _share(right, right + self.false_negatives + self.false_positives)

    @property
    def precision(self) -> float | None:
        """Share of the pictures with a detection that were told right."""
        return _share(self.true_positives, self.true_positives + self.false_positives)


def picture_counts(matches: CocoMatches, *, score_threshold: float) -> PictureCounts:
    """The count of one picture and word; detections on ignored regions say nothing."""
    says = np.flatnonzero((matches.scores >= score_threshold) & ~matches.ignored[0, 0])
    if len(says):
        right = bool(matches.label_of[0, 0, says[0]] >= 0)
        return PictureCounts(true_positives=int(right), false_positives=int(not right))
    present = bool(matches.label_counts[0])
    return PictureCounts(false_negatives=int(present), true_negatives=int(not present))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
