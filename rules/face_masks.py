"""What one look at a face says about the face mask."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Category, GearEvidence, GearState
from rules.geometry import Box, covered, height, near_pairs, width
from rules.mask_fit import MaskFit, Probabilities, mask_fit
from rules.matching import optimal_pairs
from rules.parts import Part

#: Part of a mask's box that lies on the face when the mask belongs to it.
_MIN_ON_FACE: Final = 0.5


def assign_face_masks(face_masks: Sequence[Part], faces: Sequence[Part]) -> dict[int, int]:
    """Index of the garment on, or hanging from, each face that has one; one garment serves one face."""
    costs: NDArray[Any] = np.full((len(faces), len(face_masks)), np.inf)
    arounds = [_with_chin(face.box) for face in faces]
    for row, column in near_pairs(arounds, [garment.box for garment in face_masks]):
        garment = face_masks[column]
        on_face = covered(garment.box, by=arounds[row])
        if on_face >= _MIN_ON_FACE and width(garment.box) <= 1.5 * width(faces[row].box):
            costs[row, column] = 1.0 - on_face * garment.score
    return dict(optimal_pairs(costs))


def face_mask_evidence(
    face: Part | None, garment: Part | None, quality: float, *, input_scale: float = 1.0
) -> GearEvidence:
    """The evidence of one look: the classifier's probabilities and the garment's place on the face, as one.

    The two are pooled as independent sources with equal priors (naive Bayes), each to the power of what it can support:
    the classifier's by the face's sharpness, the garment's by ``MaskFit.weight``. The classifier alone decides where no
    garment was found: a detector may miss one. ``quality`` is what the look supports; without a face, or where the face
    was not judged, it is 0 and the state UNKNOWN.
    """
    if face is None:
        return GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "no face seen")
    judged = _classified(face)
    fit = None if garment is None else mask_fit(face, garment, input_scale=input_scale)
    if fit is not None:
        judged = fit.probabilities if judged is None else _pooled(judged, min(1.0, face.sharpness), fit)
    if judged is None:
        return GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "face not judged")
    return _evidence(judged, () if fit is None else fit.uncovered, quality, height(face.box))


def _with_chin(face: Box) -> Box:
    # a mask pulled down hangs below the chin
    return face[0], face[1], face[2], face[3] + height(face) / 4


def _pooled(judged: Probabilities, sharpness: float, fit: MaskFit) -> Probabilities:
    joint = [
        max(seen, 1e-6) ** sharpness * max(placed, 1e-6) ** fit.weight
        for seen, placed in zip(judged, fit.probabilities, strict=True)
    ]
    total = sum(joint)
    return joint[0] / total, joint[1] / total, joint[2] / total


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


def _evidence(
    judged: Probabilities, uncovered: tuple[str, ...], quality: float, height_px: float
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
    if state is not GearState.WORN and uncovered:
        reason += f", {' and '.join(uncovered)} not covered"
    if quality <= 0:
        state, reason = GearState.UNKNOWN, f"{reason}, but too unclear to tell"
    score = min(1.0, worn)
    return GearEvidence(
        state, score, quality, f"{reason} ({height_px:.0f} px)", min(max(0.0, 1.0 - score), incorrect)
    )
