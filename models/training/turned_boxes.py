"""Where boxes go when their picture is turned, scaled, stretched and mirrored.

Boxes count from the edges of pixels: the first one reaches from 0 to 1. So do the matrices here; those of OpenCV
count from the pixels' centres, of which the first lies at 0.

Shapes: N boxes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def turned_boxes(boxes_xyxy: NDArray[Any], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes (N, 4) around the ellipses inside boxes (N, 4) after the affine ``matrix`` (2, 3): corners of a box would
    swell with the angle, faces and heads do not.
    """
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2
    reach = np.sqrt(half**2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centre - reach, centre + reach], axis=1)


def matrix_of_edges(matrix_of_centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (2, 3) for coordinates that count from pixel edges, of one as OpenCV warps by it."""
    linear = matrix_of_centres[:, :2]
    return np.column_stack([linear, matrix_of_centres[:, 2] + 0.5 - linear.sum(axis=1) / 2])


def matrix_of_centres(matrix_of_edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """What OpenCV must warp by, (2, 3), so that pixels go where ``matrix_of_edges`` takes boxes."""
    linear = matrix_of_edges[:, :2]
    return np.column_stack([linear, matrix_of_edges[:, 2] - 0.5 + linear.sum(axis=1) / 2])
