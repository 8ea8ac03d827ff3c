"""Non-maximum suppression: of boxes that overlap, the best stays.

On the host, in numpy, on purpose: after the static top-k on the device a picture has some ten to a few
hundred candidates above the threshold, greedy suppression of which takes well under a millisecond here,
while a suppression of static shape inside the graph costs k x k for the largest k ever needed, on every
picture.

Shapes: N candidates.
"""

import numpy as np
from numpy.typing import NDArray


def suppress(
    boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], *, iou_threshold: float, max_kept: int
) -> NDArray[np.intp]:
    """Rows of boxes (N, 4) that stay, best score first, at most ``max_kept``.

    A box goes when its IoU with a better one that stays is above ``iou_threshold``. Equal scores keep their
    order.
    """
    order = np.argsort(-scores, kind="stable")
    return order[surviving_rows(boxes_xyxy[order], iou_threshold, max_kept)]


def surviving_rows(boxes_xyxy: NDArray[np.float32], iou_threshold: float, most: int) -> NDArray[np.intp]:
    """Rows of boxes (N, 4), best first, that greedy suppression leaves: the first ``most``.

    A box goes when its IoU with a better one that stays is above ``iou_threshold``.
    """
    x1, y1, x2, y2 = np.ascontiguousarray(boxes_xyxy.T)
    area = (x2 - x1) * (y2 - y1)
    waiting = np.arange(len(boxes_xyxy))
    kept: list[int] = []
    while len(waiting) and len(kept) < most:
        best = int(waiting[0])
        kept.append(best)
        waiting = waiting[1:]
        width = np.minimum(x2[best], x2[waiting]) - np.maximum(x1[best], x1[waiting])
        height = np.minimum(y2[best], y2[waiting]) - np.maximum(y1[best], y1[waiting])
        overlap = np.maximum(width, 0) * np.maximum(height, 0)
        waiting = waiting[overlap <= iou_threshold * np.maximum(area[best] + area[waiting] - overlap, 1e-6)]
    return np.array(kept, np.intp)
