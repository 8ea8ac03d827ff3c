"""Where a face mask sits on a face: its pixels against the nose and the mouth."""

from dataclasses import dataclass
from typing import Final

from rules.geometry import height
from rules.parts import Part
from rules.pixels import likelihood_around
from rules.quality import pose_quality, ramp, size_quality

#: Rows of ``Detections.landmarks_xy``.
_NOSE: Final = 2
_MOUTH: Final = (3, 4)
#: Around the tip of the nose and the mouth so much is looked at, in face heights: landmarks err by about that.
_RADIUS: Final = 0.04
#: The corners of the mouth lie at a mask's edge in half profile; these places lie so far from the corner to the middle.
_INWARD: Final = 0.4
#: Scores of a mask between which its place counts from not at all to whole.
_DOUBTFUL_SCORE: Final = 0.3
_SURE_SCORE: Final = 0.8
#: What a perfectly placed mask says at most for and against.
_SURE: Final = 0.9

Probabilities = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class MaskFit:
    """How a mask sits.

    - ``nose``, ``mouth``: 0 (bare) to 1 (covered).
    - ``weight``: 0 to 1, how much that says: the mask's score, its size at the network's input, the face's pose.
    """

    nose: float
    mouth: float
    weight: float

    @property
    def uncovered(self) -> tuple[str, ...]:
        """``nose`` and ``mouth``, those of them that show outside the mask."""
        return tuple(name for name, cover in (("nose", self.nose), ("mouth", self.mouth)) if cover < 0.5)

    @property
    def probabilities(self) -> Probabilities:
        """Worn, missing, incorrect: a mask that was found at a face is hardly ever missing, its place says the rest."""
        rest = (1.0 - _SURE) / 2
        cover = min(self.nose, self.mouth)
        return rest + cover * (_SURE - rest), rest, _SURE - cover * (_SURE - rest)


def mask_fit(face: Part, garment: Part, *, input_scale: float) -> MaskFit | None:
    """How ``garment`` sits on ``face``; None where the face has no landmarks. By the mask's pixels, or its box where it
    has none. ``input_scale``: network input pixels per original pixel.
    """
    if face.landmarks_xy is None or not face.landmarks_xy.any():
        return None
    radius = _RADIUS * height(face.box)
    points = face.landmarks_xy.tolist()
    nose_x, nose_y = points[_NOSE]
    corners = [points[row] for row in _MOUTH]
    middle = [sum(values) / len(corners) for values in zip(*corners, strict=True)]
    mouth = [
        middle,
        *([c + _INWARD * (m - c) for c, m in zip(corner, middle, strict=True)] for corner in corners),
    ]
    return MaskFit(
        nose=likelihood_around(nose_x, nose_y, radius, garment),
        mouth=sum(likelihood_around(x, y, radius, garment) for x, y in mouth) / len(mouth),
        weight=ramp(garment.score, _DOUBTFUL_SCORE, _SURE_SCORE)
        * size_quality(height(garment.box), input_scale)
        * pose_quality(face.landmarks_xy),
    )
