"""What one look at a face says about the face mask."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.structures import Category, GearEvidence, GearState
from rules.geometry import covered_parts, height, near_pairs
from rules.mask_fit import MaskFit, Probabilities, mask_fits
from rules.matching import pair_up
from rules.parts import Part, boxes_of

#: Part of a mask's box that lies on the face when the mask belongs to it.
_MIN_ON_FACE: Final = 0.5
_NO_FACE: Final = GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "no face seen")
_NOT_JUDGED: Final = GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "face not judged")


def assign_face_masks(face_masks: Sequence[Part], faces: Sequence[Part]) -> dict[int, int]:
    """Index of the garment on, or hanging from, each face that has one; one garment serves one face."""
    if not face_masks or not faces:
        return {}
    garments, arounds = boxes_of(face_masks), boxes_of(faces)
    widths = arounds[:, 2] - arounds[:, 0]
    # a mask pulled down hangs below the chin
    arounds[:, 3] += (arounds[:, 3] - arounds[:, 1]) / 4
    rows, columns = near_pairs(arounds, garments)
    near = garments[columns]
    on_face = covered_parts(near, by=arounds[rows])
    belongs = (on_face >= _MIN_ON_FACE) & (near[:, 2] - near[:, 0] <= 1.5 * widths[rows])
    costs = 1.0 - on_face * np.array([garment.score for garment in face_masks])[columns]
    return pair_up(rows[belongs], columns[belongs], costs[belongs])


def face_mask_evidence(
    face: Part | None, garment: Part | None, quality: float, *, input_scale: float = 1.0
) -> GearEvidence:
    """The evidence of one look at a face with a garment; see ``judged_face``, which takes how it sits instead."""
    fits = (
        [None] if face is None or garment is None else mask_fits([face], [garment], input_scale=input_scale)
    )
    return judged_face(face, fits[0], quality)


def judged_face(face: Part | None, fit: MaskFit | None, quality: float) -> GearEvidence:
    """The evidence of one look: the classifier's probabilities and the garment's place on the face, as one.

    The two are pooled as independent sources with equal priors (naive Bayes), each to the power of what it can support:
    the classifier's by the face's sharpness, the garment's by ``MaskFit.weight``. The classifier alone decides where no
    garment was found: a detector may miss one. ``quality`` is what the look supports; without a face, or where the face
    was not judged, it is 0 and the state UNKNOWN.
    """
    if face is None:
        return _NO_FACE
    judged = _classified(face)
    if fit is not None:
        judged = fit.probabilities if judged is None else _pooled(judged, min(1.0, face.sharpness), fit)
    if judged is None:
        return _NOT_JUDGED
    return _evidence(judged, () if fit is None else fit.uncovered, quality, height(face.box))


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
    # the first of the largest
    if worn >= missing and worn >= incorrect:
        state, reason = GearState.WORN, f"face with mask {worn:.2f}"
    elif missing >= incorrect:
        state, reason = GearState.MISSING, f"face without mask {missing:.2f}"
    else:
        state, reason = GearState.INCORRECT, f"mask worn incorrectly {incorrect:.2f}"
    if state is not GearState.WORN and uncovered:
        reason += f", {' and '.join(uncovered)} not covered"
    if quality <= 0:
        state, reason = GearState.UNKNOWN, f"{reason}, but too unclear to tell"
    score = min(1.0, worn)
    return GearEvidence(
        state, score, quality, f"{reason} ({height_px:.0f} px)", min(max(0.0, 1.0 - score), incorrect)
    )
