"""What one look at a face says about the face mask."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Category, GearEvidence, GearState
from rules.geometry import covered, height, width
from rules.headgear import on_seg_mask
from rules.matching import optimal_pairs
from rules.parts import Part

#: Rows of ``Detections.landmarks_xy``.
_NOSE: Final = 2
_MOUTH: Final = (3, 4)
#: Part of a mask's box that lies on the face when the mask belongs to it.
_MIN_ON_FACE: Final = 0.5

Probabilities = tuple[float, float, float]


def assign_face_masks(face_masks: Sequence[Part], faces: Sequence[Part]) -> dict[int, int]:
    """Index of the garment on, or hanging from, each face that has one; one garment serves one face."""
    costs: NDArray[Any] = np.full((len(faces), len(face_masks)), np.inf)
    for row, face in enumerate(faces):
        reach = height(face.box) / 4  # a mask pulled down hangs below the chin
        around = (face.box[0], face.box[1], face.box[2], face.box[3] + reach)
        for column, garment in enumerate(face_masks):
            on_face = covered(garment.box, by=around)
            if on_face >= _MIN_ON_FACE and width(garment.box) <= 1.5 * width(face.box):
                costs[row, column] = 1.0 - on_face * garment.score
    return dict(optimal_pairs(costs))


def uncovered_parts(face: Part, garment: Part) -> tuple[str, ...] | None:
    """``nose`` and ``mouth``, those of them that show outside the mask; None where there are no landmarks.

    By the mask's pixels, or by the upper edge of its box where there are none.
    """
    if face.landmarks_xy is None or not np.any(face.landmarks_xy):
        return None
    nose = face.landmarks_xy[_NOSE : _NOSE + 1]
    mouth = face.landmarks_xy[list(_MOUTH)].mean(axis=0, keepdims=True)
    if garment.seg_mask is not None and np.any(garment.seg_mask):
        seen = {
            "nose": not on_seg_mask(garment, nose)[0],
            "mouth": not on_seg_mask(garment, mouth)[0],
        }
    else:
        top, bottom = garment.box[1], garment.box[3]
        seen = {"nose": not top <= nose[0, 1] <= bottom, "mouth": not top <= mouth[0, 1] <= bottom}
    return tuple(name for name, shows in seen.items() if shows)


def face_mask_evidence(face: Part | None, garment: Part | None, quality: float) -> GearEvidence:
    """The evidence of one look: the classifier's probabilities and the garment's place on the face, as one.

    Two independent sources are joined by multiplying their probabilities (naive Bayes with equal priors). ``quality``
    is what the look supports; without a face, or where the face was not judged, it is 0 and the state UNKNOWN.
    """
    if face is None:
        return GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "no face seen")
    judged = _classified(face)
    parts = uncovered_parts(face, garment) if garment is not None else None
    if garment is not None and parts is not None:
        placed = _placed(garment.score, parts)
        joint = tuple(a * b for a, b in zip(judged or (1.0, 1.0, 1.0), placed, strict=True))
        total = sum(joint)
        judged = (joint[0] / total, joint[1] / total, joint[2] / total) if total > 0 else placed
    if judged is None:
        return GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "face not judged")
    return _evidence(judged, parts, quality, height(face.box))


def _classified(face: Part) -> Probabilities | None:
    if face.face_mask_probs is not None:
        total = sum(face.face_mask_probs)
        if total <= 0:
            return None
        worn, missing, incorrect = face.face_mask_probs
        return worn / total, missing / total, incorrect / total
    rest = (1 - face.score) / 2
    by_class = {
        Category.FACE_WITH_MASK: (face.score, rest, rest),
        Category.FACE_WITHOUT_MASK: (rest, face.score, rest),
        Category.FACE_MASK_INCORRECT: (rest, rest, face.score),
    }
    return by_class[face.category]


def _placed(score: float, parts: tuple[str, ...]) -> Probabilities:
    """A garment of this score was found at the face: where it sits says worn or incorrect, hardly ever missing."""
    sure = 0.5 + 0.4 * score
    rest = (1 - sure) / 2
    return (rest, rest, sure) if parts else (sure, rest, rest)


def _evidence(
    judged: Probabilities, parts: tuple[str, ...] | None, quality: float, height_px: float
) -> GearEvidence:
    worn, missing, incorrect = judged
    names = {
        GearState.WORN: f"face with mask {worn:.2f}",
        GearState.MISSING: f"face without mask {missing:.2f}",
        GearState.INCORRECT: f"mask worn incorrectly {incorrect:.2f}",
    }
    state = max(
        ((worn, GearState.WORN), (missing, GearState.MISSING), (incorrect, GearState.INCORRECT)),
        key=lambda pair: pair[0],
    )[1]
    reason = names[state]
    if state is GearState.INCORRECT and parts:
        reason += f", {' and '.join(parts)} not covered"
    if quality <= 0:
        state, reason = GearState.UNKNOWN, f"{reason}, but too unclear to tell"
    score = min(1.0, worn)
    return GearEvidence(
        state, score, quality, f"{reason} ({height_px:.0f} px)", min(max(0.0, 1.0 - score), incorrect)
    )
