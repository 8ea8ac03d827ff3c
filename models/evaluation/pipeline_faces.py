"""What the face pipeline says of every labelled face of a set, and what it finds besides.

Shapes: P pictures, L labelled faces and D found faces of all pictures, the latter of at least the score threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.evaluation.face_labels import (
    AWAY_BELOW_IOU,
    FaceLabels,
    FaceMatches,
    face_labels,
    match_faces,
)
from models.evaluation.instances import clipped
from models.structures import FACE_MASK_CLASSES, Detections

WITH_MASK, WITHOUT_MASK, INCORRECT = range(3)

#: Column of ``PipelineFaces.confusion`` after those of the states.
MISSED: Final = len(FACE_MASK_CLASSES)


@dataclass(frozen=True, slots=True, eq=False)
class SeenPicture:
    """A picture, its labels, and what the pipeline saw there: faces with ``face_mask_probs``, those of low scores
    too."""

    picture: AnnotatedPicture
    labels: FaceLabels
    detections: Detections


@dataclass(frozen=True, slots=True, eq=False)
class PipelineFaces:
    """The faces of all pictures, side by side.

    - ``pictures``: P. Of labelled faces that count (L,): ``picture_of``, ``states``, ``heights_px`` (original
      pixels) and ``input_heights_px`` (the network's input), ``found``, ``nearest_iou`` (see ``FaceMatches``);
      ``probs`` (L, 3), of the face that was found there, zeros where none was.
    - Of found faces (D,): ``seen_in``, ``answers`` (likeliest state), ``false``: met no label and nothing
      excuses it, ``away``: false, and overlapping every label by less than ``AWAY_BELOW_IOU``.
    """

    pictures: int
    picture_of: NDArray[np.int64]
    states: NDArray[np.int64]
    heights_px: NDArray[np.float64]
    input_heights_px: NDArray[np.float64]
    found: NDArray[np.bool_]
    probs: NDArray[np.float64]
    nearest_iou: NDArray[np.float64]
    seen_in: NDArray[np.int64]
    answers: NDArray[np.int64]
    false: NDArray[np.bool_]
    away: NDArray[np.bool_]

    @property
    def not_masked(self) -> NDArray[np.float64]:
        """How unlikely it is (L,) that the face wears a mask as required; 0 where no face was found."""
        return np.where(self.found, 1 - self.probs[:, WITH_MASK], 0.0)

    @property
    def answered(self) -> NDArray[np.int64]:
        """The likeliest state (L,), or ``MISSED``."""
        return np.where(self.found, self.probs.argmax(axis=1), MISSED)

    def confusion(self, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Counts (3, 4): rows the labelled state, columns the answered one, the last one ``MISSED``.

        ``weights`` (P,): how often each picture counts.
        """
        counts = np.zeros((len(FACE_MASK_CLASSES), len(FACE_MASK_CLASSES) + 1))
        per_picture = np.ones(self.pictures) if weights is None else weights
        np.add.at(counts, (self.states, self.answered), per_picture[self.picture_of])
        return counts

    def chosen(self, rows: NDArray[np.bool_]) -> "PipelineFaces":
        """The labelled faces that ``rows`` (L,) chooses; found faces besides are left out."""
        return PipelineFaces(
            self.pictures,
            self.picture_of[rows],
            self.states[rows],
            self.heights_px[rows],
            self.input_heights_px[rows],
            self.found[rows],
            self.probs[rows],
            self.nearest_iou[rows],
            self.seen_in[:0],
            self.answers[:0],
            self.false[:0],
            self.away[:0],
        )


def seen_picture(
    picture: AnnotatedPicture, detections: Detections, *, least_height_px: float = 0.0
) -> SeenPicture:
    """Raises ``ValueError`` when the faces were not judged."""
    if detections.face_mask_probs is None and len(detections):
        raise ValueError("the faces were not judged: face_mask_probs is missing")
    return SeenPicture(
        picture, face_labels(picture, least_height_px=least_height_px, need_state=True), detections
    )


def matches_of(seen: SeenPicture, *, score_threshold: float) -> tuple[Detections, FaceMatches]:
    """The faces of at least ``score_threshold``, and how they meet the labels."""
    faces = seen.detections.select(seen.detections.scores >= score_threshold)
    boxes = clipped(faces.boxes_xyxy, seen.picture.image_hw)
    return faces, match_faces(boxes, faces.scores, seen.labels)


def pipeline_faces(pictures: Sequence[SeenPicture], *, score_threshold: float) -> PipelineFaces:
    """The faces of ``pictures``."""
    parts: dict[str, list[NDArray[np.generic]]] = {}
    for index, seen in enumerate(pictures):
        faces, matches = matches_of(seen, score_threshold=score_threshold)
        probs = _probs(faces)
        wanted = ~seen.labels.ignored
        found_by = matches.found_by[wanted]
        of_found = np.zeros((len(found_by), probs.shape[1]))
        of_found[found_by >= 0] = probs[found_by[found_by >= 0]]
        false = (matches.label_of < 0) & ~matches.excused
        heights = seen.labels.heights_px[wanted]
        for name, values in (
            ("picture_of", np.full(len(found_by), index)),
            ("states", seen.labels.states[wanted]),
            ("heights_px", heights),
            ("input_heights_px", heights * seen.detections.input_scale),
            ("found", found_by >= 0),
            ("probs", of_found),
            ("nearest_iou", matches.nearest_iou[wanted]),
            ("seen_in", np.full(len(faces), index)),
            ("answers", probs.argmax(axis=1)),
            ("false", false),
            ("away", false & (matches.best_iou < AWAY_BELOW_IOU)),
        ):
            parts.setdefault(name, []).append(values)
    columns: dict[str, NDArray[np.generic]] = {name: np.concatenate(many) for name, many in parts.items()}
    return PipelineFaces(pictures=len(pictures), **columns)  # type: ignore[arg-type]


def _probs(faces: Detections) -> NDArray[np.float64]:
    if faces.face_mask_probs is None:
        return np.zeros((0, len(FACE_MASK_CLASSES)))
    return np.asarray(faces.face_mask_probs, np.float64)
