"""How many labelled faces the pipeline identifies rightly, wrongly, or not at all, and the rates of the same.

Two states, as tables of masked and unmasked faces have them: a face is called unmasked when its probability of a mask
worn as required is below a half. Faces that wear their mask wrongly are neither of the two, and stand apart.

- True negative rate (TNR): of the labelled unmasked faces, the share that is found and called unmasked. Unmasked is
  the negative, although it is what alarms.
- False negative rate (FNR): of the labelled masked faces, the share that is found and called unmasked.

Faces that were missed count among the labelled ones of both: a missed unmasked face lowers the TNR, a missed masked
face is no false negative. So did the study that these rates come from (118 of 136 unmasked faces right, 9 wrong and 9
missed: 87 %; 5 of 115 masked ones wrong: 4 %).

Shapes: L labelled faces, P pictures.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.pipeline_faces import INCORRECT, WITH_MASK, WITHOUT_MASK, PipelineFaces
from models.evaluation.roc import RocCurve, roc_curve

#: A face is called unmasked above this probability of not wearing a mask as required.
UNMASKED_ABOVE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Identified:
    """Labelled faces of one kind: ``right``: found, and called what they are; ``wrong``: found, and called something
    else; ``missed``: not found. ``loose``: how many of the missed ones a found face overlaps by 0.3 or more."""

    right: int
    wrong: int
    missed: int
    loose: int = 0

    @property
    def labelled(self) -> int:
        """All of them."""
        return self.right + self.wrong + self.missed


@dataclass(frozen=True, slots=True)
class PipelineRates:
    """The rates (see above), None where there is nothing to take a share of.

    - ``tnr_found``, ``fnr_found``: the same among faces that were found. ``accuracy``: share of all three states
      found and called what they are. ``found``: share that is found. ``incorrect_alarms``: of the wrongly worn
      masks, the share that is found and not taken for well worn.
    """

    tnr: float | None
    fnr: float | None
    tnr_found: float | None
    fnr_found: float | None
    accuracy: float | None
    found: float | None
    incorrect_alarms: float | None


def identified_by_state(faces: PipelineFaces) -> tuple[Identified, Identified, Identified]:
    """Three states: what is called is the likeliest one. In the order of ``FACE_MASK_CLASSES``."""
    first, second, third = (_identified(faces, state, faces.answered == state) for state in range(3))
    return first, second, third


def identified_by_mask(faces: PipelineFaces) -> tuple[Identified, Identified]:
    """Two states, masked and unmasked; see above."""
    unmasked = faces.not_masked > UNMASKED_ABOVE
    return (
        _identified(faces, WITH_MASK, faces.found & ~unmasked),
        _identified(faces, WITHOUT_MASK, faces.found & unmasked),
    )


def pipeline_rates(faces: PipelineFaces, weights: NDArray[np.float64] | None = None) -> PipelineRates:
    """The rates; ``weights`` (P,): how often each picture counts."""
    counts = (np.ones(faces.pictures) if weights is None else weights)[faces.picture_of]
    unmasked = faces.not_masked > UNMASKED_ABOVE

    def share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float | None:
        total = float(counts[whole].sum())
        return float(counts[whole & part].sum()) / total if total else None

    bare, masked = faces.states == WITHOUT_MASK, faces.states == WITH_MASK
    everything = np.ones(len(faces.states), np.bool_)
    return PipelineRates(
        tnr=share(unmasked, bare),
        fnr=share(unmasked, masked),
        tnr_found=share(unmasked, bare & faces.found),
        fnr_found=share(unmasked, masked & faces.found),
        accuracy=share(faces.answered == faces.states, everything),
        found=share(faces.found, everything),
        incorrect_alarms=share(unmasked, faces.states == INCORRECT),
    )


def pipeline_roc(
    faces: PipelineFaces, *, found_only: bool, weights: NDArray[np.float64] | None = None
) -> RocCurve | None:
    """The curve of unmasked against masked faces, positive here being unmasked: over the share of masked faces called
    unmasked (FNR) the share of unmasked faces called so (TNR).

    Missed faces count as masked for certain: who is not found raises no alarm. ``found_only`` leaves them out: the
    classifier alone. None without faces of either kind.
    """
    rows = (faces.states == WITH_MASK) | (faces.states == WITHOUT_MASK)
    if found_only:
        rows &= faces.found
    scores = np.where(faces.found, faces.not_masked, -1.0)[rows]
    counts = None if weights is None else weights[faces.picture_of[rows]]
    return roc_curve(scores, faces.states[rows] == WITHOUT_MASK, counts)


def _identified(faces: PipelineFaces, state: int, right: NDArray[np.bool_]) -> Identified:
    rows = faces.states == state
    missed = rows & ~faces.found
    return Identified(
        right=int((rows & right).sum()),
        wrong=int((rows & faces.found & ~right).sum()),
        missed=int(missed.sum()),
        loose=int((missed & (faces.nearest_iou >= 0.3)).sum()),
    )
