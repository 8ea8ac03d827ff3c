"""Grids of points in space, and how fine they are worth making.

Shapes: R, C rows and columns of a grid.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.data.synthetic_gear.head_frame import HeadFrame

Region = tuple[int, int, int, int]

_FINEST_MM: Final = 0.6  # fineness of the drawing before it is averaged down to the picture's pixels
_MOST_SUPERSAMPLE: Final = 4
_CELL_PX: Final = 3.0  # of the fine drawing: smaller cells of a grid cannot be seen


def supersample(px_per_mm: float) -> int:
    """How many times as fine as the picture a head of this scale is drawn."""
    return int(np.clip(np.ceil(1 / (_FINEST_MM * px_per_mm)), 2, _MOST_SUPERSAMPLE))


def cell_mm(px_per_mm: float, *, least_mm: float = 3.5) -> float:
    """How large the cells of a grid may be on a head of this scale."""
    return max(least_mm, _CELL_PX / (px_per_mm * supersample(px_per_mm)))


def refined(control_mm: NDArray[np.float64], count_rc: tuple[int, int]) -> NDArray[np.float64]:
    """A grid of control points interpolated smoothly to (R, C, 3)."""
    rows, columns = np.meshgrid(
        np.linspace(0, control_mm.shape[0] - 1, count_rc[0], dtype=np.float32),
        np.linspace(0, control_mm.shape[1] - 1, count_rc[1], dtype=np.float32),
        indexing="ij",
    )
    control = control_mm.astype(np.float32)
    return np.asarray(
        cv2.remap(control, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), float
    )


def normals_of(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions out of a surface (R, C, 3) at its points, length 1 (0 where it has no area)."""
    normals = np.cross(np.gradient(points_mm, axis=1), np.gradient(points_mm, axis=0))
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9), np.float64)


def region_of(
    frame: HeadFrame, points_mm: NDArray[np.float64], image_hw: tuple[int, ...], *, margin_mm: float
) -> Region | None:
    """The part of a picture that points (..., 3) touch, with a margin; None when it is outside."""
    points = frame.project(points_mm).reshape(-1, 2)
    margin = margin_mm * frame.px_per_mm + 2
    x1, y1 = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(points.max(axis=0) + margin), (image_hw[1], image_hw[0])).astype(int)
    return (int(x1), int(y1), int(x2), int(y2)) if x1 < x2 and y1 < y2 else None


def ellipsoid(centre_mm: ArrayLike, half_axes_mm: ArrayLike) -> NDArray[np.float64]:
    """Points (R, C, 3) of an ellipsoid along the head's axes."""
    around = np.linspace(-np.pi, np.pi, 33)[None, :]
    down = np.linspace(0, np.pi, 19)[:, None]
    unit = np.stack(
        np.broadcast_arrays(np.sin(down) * np.sin(around), -np.cos(down), np.sin(down) * np.cos(around)),
        axis=-1,
    )
    return np.asarray(np.asarray(centre_mm) + unit * np.asarray(half_axes_mm), np.float64)


def cylinder(
    middle_mm: NDArray[np.float64], normal: NDArray[np.float64], radius_mm: float, height_mm: float
) -> NDArray[np.float64]:
    """Points (R, C, 3) of a low cylinder on a surface, its edge rounded, from its middle to its foot."""
    right = np.cross((0.0, 1.0, 0.0), normal)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    below = np.cross(normal, right)
    around = np.linspace(0, 2 * np.pi, 25)[None, :, None]
    part = np.array([0.0, 0.4, 0.7, 0.88, 0.97, 1.0, 1.0])[:, None, None]
    height = height_mm * np.array([1.0, 1.0, 0.97, 0.9, 0.75, 0.4, -0.5])[:, None, None]
    spoke = np.cos(around) * right - np.sin(around) * below
    return np.asarray(middle_mm + radius_mm * part * spoke + height * normal, np.float64)
