"""Non-maximum suppression: of boxes that overlap, the best stays.

On the host, in numpy, on purpose: after the static top-k on the device a picture has some ten to a few
hundred candidates above the threshold, greedy suppression of which takes well under a millisecond here,
while a suppression of static shape inside the graph costs k x k for the largest k ever needed, on every
picture.

Shapes: N candidates.
"""

import numpy as np
from numpy.typing import NDArray

from models.networks.boxes import box_iou


def suppress(
    boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], *, iou_threshold: float, max_kept: int
) -> NDArray[np.intp]:
    """Rows of boxes (N, 4) that stay, best score first, at most ``max_kept``.

    A box goes when its IoU with a better one that stays is above ``iou_threshold``. Equal scores keep their
    order.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting) and len(kept) < max_kept:
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        overlaps = box_iou(boxes_xyxy[best : best + 1], boxes_xyxy[waiting])[0]
        waiting = waiting[overlaps <= iou_threshold]
    return np.array(kept, np.intp)
