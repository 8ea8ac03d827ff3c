"""Places points of an average head, given in millimetres, on a face of which five landmarks are known.

The head's coordinates: origin between the eyes, x to the viewer's right, y down the face, z out of the face
towards the viewer. The camera is scaled orthographic ("weak perspective"): a point (x, y, z) appears at
``origin + x * x_axis + y * y_axis + z * z_axis``, with the three axes two-component vectors in pixels per
millimetre. Where the head turns, the z axis is what moves a nose tip off the line between eyes and mouth.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Left and right eye (the viewer's left first), nose tip, left and right corner of the mouth: adult means,
#: rounded.
MEAN_LANDMARKS_MM: Final = (
    (-31.5, 0.0, 0.0),
    (31.5, 0.0, 0.0),
    (0.0, 42.0, 25.0),
    (-25.0, 69.0, 6.0),
    (25.0, 69.0, 6.0),
)

MIN_EYE_DISTANCE_PX: Final = 4.0

# Individual noses differ more than heads nod: without a pull towards zero the z axis would follow each of
# them.
_Z_AXIS_RIDGE: Final = 12.0


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """The projection of one face: ``origin_xy`` in pixels, ``axes`` float64 (3, 2) in pixels per
    millimetre.
    """

    origin_xy: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def from_landmarks(cls, landmarks_xy: ArrayLike) -> "HeadFrame":
        """Fit the projection by least squares to five landmarks (5, 2) in pixels, in the order of the mean
        ones.

        Raises ``ValueError`` for another shape, values that are not finite, or eyes closer than
        ``MIN_EYE_DISTANCE_PX`` (a profile, or a face too small to draw on).
        """
        landmarks = np.asarray(landmarks_xy, np.float64)
        if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
            raise ValueError(f"landmarks_xy: expected five finite points, got shape {landmarks.shape}")
        if float(np.linalg.norm(landmarks[1] - landmarks[0])) < MIN_EYE_DISTANCE_PX:
            raise ValueError(f"landmarks_xy: the eyes are closer than {MIN_EYE_DISTANCE_PX:g} pixels")
        points = np.asarray(MEAN_LANDMARKS_MM)
        design = np.vstack([np.column_stack([np.ones(5), points]), [0.0, 0.0, 0.0, _Z_AXIS_RIDGE]])
        solution, *_ = np.linalg.lstsq(design, np.vstack([landmarks, np.zeros((1, 2))]), rcond=None)
        return cls(origin_xy=solution[0], axes=solution[1:])

    @property
    def px_per_mm(self) -> float:
        """The scale, from the y axis: turning the head left or right shortens the x axis alone."""
        return float(np.linalg.norm(self.axes[1]))

    def project(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Head points (..., 3) in millimetres to picture points (..., 2) in pixels."""
        return self.origin_xy + np.asarray(points_mm, np.float64) @ self.axes

    def towards_viewer(self, vectors_mm: ArrayLike) -> NDArray[np.float64]:
        """Component along the viewing direction of head vectors (..., 3): positive points at the viewer."""
        x_axis, y_axis, z_axis = self.axes
        # the third row of the rotation, up to scale, is the cross product of the two that project
        view = np.cross(
            [x_axis[0], y_axis[0], z_axis[0]],
            [x_axis[1], y_axis[1], z_axis[1]],
        )
        return np.asarray(np.asarray(vectors_mm, np.float64) @ (view / np.linalg.norm(view)), np.float64)
