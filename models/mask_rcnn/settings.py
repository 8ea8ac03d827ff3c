"""How many boxes pass from stage to stage.

Shapes: P proposals and D detections of an image.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """How many boxes come through.

    - ``candidates``: best anchors of an image that enter suppression.
    - ``count``: P. ``iou_threshold``: of suppression.
    """

    candidates: int = 1000
    count: int = 300
    iou_threshold: float = 0.7


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """Which of a proposal's classes become detections.

    - ``score_threshold``: least probability. ``iou_threshold``: of suppression, within each class.
    - ``candidates``: best pairs of proposal and class that enter suppression. ``count``: D.
    """

    score_threshold: float = 0.05
    iou_threshold: float = 0.5
    candidates: int = 400
    count: int = 100
