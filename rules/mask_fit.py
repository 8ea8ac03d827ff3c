"""Where a face mask sits on a face: its pixels against the nose and the mouth."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from rules.geometry import height
from rules.parts import Part
from rules.pixels import likelihoods_around
from rules.quality import pose_qualities, ramp, size_quality

#: Rows of ``Detections.landmarks_xy``.
_NOSE: Final = 2
_MOUTH: Final = slice(3, 5)
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
    poses: Sequence[float] | None = None,
) -> list[MaskFit | None]:
    """How each of ``garments`` sits on its face; None where the face has no landmarks.

    By the mask's pixels, or its box where it has none. ``poses``: the faces' pose qualities, where they are known
    already.
    """
    rows = [row for row, face in enumerate(faces) if face.landmarks_xy is not None]
    found: list[MaskFit | None] = [None] * len(faces)
    if not rows:
        return found
    measured = [face.landmarks_xy for face in faces if face.landmarks_xy is not None]
    landmarks = np.stack(measured).astype(np.float64)
    corners = landmarks[:, _MOUTH]
    middle = corners.sum(axis=1, keepdims=True) / 2
    places = np.concatenate(
        [landmarks[:, _NOSE, None], middle, corners + _INWARD * (middle - corners)], axis=1
    )
    radii = _RADIUS * np.array([height(faces[row].box) for row in rows])
    covers = likelihoods_around(places, radii, [garments[row] for row in rows]).tolist()
    if poses is None:
        poses = pose_qualities([face.landmarks_xy for face in faces])
    for row, (nose, *mouth) in zip(rows, covers, strict=True):
        weight = ramp(garments[row].score, _DOUBTFUL_SCORE, _SURE_SCORE)
        weight *= size_quality(height(garments[row].box), garments[row].input_scale)
        found[row] = MaskFit(nose, sum(mouth) / len(mouth), weight * poses[row])
    return found
