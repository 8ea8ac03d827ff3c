"""What a network says of the anchors, as faces that are worth a closer look.

Shapes: B pictures; A anchors; N candidates of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import InferenceError
from models.networks.boxes import boxes_from_deltas, landmarks_from_deltas
from models.networks.logistic import sigmoid

#: Best anchors of a picture that are looked at. A face is reported by some ten of them before suppression.
CANDIDATES: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """N candidates of one picture, in input pixels: ``boxes_xyxy`` float32 (N, 4), ``scores`` (N,), ``landmarks_xy``
    (N, 5, 2). Raises ``InferenceError`` on numbers that are not finite."""

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not all(np.isfinite(part).all() for part in (self.boxes_xyxy, self.scores, self.landmarks_xy)):
            raise InferenceError("RetinaFace answered with numbers that are not finite")


class CandidateFinder(Protocol):
    """A network in some runtime. Not for several threads at once."""

    def find(self, pixels: NDArray[np.uint8], score_threshold: float) -> Sequence[Candidates]:
        """The candidates of each picture of uint8 (B, H, W, 3), sides multiples of 32: at most ``CANDIDATES``, best
        first; of those below the threshold none, or some."""
        ...

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Prepare for batches of these sizes."""
        ...

    def forget(self, input_hw: tuple[int, int]) -> None:
        """Give back what was prepared for a size."""
        ...


def best_candidates(
    face_logits: NDArray[np.float32],
    box_deltas: NDArray[np.float32],
    landmark_deltas: NDArray[np.float32],
    anchors: NDArray[np.float32],
    *,
    score_threshold: float,
) -> Candidates:
    """The candidates among anchors (A, 4) of which a network says logits (A, 2), the second for a face, deltas (A, 4)
    and (A, 10). Only those above the threshold are decoded."""
    odds = face_logits[:, 1] - face_logits[:, 0]
    if not np.isfinite(odds).all():
        raise InferenceError("RetinaFace answered with numbers that are not finite")
    # compared as odds, which saves the exponentials of all others; the bounds let rounding decide nothing
    rows = np.flatnonzero(odds >= _odds_of(score_threshold) - 1e-3)
    if len(rows) > CANDIDATES:
        rows = rows[np.argpartition(-odds[rows], CANDIDATES - 1)[:CANDIDATES]]
    rows = rows[np.argsort(-odds[rows], kind="stable")]
    chosen = anchors[rows]
    return Candidates(
        boxes_from_deltas(box_deltas[rows], chosen),
        sigmoid(odds[rows]),
        landmarks_from_deltas(landmark_deltas[rows], chosen),
    )


def _odds_of(score: float) -> float:
    """The logarithm of the odds of a probability; infinite beyond 0 and 1."""
    if score <= 0:
        return -np.inf
    return np.inf if score >= 1 else float(np.log(score / (1 - score)))
