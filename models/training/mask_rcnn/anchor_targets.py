"""What the region proposal network should say of some anchors of a canvas.

Shapes: A anchors, G things, I ignored regions, N anchors that are asked.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.networks.boxes import box_coverage, box_iou, encode_boxes
from models.training.mask_rcnn.canvas import Canvas

#: IoU from which an anchor shows a thing, and below which it shows none (Ren et al. 2015, section 3.1.2).
OBJECT_IOU: Final = 0.7
BACKGROUND_IOU: Final = 0.3

#: An anchor of which more than this lies in an ignored region, and which covers more than that of the region,
#: is not asked. What is much smaller is not what the region hides.
IGNORED_COVERAGE: Final = 0.5
IGNORED_PART: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class AnchorTargets:
    """The N anchors asked.

    - ``rows``: int32 (N,), which. ``is_object``: float32 (N,), 1 or 0.
    - ``deltas``: float32 (N, 4), to the thing; 0 where there is none.
    - ``weights``: float32 (N,), 0 where fewer than N could be asked.
    """

    rows: NDArray[np.int32]
    is_object: NDArray[np.float32]
    deltas: NDArray[np.float32]
    weights: NDArray[np.float32]


def anchor_targets(
    canvas: Canvas, anchors: NDArray[np.float32], rng: np.random.Generator, *, count: int = 256
) -> AnchorTargets:
    """Choose ``count`` of the anchors (A, 4), as (centre x, centre y, width, height), half of them on things
    where there are as many; see Ren et al. 2015.

    Each thing has at least the anchors that overlap it most, however little. A canvas that is labelled for
    some of the categories only speaks softly of background: by their share of all.
    """
    corners = np.concatenate([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], 1)
    best = np.zeros(len(anchors), np.float32)
    thing_of = np.zeros(len(anchors), np.intp)
    is_best_of_a_thing = np.zeros(len(anchors), bool)
    if len(canvas.boxes_xyxy):
        overlaps = box_iou(canvas.boxes_xyxy, corners)
        thing_of, best = overlaps.argmax(0), overlaps.max(0)
        most = overlaps.max(1, keepdims=True)
        leaders = (overlaps >= most - 1e-4) & (most > 0.1)
        thing_of = np.where(leaders.any(0), leaders.argmax(0), thing_of)
        is_best_of_a_thing = leaders.any(0)
    positive = (best >= OBJECT_IOU) | is_best_of_a_thing
    negative = (best < BACKGROUND_IOU) & ~positive
    if len(canvas.ignored_xyxy):
        inside = box_coverage(corners, canvas.ignored_xyxy) > IGNORED_COVERAGE
        negative &= ~(inside & (box_coverage(canvas.ignored_xyxy, corners).T > IGNORED_PART)).any(1)
    chosen = _drawn(np.flatnonzero(positive), count // 2, rng)
    others = _drawn(np.flatnonzero(negative), count - len(chosen), rng)
    rows = np.concatenate([chosen, others])
    targets = AnchorTargets(
        np.zeros(count, np.int32),
        np.zeros(count, np.float32),
        np.zeros((count, 4), np.float32),
        np.zeros(count, np.float32),
    )
    targets.rows[: len(rows)] = rows
    targets.is_object[: len(chosen)] = 1
    targets.weights[: len(chosen)] = 1
    targets.weights[len(chosen) : len(rows)] = canvas.labelled.mean()
    if len(chosen):
        targets.deltas[: len(chosen)] = encode_boxes(canvas.boxes_xyxy[thing_of[chosen]], anchors[chosen])
    return targets


def _drawn(rows: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return rng.choice(rows, count, replace=False) if len(rows) > count else rows
