"""What the learner sees of one picture: square pixels and what is known of them.

Shapes: S side of the canvas in pixels; G things, I ignored regions; K categories (background left out);
M side of a box-relative pixel label.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Side of ``Canvas.seg_masks``: twice that of the network's answer, so that a proposal cut out of it is sharp.
SEG_MASK_SIDE: Final = 56


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A training picture of ``maskrcnn``.

    - ``pixels``: uint8 (S, S, 3), RGB.
    - ``boxes_xyxy``: float32 (G, 4), canvas pixels, clipped to the canvas, sides above 0.
    - ``admissible``: bool (G, K), the categories that each thing may be; several where a source does not tell
      them apart ("hat" that may be a hard hat), never none.
    - ``seg_masks``: uint8 (G, M, M), 0 or 1, pixels relative to the box; meaningless where not ``has_seg_mask``.
    - ``has_seg_mask``: bool (G,).
    - ``ignored_xyxy``: float32 (I, 4): neither things nor background: no loss there.
    - ``labelled``: bool (K,), categories of which every instance is among the things or the ignored regions.
      A region that is nothing of them may still be something else.
    """

    pixels: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float32]
    admissible: NDArray[np.bool_]
    seg_masks: NDArray[np.uint8]
    has_seg_mask: NDArray[np.bool_]
    ignored_xyxy: NDArray[np.float32]
    labelled: NDArray[np.bool_]
