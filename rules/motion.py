"""Where a box is and how it moves: a Kalman filter of constant velocity in continuous time.

State of each of the four coordinates (middle x, middle y, width, height): its value and velocity. The velocity is
disturbed by white noise of spectral density q, so over dt seconds the covariance grows by
``q * [[dt^3/3, dt^2/2], [dt^2/2, dt]]`` (Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and
Navigation, 2001, section 6.2.2): seconds, not frames. The coordinates are independent of each other, so the filter is
four filters of two states in closed form. All noise scales with the size of the person in the picture.
"""

from collections.abc import Sequence
from math import hypot
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box

Vector = NDArray[np.float64]

#: Standard deviation of the change of velocity in one second: place and size, in units (head heights) per second.
_ACCELERATION: Final = np.array([1.2, 1.2, 0.25, 0.25])
#: What is known of the velocity of something seen once: it may walk (1.4 m/s are 6 head heights a second).
_FIRST_VELOCITY: Final = np.array([3.0, 3.0, 0.4, 0.4])
#: Standard deviations of a detection's place and size, relative to each other.
_NOISE: Final = np.array([1.0, 1.0, 1.5, 1.5])
#: Nobody's velocity is less certain than this, however long unseen.
_MAX_VELOCITY_VARIANCE: Final = 16.0


class BoxFilter:
    """The box of one head or one body, predicted and corrected.

    ``unit_px`` is the head height in pixels at the beginning; it follows the filtered height. ``units_high`` is the
    height of the followed box in head heights (1 for a head, 7.7 for a body). ``noise`` is the standard deviation of a
    detection's middle, in units; that of its size is taken as 1.5 times as large.

    ``box`` and ``unit_px`` (one head height in pixels) are as they are believed to be now. The filters of a picture
    are moved together by ``predict_all`` and ``correct_all``, which give them rows of one array as their ``state``.
    """

    __slots__ = ("box", "noise", "state", "unit_px", "units_high")

    def __init__(self, box: Box, *, units_high: float, noise: float) -> None:
        self.units_high = units_high
        self.noise = noise
        mean = measures([box])
        self.box: Box
        self.unit_px: float
        #: (5, 1, 4): mean, velocity, and the variances of place, of place with velocity, and of velocity
        self.state: Vector = np.zeros((5, 1, 4))
        self.state[0] = mean
        _show([self], self.state)
        self.state[2] = _noise_px([self]) ** 2
        self.state[4] = (_FIRST_VELOCITY * self.unit_px) ** 2

    @property
    def mean(self) -> Vector:
        """Middle x, middle y, width and height, float64 (4,), in pixels."""
        return np.asarray(self.state[0, 0])

    @property
    def velocity(self) -> Vector:
        """Their change in a second, float64 (4,)."""
        return np.asarray(self.state[1, 0])

    @property
    def speed(self) -> float:
        """Head heights per second."""
        x, y = self.state[1, 0, :2].tolist()
        return float(hypot(x, y)) / self.unit_px

    def predict(self, dt_s: float) -> None:
        """Move on by ``dt_s`` seconds."""
        predict_all([self], dt_s)

    def correct(self, box: Box) -> None:
        """Take a detection of the present moment."""
        correct_all([self], [box])

    def spread(self) -> Vector:
        """Variances (4,) of where the next detection of this box will be, in square pixels."""
        return np.asarray(spreads_of([self])[0])

    def ahead(self, dt_s: float) -> tuple[float, float]:
        """The middle of the box ``dt_s`` seconds from now, if it goes on like this."""
        (x, y), (dx, dy) = self.state[:2, 0, :2].tolist()
        return x + dt_s * dx, y + dt_s * dy


def predict_all(filters: Sequence[BoxFilter], dt_s: float, *, stop: bool = False) -> None:
    """Move filters on by ``dt_s`` seconds.

    With ``stop`` their velocities are forgotten first: nobody walks on evenly while no frames come.
    """
    if not filters:
        return
    state = _states(filters)
    if stop:
        state[1] = 0.0
    if dt_s > 0:
        mean, velocity, place_var, cross_var, velocity_var = state
        density = (_ACCELERATION * _units_px(filters)) ** 2
        mean += velocity * dt_s
        mean[:, 2:] = np.maximum(mean[:, 2:], 1.0)
        place_var[:] = place_var + 2 * dt_s * cross_var + dt_s**2 * velocity_var + density * dt_s**3 / 3
        cross_var[:] = cross_var + dt_s * velocity_var + density * dt_s**2 / 2
        grown = velocity_var + density * dt_s
        _show(filters, state)
        velocity_var[:] = np.minimum(grown, _MAX_VELOCITY_VARIANCE * _units_px(filters) ** 2)
        # the covariance stays positive definite when its parts shrink together
        cross_var *= np.sqrt(velocity_var / grown)
    else:
        _show(filters, state)


def correct_all(filters: Sequence[BoxFilter], boxes: Sequence[Box]) -> None:
    """Give each of ``filters`` its detection of the present moment."""
    if not filters:
        return
    state = _states(filters)
    mean, velocity, place_var, cross_var, velocity_var = state
    innovation = measures(boxes) - mean
    total = place_var + _noise_px(filters) ** 2
    gain, velocity_gain = place_var / total, cross_var / total
    mean += gain * innovation
    velocity += velocity_gain * innovation
    velocity_var -= velocity_gain * cross_var
    cross_var[:] = (1 - gain) * cross_var
    place_var[:] = (1 - gain) * place_var
    _show(filters, state)


def spreads_of(filters: Sequence[BoxFilter]) -> Vector:
    """Variances (N, 4) of where the next detections of these boxes will be, in square pixels."""
    place_var = np.concatenate([follow.state[2] for follow in filters])
    return np.asarray(place_var + _noise_px(filters) ** 2)


def _states(filters: Sequence[BoxFilter]) -> Vector:
    return np.concatenate([follow.state for follow in filters], axis=1)


def _show(filters: Sequence[BoxFilter], state: Vector) -> None:
    """Give filters their rows of ``state`` (5, N, 4), and what is read off them."""
    middle, half = state[0, :, :2], np.maximum(state[0, :, 2:], 0.0) / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1).tolist()
    heights = np.maximum(1.0, state[0, :, 3]).tolist()
    for row, (follow, (x1, y1, x2, y2), height) in enumerate(zip(filters, boxes, heights, strict=True)):
        follow.state = state[:, row : row + 1]
        follow.box = x1, y1, x2, y2
        follow.unit_px = height / follow.units_high


def _units_px(filters: Sequence[BoxFilter]) -> Vector:
    return np.array([follow.unit_px for follow in filters])[:, None]


def _noise_px(filters: Sequence[BoxFilter]) -> Vector:
    return _NOISE * (np.array([follow.noise * follow.unit_px for follow in filters])[:, None] + 0.5)


def measures(boxes: Sequence[Box] | Vector) -> Vector:
    """Middle x, middle y, width and height of boxes, float64 (N, 4)."""
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    first, last = corners[:, :2], corners[:, 2:]
    return np.concatenate([(first + last) / 2, last - first], axis=1)


def mahalanobis(means: Vector, spreads: Vector, seen: Vector) -> tuple[Vector, Vector]:
    """Squared Mahalanobis distances (T, N) of detections (N, 4) from predictions (T, 4) with variances (T, 4), and the
    log determinants (T,) of those variances relative to the predicted heights.
    """
    difference = seen.T[:, None, :] - means.T[:, :, None]
    distances = (difference**2 / spreads.T[:, :, None]).sum(axis=0)
    return distances, np.log(spreads / np.maximum(means[:, 3:4], 1.0) ** 2).sum(-1)
