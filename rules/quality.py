"""How much one look can support, 0 to 1: size, pose, blur, truncation, overlap (ADR 0016)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Edges, Vector, areas, near_pairs, overlaps
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


def yaws_degrees(landmarks: NDArray[np.float64]) -> Vector:
    """How far faces are turned to either side, 0 (at us) to 180, from their five landmarks, x and y by turns (10, N).

    Under orthographic projection a head turned by the angle a shows its pupils D cos(a) apart and the tip of its nose
    ``NOSE_DEPTH`` D sin(a) beside their middle, both measured across the line from the pupils' middle to the mouth's.
    The angle is the arc tangent of the two. Eyes in the wrong order, beyond the profile, give more than 90 degrees.
    """
    ax, ay, bx, by, nose_x, nose_y, left_x, left_y, right_x, right_y = landmarks
    eyes_x, eyes_y = (ax + bx) / 2, (ay + by) / 2
    down_x, down_y = (left_x + right_x) / 2 - eyes_x, (left_y + right_y) / 2 - eyes_y
    length = np.hypot(down_x, down_y)
    least = np.maximum(length, 1e-6)
    across_x, across_y = down_y / least, -down_x / least
    pupils = (bx - ax) * across_x + (by - ay) * across_y
    beside = np.abs((nose_x - eyes_x) * across_x + (nose_y - eyes_y) * across_y)
    return np.where(length < 1e-6, 90.0, np.degrees(np.arctan2(beside / NOSE_DEPTH, pupils)))


def poses_of(faces: PartGroup) -> Vector:
    """What the poses of faces (N,) let us say about a mask; 1 where no landmarks were measured."""
    poses = ramps(yaws_degrees(faces.landmarks), PROFILE_YAW_DEG, CLEAR_YAW_DEG)
    return np.where(faces.has_landmarks, poses, 1.0)


def truncation_qualities(edges: Edges, image_hw: tuple[int, int]) -> Vector:
    """By how much of each box (4, N) lies inside the picture: nothing from 40 % cut off, whole up to 10 %."""
    own = areas(edges)
    inside = overlaps(edges, np.array([[0.0], [0.0], [image_hw[1]], [image_hw[0]]]))
    return np.where(own > 0, ramps(inside / np.maximum(own, 1e-9), 0.6, 0.9), 0.0)


def overlap_qualities(edges: Edges) -> Vector:
    """For each head (4, N) of a picture, by how much the others hide of it: whole up to 10 %, nothing from half on.

    The larger head is the nearer one and hides; of two of one size (within 15 %) nobody can say, so both suffer.
    """
    if edges.shape[1] < 2:
        return np.ones(edges.shape[1])
    rows, others = near_pairs(edges, edges)
    apart = (rows != others).nonzero()[0]
    if not len(apart):
        return np.ones(edges.shape[1])
    rows, others = rows.take(apart), others.take(apart)
    heights = edges[3] - edges[1]
    hides = heights.take(others) > 0.85 * heights.take(rows)
    rows, others = rows[hides], others[hides]
    shared = overlaps(edges.take(rows, axis=1), edges.take(others, axis=1))
    hidden = np.zeros(edges.shape[1])
    np.maximum.at(hidden, rows, shared / np.maximum(areas(edges), 1e-9).take(rows))
    return ramps(hidden, 0.5, 0.1)
