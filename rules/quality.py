"""How much one look can support, 0 to 1: size, pose, blur, truncation, overlap (ADR 0016)."""

from collections.abc import Sequence
from math import atan2, degrees, hypot
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box, area, overlap

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


def size_quality(height_px: float, input_scale: float) -> float:
    """By the height that the network saw; ``height_px`` in original pixels."""
    return ramp(height_px * input_scale, TOO_SMALL_PX, LARGE_ENOUGH_PX)


def yaw_degrees(landmarks_xy: NDArray[Any]) -> float | None:
    """How far a face is turned to either side, 0 (at us) to 180, from its five landmarks (5, 2); None without them.

    Under orthographic projection a head turned by the angle a shows its pupils D cos(a) apart and the tip of its nose
    ``NOSE_DEPTH`` D sin(a) beside their middle, both measured across the line from the pupils' middle to the mouth's.
    The angle is the arc tangent of the two. Eyes in the wrong order, beyond the profile, give more than 90 degrees.
    """
    eye_a, eye_b, nose, mouth_a, mouth_b = points = landmarks_xy.tolist()
    if not any(x or y for x, y in points):
        return None
    eyes = ((eye_a[0] + eye_b[0]) / 2, (eye_a[1] + eye_b[1]) / 2)
    down = ((mouth_a[0] + mouth_b[0]) / 2 - eyes[0], (mouth_a[1] + mouth_b[1]) / 2 - eyes[1])
    length = hypot(*down)
    if length < 1e-6:
        return 90.0
    across = (down[1] / length, -down[0] / length)
    pupils = (eye_b[0] - eye_a[0]) * across[0] + (eye_b[1] - eye_a[1]) * across[1]
    beside = abs((nose[0] - eyes[0]) * across[0] + (nose[1] - eyes[1]) * across[1])
    return degrees(atan2(beside / NOSE_DEPTH, pupils))


def pose_quality(landmarks_xy: NDArray[Any] | None) -> float:
    """What a face's pose lets us say about a mask; 1 where no landmarks were measured."""
    yaw = None if landmarks_xy is None else yaw_degrees(landmarks_xy)
    return 1.0 if yaw is None else ramp(yaw, PROFILE_YAW_DEG, CLEAR_YAW_DEG)


def truncation_quality(box: Box, image_hw: tuple[int, int]) -> float:
    """By how much of the box lies inside the picture: nothing from 40 % cut off, whole up to 10 %."""
    own = area(box)
    if own <= 0:
        return 0.0
    return ramp(overlap(box, (0.0, 0.0, float(image_hw[1]), float(image_hw[0]))) / own, 0.6, 0.9)


def overlap_qualities(boxes: Sequence[Box]) -> list[float]:
    """For each head of a picture, by how much the others hide of it: whole up to 10 %, nothing from half on.

    The larger head is the nearer one and hides; of two of one size (within 15 %) nobody can say, so both suffer.
    """
    if len(boxes) < 2:
        return [1.0] * len(boxes)
    x1, y1, x2, y2 = np.array(boxes, np.float64).T
    across = np.minimum(x2[:, None], x2[None, :]) - np.maximum(x1[:, None], x1[None, :])
    along = np.minimum(y2[:, None], y2[None, :]) - np.maximum(y1[:, None], y1[None, :])
    own = np.maximum((x2 - x1) * (y2 - y1), 1e-9)
    hidden = np.maximum(across, 0.0) * np.maximum(along, 0.0) / own[:, None]
    hidden[(y2 - y1)[None, :] <= 0.85 * (y2 - y1)[:, None]] = 0.0
    np.fill_diagonal(hidden, 0.0)
    return [ramp(part, 0.5, 0.1) for part in hidden.max(axis=1).tolist()]
