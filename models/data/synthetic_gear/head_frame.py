"""Places points of an average head, given in millimetres, on a head in a picture.

The head's coordinates: origin between the eyes, x to the viewer's right, y down the face, z out of the face
towards the viewer. The camera is scaled orthographic ("weak perspective"): a point (x, y, z) appears at
``origin + x * x_axis + y * y_axis + z * z_axis``, with the three axes two-component vectors in pixels per
millimetre. Where the head turns, the z axis is what moves a nose tip off the line between eyes and mouth.

Angles: yaw above 0 turns the face to the viewer's right, pitch above 0 up (below 0 one sees the top of the head), roll
above 0 leans clockwise. Pixels are continuous coordinates in which the first pixel covers 0 to 1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

#: Left and right eye (the viewer's left first), nose tip, left and right corner of the mouth: adult means,
#: rounded.
MEAN_LANDMARKS_MM: Final = (
    (-31.5, 0.0, 0.0),
    (31.5, 0.0, 0.0),
    (0.0, 42.0, 25.0),
    (-25.0, 69.0, 6.0),
    (25.0, 69.0, 6.0),
)

#: The head with its hair as an ellipsoid: its middle and its half axes.
HEAD_CENTRE_MM: Final = (0.0, -2.0, -86.0)
HEAD_HALF_AXES_MM: Final = (78.0, 117.0, 102.0)

MIN_EYE_DISTANCE_PX: Final = 4.0

# Individual noses differ more than heads nod: without a pull towards zero the z axis would follow each of
# them.
_Z_AXIS_RIDGE: Final = 12.0

# For a rotation proper: how far landmarks stray from the mean ones, and how far heads turn, in one deviation. Noses
# and smiles differ so much that little is learned of the pitch; cameras hang higher than faces.
_LANDMARK_MM: Final = 4.0
_YAW_RAD, _PITCH_RAD = np.deg2rad(40.0), np.deg2rad(7.0)
_USUAL_PITCH_RAD: Final = np.deg2rad(-5.0)


@dataclass(frozen=True, slots=True, eq=False)
class HeadFrame:
    """The projection of one head: ``origin_xy`` in pixels, ``axes`` float64 (3, 2) in pixels per
    millimetre.
    """

    origin_xy: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def from_landmarks(cls, landmarks_xy: ArrayLike) -> "HeadFrame":
        """Fit the projection by least squares to five landmarks (5, 2) in pixels, in the order of the mean
        ones: each axis by itself, so that it fits faces of other proportions too.

        Raises ``ValueError`` for another shape, values that are not finite, or eyes closer than
        ``MIN_EYE_DISTANCE_PX`` (a profile, or a face too small to draw on).
        """
        landmarks = _checked(landmarks_xy)
        points = np.asarray(MEAN_LANDMARKS_MM)
        design = np.vstack([np.column_stack([np.ones(5), points]), [0.0, 0.0, 0.0, _Z_AXIS_RIDGE]])
        solution, *_ = np.linalg.lstsq(design, np.vstack([landmarks, np.zeros((1, 2))]), rcond=None)
        return cls(origin_xy=solution[0], axes=solution[1:])

    @classmethod
    def rigid(cls, landmarks_xy: ArrayLike) -> "HeadFrame":
        """Fit a rotation and one scale instead: for what lies far from the face, such as the top of the head.

        Raises ``ValueError`` as ``from_landmarks`` does.
        """
        landmarks = _checked(landmarks_xy)
        points = np.asarray(MEAN_LANDMARKS_MM)
        eye_line = landmarks[1] - landmarks[0]
        roll = float(np.arctan2(eye_line[1], eye_line[0]))
        height = np.linalg.norm(landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0))
        scale = max(float(height) / 69.0, float(np.linalg.norm(eye_line)) / 63.0)

        def residuals(guess: NDArray[np.float64]) -> NDArray[np.float64]:
            yaw, pitch, turn, log_scale = guess[:4]
            size = scale * np.exp(log_scale)
            seen = points @ _axes(size, yaw, pitch, turn) + landmarks[:2].mean(axis=0) + scale * guess[4:]
            strays = (seen - landmarks).ravel() / (size * _LANDMARK_MM)
            return np.concatenate([strays, [yaw / _YAW_RAD, (pitch - _USUAL_PITCH_RAD) / _PITCH_RAD]])

        fitted = least_squares(residuals, np.array([0.0, 0.0, roll, 0.0, 0.0, 0.0]), method="lm").x
        yaw, pitch, turn, log_scale = fitted[:4]
        return cls(
            origin_xy=landmarks[:2].mean(axis=0) + scale * fitted[4:],
            axes=_axes(scale * float(np.exp(log_scale)), yaw, pitch, turn),
        )

    @classmethod
    def in_head_box(
        cls, box_xyxy: ArrayLike, *, yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0
    ) -> "HeadFrame":
        """The head, turned as told, that fills a box (x1, y1, x2, y2) from hair to chin; yaw 180 is from behind.

        Raises ``ValueError`` for a box that is empty or not finite.
        """
        box = np.asarray(box_xyxy, np.float64)
        if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
            raise ValueError(f"box_xyxy: expected x1 < x2 and y1 < y2, got {box.tolist()}")
        axes = _axes(1.0, *np.deg2rad([yaw_deg, pitch_deg, roll_deg]))
        half_axes = np.asarray(HEAD_HALF_AXES_MM)
        # the shadow of an ellipsoid: along each direction of the picture, its half axes add up in squares
        reach = np.sqrt(((axes * half_axes[:, None]) ** 2).sum(axis=0))
        scale = float(np.sqrt(np.prod((box[2:] - box[:2]) / (2 * reach))))
        centre = (box[:2] + box[2:]) / 2
        return cls(origin_xy=centre - scale * (np.asarray(HEAD_CENTRE_MM) @ axes), axes=scale * axes)

    @property
    def px_per_mm(self) -> float:
        """The scale, from the y axis: turning the head left or right shortens the x axis alone."""
        return float(np.linalg.norm(self.axes[1]))

    @property
    def view(self) -> NDArray[np.float64]:
        """The viewing direction (3,) in the head's coordinates, length 1, towards the viewer."""
        # the third row of the rotation, up to scale, is the cross product of the two that project
        view = np.cross(self.axes[:, 0], self.axes[:, 1])
        return np.asarray(view / np.linalg.norm(view), np.float64)

    def project(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Head points (..., 3) in millimetres to picture points (..., 2) in pixels."""
        return self.origin_xy + np.asarray(points_mm, np.float64) @ self.axes

    def towards_viewer(self, vectors_mm: ArrayLike) -> NDArray[np.float64]:
        """Component along the viewing direction of head vectors (..., 3): positive points at the viewer."""
        return np.asarray(np.asarray(vectors_mm, np.float64) @ self.view, np.float64)

    def in_picture(self, vectors_mm: ArrayLike) -> NDArray[np.float64]:
        """Head vectors (..., 3) turned into the picture's right, down and towards the viewer, lengths kept."""
        vectors = np.asarray(vectors_mm, np.float64)
        flat = vectors @ (self.axes / np.linalg.norm(self.axes, axis=0))
        return np.concatenate([flat, self.towards_viewer(vectors)[..., None]], axis=-1)


def _checked(landmarks_xy: ArrayLike) -> NDArray[np.float64]:
    landmarks = np.asarray(landmarks_xy, np.float64)
    if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
        raise ValueError(f"landmarks_xy: expected five finite points, got shape {landmarks.shape}")
    if float(np.linalg.norm(landmarks[1] - landmarks[0])) < MIN_EYE_DISTANCE_PX:
        raise ValueError(f"landmarks_xy: the eyes are closer than {MIN_EYE_DISTANCE_PX:g} pixels")
    return landmarks


def _axes(px_per_mm: float, yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Projected axes (3, 2) of a head that is turned about y, then x, then z, in radians."""
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    rotation = about_z @ about_x @ about_y
    return np.asarray(px_per_mm * rotation[:2].T, np.float64)
