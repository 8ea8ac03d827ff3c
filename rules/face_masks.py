"""What one look at a face says about the face mask."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Category, GearEvidence, GearState
from rules.geometry import covered_parts, near_pairs
from rules.mask_fit import MaskFit, Probabilities, mask_fits
from rules.matching import pair_up
from rules.parts import Part, PartGroup, group_of

#: Part of a mask's box that lies on the face when the mask belongs to it.
_MIN_ON_FACE: Final = 0.5
#: Of a head whose face is not to be seen.
NO_FACE: Final = GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "no face seen")
_NOT_JUDGED: Final = GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "face not judged")


def assign_face_masks(face_masks: PartGroup, faces: PartGroup) -> dict[int, int]:
    """Index of the garment on, or hanging from, each face that has one; one garment serves one face."""
    if not len(face_masks) or not len(faces):
        return {}
    left, top, right, bottom = faces.edges
    # a mask pulled down hangs below the chin
    arounds = np.array([left, top, right, bottom + (bottom - top) / 4])
    rows, columns = near_pairs(arounds, face_masks.edges)
    near = face_masks.edges.take(columns, axis=1)
    on_face = covered_parts(near, by=arounds.take(rows, axis=1))
    belongs = (on_face >= _MIN_ON_FACE) & (near[2] - near[0] <= 1.5 * (right - left).take(rows))
    costs = 1.0 - on_face * face_masks.scores.take(columns)
    return pair_up(rows[belongs], columns[belongs], costs[belongs])


def face_mask_evidence(face: Part | None, garment: Part | None, quality: float) -> GearEvidence:
    """``judged_faces`` of one face with a garment; without a face the quality is 0 and the state UNKNOWN."""
    if face is None:
        return NO_FACE
    fits = [None] if garment is None else mask_fits([face], [garment])
    return judged_faces([face], fits, [quality])[0]


def judged_faces(
    faces: Sequence[Part], fits: Sequence[MaskFit | None], qualities: Sequence[float]
) -> list[GearEvidence]:
    """The evidence of one look at each face: the classifier's probabilities and the garment's place on it, as one.

    The two are pooled as independent sources with equal priors (naive Bayes), each to the power of what it can support:
    the classifier's by the face's sharpness, the garment's by ``MaskFit.weight``. The classifier alone decides where no
    garment was found: a detector may miss one. ``qualities`` are what the looks support; where a face was not judged,
    it is 0 and the state UNKNOWN.
    """
    faces = group_of(faces)
    judged = _classified(faces)
    both = []
    for row, fit in enumerate(fits):
        if fit is None:
            continue
        if judged[row] is None:
            judged[row] = fit.probabilities
        else:
            both.append((row, judged[row], fit))
    if both:
        rows, seen, found = zip(*both, strict=True)
        for row, pooled in zip(rows, _pooled(seen, faces.sharpness[list(rows)], found), strict=True):
            judged[row] = pooled
    heights = (faces.edges[3] - faces.edges[1]).tolist()
    return [
        _NOT_JUDGED if probs is None else _evidence(probs, fit, quality, height_px)
        for height_px, probs, fit, quality in zip(heights, judged, fits, qualities, strict=True)
    ]


def _pooled(
    judged: Sequence[Probabilities], sharpness: NDArray[np.float64], fits: Sequence[MaskFit]
) -> list[Probabilities]:
    """What the classifier says, by its sharpness, and how the mask sits, as one."""
    placed = np.array([fit.probabilities for fit in fits])
    weights = np.array([fit.weight for fit in fits])[:, None]
    joint = (
        np.maximum(judged, 1e-6) ** np.minimum(1.0, sharpness)[:, None] * np.maximum(placed, 1e-6) ** weights
    )
    joint /= joint.sum(axis=1, keepdims=True)
    return [(worn, missing, incorrect) for worn, missing, incorrect in joint.tolist()]


def _classified(faces: PartGroup) -> list[Probabilities | None]:
    """What the classifier says of each face, as far as it was asked; without one the detector's class counts."""
    if faces.face_mask_probs is not None:
        worn, missing, incorrect = faces.face_mask_probs.T
        total = worn + missing + incorrect
        shares = (faces.face_mask_probs / np.where(total > 0, total, 1.0)[:, None]).tolist()
        return [
            tuple(row) if judged else None for row, judged in zip(shares, (total > 0).tolist(), strict=True)
        ]
    found: list[Probabilities | None] = []
    for category, score in zip(faces.categories, faces.scores.tolist(), strict=True):
        rest = (1 - score) / 2
        by_class = {
            Category.FACE_WITH_MASK: (score, rest, rest),
            Category.FACE_WITHOUT_MASK: (rest, score, rest),
            Category.FACE_MASK_INCORRECT: (rest, rest, score),
        }
        found.append(by_class[category])
    return found


def _evidence(judged: Probabilities, fit: MaskFit | None, quality: float, height_px: float) -> GearEvidence:
    worn, missing, incorrect = judged
    # the first of the largest
    if worn >= missing and worn >= incorrect:
        state = GearState.WORN
    else:
        state = GearState.MISSING if missing >= incorrect else GearState.INCORRECT
    wording = (_reason, state, judged, fit, quality, height_px)
    score = min(1.0, worn)
    incorrect = min(max(0.0, 1.0 - score), incorrect)
    if quality <= 0:
        return GearEvidence._make((GearState.UNKNOWN, score, 0.0, wording, incorrect))
    return GearEvidence._make((state, score, quality, wording, incorrect))


def _reason(
    state: GearState, judged: Probabilities, fit: MaskFit | None, quality: float, height_px: float
) -> str:
    worn, missing, incorrect = judged
    if state is GearState.WORN:
        reason = f"face with mask {worn:.2f}"
    elif state is GearState.MISSING:
        reason = f"face without mask {missing:.2f}"
    else:
        reason = f"mask worn incorrectly {incorrect:.2f}"
    if state is not GearState.WORN and fit is not None and fit.uncovered:
        reason += f", {' and '.join(fit.uncovered)} not covered"
    if quality <= 0:
        reason += ", but too unclear to tell"
    return f"{reason} ({height_px:.0f} px)"
