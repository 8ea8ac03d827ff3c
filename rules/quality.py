"""How much one look can support, 0 to 1: size, pose, blur, truncation, overlap (ADR 0016)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import areas, near_pairs, overlaps
from rules.parts import PartGroup

#: Heights at the network's input between which quality rises from 0 to 1, in pixels.
TOO_SMALL_PX: Final = 10.0
LARGE_ENOUGH_PX: Final = 24.0
#: Yaw up to which a face shows both nose and mouth, and from which it is a deep profile, in degrees.
CLEAR_YAW_DEG: Final = 40.0
PROFILE_YAW_DEG: Final = 65.0
#: How far the tip of the nose stands before the line between the pupils, over the distance of the pupils: about 29 mm
#: over 63 mm in adults.
NOSE_DEPTH: Final = 0.46


def ramp(value: float, zero_at: float, one_at: float) -> float:
    """0 at ``zero_at``, 1 at ``one_at``, linear between, bounded beyond; also downwards."""
    return min(1.0, max(0.0, (value - zero_at) / (one_at - zero_at)))


def size_qualities(heights_px: NDArray[Any], input_scales: NDArray[Any] | float) -> NDArray[np.float64]:
    """By the heights that the network saw; ``heights_px`` in original pixels, ``input_scales`` one each, or one."""
    return ramps(heights_px * input_scales, TOO_SMALL_PX, LARGE_ENOUGH_PX)


def ramps(values: NDArray[Any], zero_at: float, one_at: float) -> NDArray[np.float64]:
    """``ramp`` of many values."""
    return np.asarray(np.minimum(1.0, np.maximum(0.0, (values - zero_at) / (one_at - zero_at))), np.float64)


def yaws_degrees(landmarks_xy: NDArray[Any]) -> NDArray[np.float64]:
    """How far faces are turned to either side, 0 (at us) to 180, from their five landmarks (N, 5, 2).

    Under orthographic projection a head turned by the angle a shows its pupils D cos(a) apart and the tip of its nose
    ``NOSE_DEPTH`` D sin(a) beside their middle, both measured across the line from the pupils' middle to the mouth's.
    The angle is the arc tangent of the two. Eyes in the wrong order, beyond the profile, give more than 90 degrees.
    """
    points = np.asarray(landmarks_xy, np.float64)
    eye_a, eye_b, nose, mouth_a, mouth_b = (points[:, row] for row in range(5))
    eyes = (eye_a + eye_b) / 2
    down = (mouth_a + mouth_b) / 2 - eyes
    length = np.hypot(down[:, 0], down[:, 1])
    across = down[:, ::-1] * (1.0, -1.0) / np.maximum(length, 1e-6)[:, None]
    pupils = ((eye_b - eye_a) * across).sum(axis=1)
    beside = np.abs(((nose - eyes) * across).sum(axis=1))
    return np.where(length < 1e-6, 90.0, np.degrees(np.arctan2(beside / NOSE_DEPTH, pupils)))


def poses_of(faces: PartGroup) -> NDArray[np.float64]:
    """What the poses of faces (N,) let us say about a mask; 1 where no landmarks were measured."""
    yaws = yaws_degrees(faces.landmarks_xy)
    return np.where(faces.has_landmarks, ramps(yaws, PROFILE_YAW_DEG, CLEAR_YAW_DEG), 1.0)


def truncation_qualities(boxes: NDArray[np.float64], image_hw: tuple[int, int]) -> NDArray[np.float64]:
    """By how much of each box (N, 4) lies inside the picture: nothing from 40 % cut off, whole up to 10 %."""
    own = areas(boxes)
    inside = overlaps(boxes, np.array([0.0, 0.0, image_hw[1], image_hw[0]]))
    return np.where(own > 0, ramps(inside / np.maximum(own, 1e-9), 0.6, 0.9), 0.0)


def overlap_qualities(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each head (N, 4) of a picture, by how much the others hide of it: whole up to 10 %, nothing from half on.

    The larger head is the nearer one and hides; of two of one size (within 15 %) nobody can say, so both suffer.
    """
    if len(boxes) < 2:
        return np.ones(len(boxes))
    rows, others = near_pairs(boxes, boxes)
    heights = boxes[:, 3] - boxes[:, 1]
    hides = (rows != others) & (heights[others] > 0.85 * heights[rows])
    rows, others = rows[hides], others[hides]
    hidden = np.zeros(len(boxes))
    if len(rows):
        shared = overlaps(boxes[rows], boxes[others]) / np.maximum(areas(boxes), 1e-9)[rows]
        np.maximum.at(hidden, rows, shared)
    return ramps(hidden, 0.5, 0.1)
