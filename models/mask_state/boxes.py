"""Where a face ends, told from its crop: a second look at the boxes of the face detector, in the manner of a cascade
(Zhang et al. 2016, arXiv:1604.02878; Cai & Vasconcelos 2018, arXiv:1712.00726).

The detector sees the whole picture shrunk; the crop shows each face at the picture's own resolution. Deltas are those
of Faster R-CNN (Ren et al. 2015, arXiv:1506.01497, equation 2), relative to the box that the crops' geometry implies.

Shapes: N faces. Crops count from 0 to 1 over their side.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.mask_state.crops import CropGeometry
from models.networks.boxes import CENTRE_VARIANCE, SIDE_VARIANCE, boxes_from_deltas, encode_boxes

#: A box is never told more than this factor larger or smaller than the implied one: exp keeps finite.
_MOST_LOG_SCALE: Final = 2.0

#: The shared coder divides by SSD's variances; these deltas are not divided.
_VARIANCES: Final = np.array([CENTRE_VARIANCE, CENTRE_VARIANCE, SIDE_VARIANCE, SIDE_VARIANCE], np.float32)


def _implied(geometry: CropGeometry) -> NDArray[np.float32]:
    """The box around which a crop of this geometry is cut, as an anchor (1, 4): centre x, centre y, width, height."""
    side = 1 / geometry.context
    return np.array([[0.5, 0.5 - geometry.lowered * side, side, side]], np.float32)


def deltas_of(boxes_in_crop: NDArray[np.floating[Any]], geometry: CropGeometry) -> NDArray[np.float32]:
    """What the network learns for boxes (N, 4), (x1, y1, x2, y2) in crops: float32 (N, 4)."""
    boxes = np.asarray(boxes_in_crop, np.float32)
    # an empty box has no logarithm
    boxes = np.concatenate([boxes[:, :2], np.maximum(boxes[:, 2:], boxes[:, :2] + 1e-6)], axis=1)
    deltas = encode_boxes(boxes, _implied(geometry)) * _VARIANCES
    deltas[:, 2:] = np.clip(deltas[:, 2:], -_MOST_LOG_SCALE, _MOST_LOG_SCALE)
    return deltas


def boxes_of(deltas: NDArray[np.floating[Any]], geometry: CropGeometry) -> NDArray[np.float32]:
    """The boxes in crops that ``deltas`` (N, 4) speak of: float32 (N, 4); the other way round of ``deltas_of``."""
    rows = np.array(deltas, np.float32)
    rows[:, 2:] = np.clip(rows[:, 2:], -_MOST_LOG_SCALE, _MOST_LOG_SCALE)
    return boxes_from_deltas(rows / _VARIANCES, _implied(geometry))


def in_picture(
    boxes_in_crop: NDArray[np.float32], squares_xyxy: Sequence[tuple[int, int, int, int]]
) -> NDArray[np.float32]:
    """Boxes (N, 4) in crops, as pixels of the picture from which the N squares were cut: float32 (N, 4)."""
    squares = np.array(squares_xyxy, np.float64).reshape(-1, 4)
    sides = squares[:, 2:3] - squares[:, :1]
    return (np.tile(squares[:, :2], 2) + boxes_in_crop * sides).astype(np.float32)
