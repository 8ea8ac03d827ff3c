"""How pyramid levels lie over the input, and which of them suits a box."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LevelGeometry:
    """How pyramid levels lie over the input.

    - ``strides``: input pixels per place, fine levels first.
    - ``canonical_px``: boxes of this side are looked at on the third level; of half of it on the second.
    - ``cell_offset``: where in its place a feature stands: 0.5 in the middle (as Detectron2 has it), 0 at the
      upper left corner (as Matterport's anchors have it).
    - ``corner_aligned``: samples go from edge to edge of a box instead of over its bins, and the outermost
      places stand on the outermost pixels of the input: what Matterport's weights were trained with
      (``tf.image.crop_and_resize``), up to a place beside ours.
    """

    strides: tuple[int, ...]
    canonical_px: float = 224.0
    cell_offset: float = 0.5
    corner_aligned: bool = False


def suiting_levels(boxes_xyxy: NDArray[np.float32], geometry: LevelGeometry) -> NDArray[np.intp]:
    """Which level (index) each of the boxes (R, 4) is looked at, on the host; ``roi_align.level_of`` in a graph."""
    side = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 1e-6)
    octave = np.log2(np.sqrt(side[:, 0] * side[:, 1]) / geometry.canonical_px)
    levels: NDArray[np.intp] = np.clip(np.round(octave) + 2, 0, len(geometry.strides) - 1).astype(np.intp)
    return levels
