"""Where a box is and how it moves: a Kalman filter of constant velocity in continuous time.

State of each of the four coordinates (middle x, middle y, width, height): its value and velocity. The velocity is
disturbed by white noise of spectral density q, so over dt seconds the covariance grows by
``q * [[dt^3/3, dt^2/2], [dt^2/2, dt]]`` (Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and
Navigation, 2001, section 6.2.2): seconds, not frames. The coordinates are independent of each other, so the filter is
four filters of two states in closed form. All noise scales with the size of the person in the picture.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box

Vector = NDArray[np.float64]

#: Standard deviation of the change of velocity in one second: place and size, in units (head heights) per second.
_ACCELERATION: Final = np.array([1.2, 1.2, 0.25, 0.25])
#: What is known of the velocity of something seen once: it may walk (1.4 m/s are 6 head heights a second).
_FIRST_VELOCITY: Final = np.array([3.0, 3.0, 0.4, 0.4])
#: Nobody's velocity is less certain than this, however long unseen.
_MAX_VELOCITY_VARIANCE: Final = 16.0


class BoxFilter:
    """The box of one head or one body, predicted and corrected.

    ``unit_px`` is the head height in pixels at the beginning; it follows the filtered height. ``units_high`` is the
    height of the followed box in head heights (1 for a head, 7.7 for a body). ``noise`` is the standard deviation of a
    detection's middle, in units; that of its size is taken as 1.5 times as large.
    """

    def __init__(self, box: Box, *, units_high: float, noise: float) -> None:
        self._units_high = units_high
        self._noise = noise
        self.mean = _measure(box)
        self.velocity: Vector = np.zeros(4)
        variance = self._noise_px() ** 2
        self._place_var: Vector = variance
        self._cross_var: Vector = np.zeros(4)
        self._velocity_var: Vector = (_FIRST_VELOCITY * self.unit_px) ** 2

    @property
    def unit_px(self) -> float:
        """One head height in pixels."""
        return max(1.0, float(self.mean[3])) / self._units_high

    @property
    def box(self) -> Box:
        """The box as it is believed to be now."""
        x, y, w, h = (float(value) for value in self.mean)
        half_w, half_h = max(w, 0.0) / 2, max(h, 0.0) / 2
        return x - half_w, y - half_h, x + half_w, y + half_h

    @property
    def speed(self) -> float:
        """Head heights per second."""
        return float(np.hypot(self.velocity[0], self.velocity[1])) / self.unit_px

    def predict(self, dt_s: float) -> None:
        """Move on by ``dt_s`` seconds."""
        if dt_s <= 0:
            return
        density = (_ACCELERATION * self.unit_px) ** 2
        self.mean = self.mean + self.velocity * dt_s
        self.mean[2:] = np.maximum(self.mean[2:], 1.0)
        self._place_var = (
            self._place_var
            + 2 * dt_s * self._cross_var
            + dt_s**2 * self._velocity_var
            + density * dt_s**3 / 3
        )
        self._cross_var = self._cross_var + dt_s * self._velocity_var + density * dt_s**2 / 2
        grown = self._velocity_var + density * dt_s
        self._velocity_var = np.minimum(grown, _MAX_VELOCITY_VARIANCE * self.unit_px**2)
        # the covariance stays positive definite when its parts shrink together
        self._cross_var = self._cross_var * np.sqrt(self._velocity_var / grown)

    def correct(self, box: Box) -> None:
        """Take a detection of the present moment."""
        innovation = _measure(box) - self.mean
        total = self._place_var + self._noise_px() ** 2
        gain, velocity_gain = self._place_var / total, self._cross_var / total
        self.mean = self.mean + gain * innovation
        self.velocity = self.velocity + velocity_gain * innovation
        self._velocity_var = self._velocity_var - velocity_gain * self._cross_var
        self._cross_var = (1 - gain) * self._cross_var
        self._place_var = (1 - gain) * self._place_var

    def spread(self) -> Vector:
        """Variances (4,) of where the next detection of this box will be, in square pixels."""
        return self._place_var + self._noise_px() ** 2

    def ahead(self, dt_s: float) -> tuple[float, float]:
        """The middle of the box ``dt_s`` seconds from now, if it goes on like this."""
        return float(self.mean[0] + dt_s * self.velocity[0]), float(self.mean[1] + dt_s * self.velocity[1])

    def stop(self) -> None:
        """Forget the velocity: nobody walks on evenly while no frames come."""
        self.velocity = np.zeros(4)

    def _noise_px(self) -> Vector:
        return np.array([1.0, 1.0, 1.5, 1.5]) * (self._noise * self.unit_px + 0.5)


def measures(boxes: list[Box]) -> Vector:
    """Middle x, middle y, width and height of boxes, float64 (N, 4)."""
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    first, last = corners[:, :2], corners[:, 2:]
    return np.concatenate([(first + last) / 2, last - first], axis=1)


def mahalanobis(means: Vector, spreads: Vector, seen: Vector) -> tuple[Vector, Vector]:
    """Squared Mahalanobis distances (T, N) of detections (N, 4) from predictions (T, 4) with variances (T, 4), and the
    log determinants (T,) of those variances relative to the predicted heights.
    """
    difference: NDArray[Any] = seen[None, :, :] - means[:, None, :]
    distances = (difference**2 / spreads[:, None, :]).sum(-1)
    return distances, np.log(spreads / np.maximum(means[:, 3:4], 1.0) ** 2).sum(-1)


def _measure(box: Box) -> Vector:
    x1, y1, x2, y2 = box
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], np.float64)
