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

from rules.geometry import Edges, Vector

#: Float64 (4, N): a row a coordinate, as ``Edges`` are.
Measures = NDArray[np.float64]

#: Standard deviation of the change of velocity in one second: place and size, in units (head heights) per second.
_ACCELERATION: Final = np.array([[1.2], [1.2], [0.25], [0.25]])
#: What is known of the velocity of something seen once: it may walk (1.4 m/s are 6 head heights a second).
_FIRST_VELOCITY: Final = np.array([[3.0], [3.0], [0.4], [0.4]])
#: Standard deviations of a detection's place and size, relative to each other.
_NOISE: Final = np.array([[1.0], [1.0], [1.5], [1.5]])
#: Nobody's velocity is less certain than this, however long unseen.
_MAX_VELOCITY_VARIANCE: Final = 16.0


class BoxFilters:
    """The boxes of N heads and bodies, a filter each, predicted and corrected together.

    - ``units_high``: the height of the followed box in head heights (1 for a head, 7.7 for a body).
    - ``noise``: standard deviation of a detection's middle, in head heights; that of its size is taken as 1.5 times as
      large.
    - ``state``: float64 (5, 4, N): mean (middle x, middle y, width, height, in pixels), velocity (their change in a
      second), and the variances of place, of place with velocity, and of velocity.
    - ``edges`` (4, N), ``units_px`` (N,): the boxes and one head height in pixels, as they are believed to be now.
    """

    __slots__ = ("edges", "noise", "state", "units_high", "units_px")

    def __init__(self) -> None:
        self.units_high: Vector = np.zeros(0)
        self.noise: Vector = np.zeros(0)
        self.state: NDArray[np.float64] = np.zeros((5, 4, 0))
        self.edges: Edges = np.zeros((4, 0))
        self.units_px: Vector = np.zeros(0)

    def __len__(self) -> int:
        return len(self.noise)

    def add(self, *, units_high: Sequence[float], noise: Sequence[float]) -> None:
        """Append filters, which hold nothing yet; ``begin`` them."""
        self.units_high = np.concatenate([self.units_high, units_high])
        self.noise = np.concatenate([self.noise, noise])
        self.state = np.concatenate([self.state, np.zeros((5, 4, len(noise)))], axis=2)
        self._show()

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Keep the filters at ``rows`` alone, in this order."""
        self.units_high, self.noise = self.units_high.take(rows), self.noise.take(rows)
        self.state = self.state.take(rows, axis=2)
        self._show()

    def begin(self, rows: Sequence[int] | NDArray[np.intp], edges: Edges) -> None:
        """Start the filters at ``rows`` with their first detections."""
        self.state[:, :, rows] = 0.0
        self.state[0][:, rows] = measures(edges)
        self._show()
        self.state[2][:, rows] = self._noise_px()[:, rows] ** 2
        self.state[4][:, rows] = (_FIRST_VELOCITY * self.units_px[rows]) ** 2

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
        np.maximum(mean[2:], 1.0, out=mean[2:])
        place_var[:] = place_var + 2 * dt_s * cross_var + dt_s**2 * velocity_var + density * dt_s**3 / 3
        cross_var[:] = cross_var + dt_s * velocity_var + density * dt_s**2 / 2
        grown = velocity_var + density * dt_s
        self._show()
        np.minimum(grown, _MAX_VELOCITY_VARIANCE * self.units_px**2, out=velocity_var)
        # the covariance stays positive definite when its parts shrink together
        cross_var *= np.sqrt(velocity_var / grown)

    def correct(self, rows: Sequence[int] | NDArray[np.intp], edges: Edges) -> None:
        """Give the filters at ``rows`` their detections of the present moment."""
        state = self.state.take(rows, axis=2)
        mean, velocity, place_var, cross_var, velocity_var = state
        innovation = measures(edges) - mean
        total = place_var + self._noise_px().take(rows, axis=1) ** 2
        gain, velocity_gain = place_var / total, cross_var / total
        mean += gain * innovation
        velocity += velocity_gain * innovation
        velocity_var -= velocity_gain * cross_var
        rest = 1 - gain
        cross_var *= rest
        place_var *= rest
        self.state[:, :, rows] = state
        self._show()

    def spreads(self) -> Measures:
        """Variances (4, N) of where the next detections of these boxes will be, in square pixels."""
        return np.asarray(self.state[2] + self._noise_px() ** 2)

    def _noise_px(self) -> Measures:
        return np.asarray(_NOISE * (self.noise * self.units_px + 0.5))

    def _show(self) -> None:
        """Read off the state where the boxes are."""
        mean = self.state[0]
        middle, half = mean[:2], np.maximum(mean[2:], 0.0) / 2
        self.edges = np.concatenate([middle - half, middle + half])
        self.units_px = np.maximum(1.0, mean[3]) / self.units_high


def measures(edges: Edges) -> Measures:
    """Middle x, middle y, width and height of boxes (4, N)."""
    first, last = edges[:2], edges[2:]
    return np.concatenate([(first + last) / 2, last - first])


def mahalanobis(means: Measures, spreads: Measures, seen: Measures) -> Vector:
    """Squared Mahalanobis distances (P,) of detections from predictions with variances, all (4, P)."""
    return np.asarray(np.add.reduce((seen - means) ** 2 / spreads, axis=0))


def log_spreads(heights: Vector, spreads: Measures) -> Vector:
    """Log determinants (T,) of variances (4, T) relative to the predicted heights (T,)."""
    return np.asarray(np.add.reduce(np.log(spreads / np.maximum(heights, 1.0) ** 2), axis=0))
