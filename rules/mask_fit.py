"""Where a face mask sits on a face: its pixels against the nose and the mouth."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.parts import Part, group_of
from rules.pixels import likelihoods_around
from rules.quality import poses_of, ramps, size_qualities

#: Rows of ``PartGroup.landmarks``.
_NOSE_AND_MOUTH: Final = slice(4, 10)
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


class MaskFit(NamedTuple):
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


def mask_fits(
    faces: Sequence[Part],
    garments: Sequence[Part],
    *,
    poses: NDArray[np.float64] | None = None,
) -> list[MaskFit | None]:
    """How each of ``garments`` sits on its face; None where the face has no landmarks.

    By the mask's pixels, or its box where it has none. ``poses``: the faces' pose qualities, where they are known
    already.
    """
    faces, garments = group_of(faces), group_of(garments)
    has_landmarks = faces.has_landmarks
    if not np.count_nonzero(has_landmarks):
        return [None] * len(faces)
    points = faces.landmarks[_NOSE_AND_MOUTH].reshape(3, 2, -1).transpose(1, 2, 0)
    radii = _RADIUS * (faces.edges[3] - faces.edges[1])
    covers = likelihoods_around(_places(points), radii, garments).tolist()
    if poses is None:
        poses = poses_of(faces)
    heights = garments.edges[3] - garments.edges[1]
    weights = ramps(garments.scores, _DOUBTFUL_SCORE, _SURE_SCORE)
    weights = weights * size_qualities(heights, garments.input_scales) * poses
    return [
        MaskFit(nose, sum(mouth) / len(mouth), weight) if is_measured else None
        for (nose, *mouth), weight, is_measured in zip(
            covers, weights.tolist(), has_landmarks.tolist(), strict=True
        )
    ]


def _places(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The places that are looked at (2, N, 4), by the nose and the corners of the mouth (2, N, 3): the nose, the middle
    of the mouth, and places within its corners.
    """
    corners = points[..., 1:]
    middle = (corners[..., :1] + corners[..., 1:]) / 2
    return np.concatenate([points[..., :1], middle, corners + _INWARD * (middle - corners)], axis=-1)
