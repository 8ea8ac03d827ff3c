"""How many boxes pass from stage to stage.

Shapes: P proposals and D detections of an image.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Height and width of the input from which on as many proposals pass as ever do.
_FULL_HW: Final = (736, 1280)

#: Best anchors for each proposal.
_CANDIDATES_EACH: Final = 10 / 3


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """How many boxes come through.

    - ``candidates``: best anchors of an image that enter suppression.
    - ``count``: P. ``iou_threshold``: of suppression.
    """

    candidates: int = 1000
    count: int = 300
    iou_threshold: float = 0.7


def usual_proposals(input_hw: tuple[int, int]) -> ProposalSettings:
    """How many come through where nothing else is said: 300 of a picture of 736 x 1280 and above, of smaller ones fewer
    by their side, 100 at least.

    The head that judges them costs as much as all that is before it, and small inputs show fewer people of a size that
    can be judged. Average precision is the same (docs/adr/0075-precision.md).
    """
    share = math.sqrt(math.prod(input_hw) / math.prod(_FULL_HW))
    count = round(min(300, max(100, 300 * share)))
    return ProposalSettings(candidates=round(_CANDIDATES_EACH * count), count=count)


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """Which of a proposal's classes become detections.

    - ``score_threshold``: least probability. ``iou_threshold``: of suppression, within each class.
    - ``candidates``: best pairs of proposal and class that enter suppression. ``count``: D.
    - ``segmented``: classes of the network whose pixels are told, those of others are zeros; None: all.
    """

    score_threshold: float = 0.05
    iou_threshold: float = 0.5
    candidates: int = 400
    count: int = 100
    segmented: frozenset[int] | None = None

    def has_pixels(self, classes: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Of which of ``classes`` (N,) pixels are told: (N,)."""
        if self.segmented is None:
            return np.ones(len(classes), np.bool_)
        return np.isin(classes, list(self.segmented))
