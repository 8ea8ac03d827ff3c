"""Where a box is and how it moves: a Kalman filter of constant velocity in continuous time.

State of each of the four coordinates (middle x, middle y, width, height): its value and velocity. The velocity is
disturbed by white noise of spectral density q, so over dt seconds the covariance grows by
``q * [[dt^3/3, dt^2/2], [dt^2/2, dt]]`` (Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and
Navigation, 2001, section 6.2.2): seconds, not frames. The coordinates are independent of each other, so the filter is
four filters of two states in closed form. All noise scales with the size of the person in the picture.
"""

from collections.abc import Sequence
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


class BoxFilters:
    """The boxes of heads and bodies, a filter a row, predicted and corrected together.

    - ``units_high``: the height of the followed box in head heights (1 for a head, 7.7 for a body).
    - ``noise``: standard deviation of a detection's middle, in head heights; that of its size is taken as 1.5 times as
      large.
    - ``state``: float64 (5, N, 4): mean (middle x, middle y, width, height, in pixels), velocity (their change in a
      second), and the variances of place, of place with velocity, and of velocity.
    - ``boxes`` (N, 4), ``units_px`` (N, 1): the boxes and one head height in pixels, as they are believed to be now.
    """

    __slots__ = ("boxes", "noise", "state", "units_high", "units_px")

    def __init__(self) -> None:
        self.units_high: Vector = np.zeros((0, 1))
        self.noise: Vector = np.zeros((0, 1))
        self.state: Vector = np.zeros((5, 0, 4))
        self.boxes: Vector = np.zeros((0, 4))
        self.units_px: Vector = np.zeros((0, 1))

    def __len__(self) -> int:
        return len(self.noise)

    def add(self, *, units_high: Sequence[float], noise: Sequence[float]) -> None:
        """Append rows, which hold nothing yet; ``begin`` them."""
        self.units_high = np.concatenate([self.units_high, np.array(units_high)[:, None]])
        self.noise = np.concatenate([self.noise, np.array(noise)[:, None]])
        self.state = np.concatenate([self.state, np.zeros((5, len(noise), 4))], axis=1)
        self._show()

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Keep ``rows`` alone, in this order."""
        self.units_high, self.noise = self.units_high[rows], self.noise[rows]
        self.state = self.state[:, rows]
        self.boxes, self.units_px = self.boxes[rows], self.units_px[rows]

    def begin(self, rows: Sequence[int], boxes: Sequence[Box]) -> None:
        """Start ``rows`` with their first detections."""
        if not rows:
            return
        self.state[:, rows] = 0.0
        self.state[0, rows] = measures(boxes)
        self._show()
        self.state[2, rows] = self._noise_px()[rows] ** 2
        self.state[4, rows] = (_FIRST_VELOCITY * self.units_px[rows]) ** 2

    def predict(self, dt_s: float, *, stop: bool = False) -> None:
        """Move on by ``dt_s`` seconds.

        With ``stop`` velocities are forgotten first: nobody walks on evenly while no frames come.
        """
        mean, velocity, place_var, cross_var, velocity_var = self.state
        if stop:
            velocity[:] = 0.0
        if dt_s <= 0 or not len(self):
            return
        density = (_ACCELERATION * self.units_px) ** 2
        mean += velocity * dt_s
        mean[:, 2:] = np.maximum(mean[:, 2:], 1.0)
        place_var[:] = place_var + 2 * dt_s * cross_var + dt_s**2 * velocity_var + density * dt_s**3 / 3
        cross_var[:] = cross_var + dt_s * velocity_var + density * dt_s**2 / 2
        grown = velocity_var + density * dt_s
        self._show()
        velocity_var[:] = np.minimum(grown, _MAX_VELOCITY_VARIANCE * self.units_px**2)
        # the covariance stays positive definite when its parts shrink together
        cross_var *= np.sqrt(velocity_var / grown)

    def correct(self, rows: Sequence[int], boxes: Sequence[Box]) -> None:
        """Give ``rows`` their detections of the present moment."""
        if not rows:
            return
        state = self.state.take(rows, axis=1)
        mean, velocity, place_var, cross_var, velocity_var = state
        innovation = measures(boxes) - mean
        total = place_var + self._noise_px().take(rows, axis=0) ** 2
        gain, velocity_gain = place_var / total, cross_var / total
        mean += gain * innovation
        velocity += velocity_gain * innovation
        velocity_var -= velocity_gain * cross_var
        cross_var *= 1 - gain
        place_var *= 1 - gain
        self.state[:, rows] = state
        self._show()

    def spreads(self) -> Vector:
        """Variances (N, 4) of where the next detections of these boxes will be, in square pixels."""
        return np.asarray(self.state[2] + self._noise_px() ** 2)

    def _noise_px(self) -> Vector:
        return np.asarray(_NOISE * (self.noise * self.units_px + 0.5))

    def _show(self) -> None:
        """Read off the state where the boxes are."""
        mean = self.state[0]
        middle, half = mean[:, :2], np.maximum(mean[:, 2:], 0.0) / 2
        self.boxes = np.concatenate([middle - half, middle + half], axis=1)
        self.units_px = np.maximum(1.0, mean[:, 3:]) / self.units_high


def measures(boxes: Sequence[Box] | Vector) -> Vector:
    """Middle x, middle y, width and height of boxes, float64 (N, 4)."""
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    first, last = corners[:, :2], corners[:, 2:]
    return np.concatenate([(first + last) / 2, last - first], axis=1)


def mahalanobis(means: Vector, spreads: Vector, seen: Vector) -> Vector:
    """Squared Mahalanobis distances (P,) of detections from predictions with variances, all (P, 4)."""
    return np.asarray((((seen - means) ** 2 / spreads).T).sum(axis=0))


def log_spreads(heights: Vector, spreads: Vector) -> Vector:
    """Log determinants (T,) of variances (T, 4) relative to the predicted heights (T, 1)."""
    return np.asarray(np.log(spreads / np.maximum(heights, 1.0) ** 2).sum(-1))
