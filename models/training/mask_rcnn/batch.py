"""Canvases as arrays of static shape, as the learner's graph takes them.

Shapes: B canvases; S their side; G most things of a canvas; I most ignored regions; K classes, background
being 0; N anchors asked; M side of a box-relative pixel label.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.training.mask_rcnn.anchor_targets import anchor_targets
from models.training.mask_rcnn.canvas import SEG_MASK_SIDE, Canvas

#: G and I. A canvas with more things keeps some, drawn at random; the others are ignored there.
MOST_THINGS: Final = 64
MOST_IGNORED: Final = 96


def stacked(
    canvases: Sequence[Canvas], anchors: NDArray[np.float32], rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """One batch:

    - ``pixels`` uint8 (B, S, S, 3); ``gt_boxes`` (B, G, 4); ``gt_present`` (B, G), 1 or 0.
    - ``gt_admissible`` (B, G, K), 1 for the classes that a thing may be; never background.
    - ``gt_seg_masks`` uint8 (B, G, M, M); ``gt_has_seg_mask`` (B, G).
    - ``ignored`` (B, I, 4), rows left over are empty boxes.
    - ``background`` (B, K), 1 for what a region without things may be: background, and the classes that the
      canvas is not labelled for.
    - ``rpn_rows`` int32, ``rpn_is_object``, ``rpn_weights`` (B, N), ``rpn_deltas`` (B, N, 4).
    """
    rows = [_arrays(_limited(canvas, rng), anchors, rng) for canvas in canvases]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _arrays(
    canvas: Canvas, anchors: NDArray[np.float32], rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    count = len(canvas.boxes_xyxy)
    targets = anchor_targets(canvas, anchors, rng)
    classes = 1 + len(canvas.labelled)
    arrays: dict[str, NDArray[Any]] = {
        "pixels": canvas.pixels,
        "gt_boxes": np.zeros((MOST_THINGS, 4), np.float32),
        "gt_present": np.zeros(MOST_THINGS, np.float32),
        "gt_admissible": np.zeros((MOST_THINGS, classes), np.float32),
        "gt_seg_masks": np.zeros((MOST_THINGS, SEG_MASK_SIDE, SEG_MASK_SIDE), np.uint8),
        "gt_has_seg_mask": np.zeros(MOST_THINGS, np.float32),
        "ignored": np.zeros((MOST_IGNORED, 4), np.float32),
        "background": np.concatenate([[1.0], ~canvas.labelled]).astype(np.float32),
        "rpn_rows": targets.rows,
        "rpn_is_object": targets.is_object,
        "rpn_weights": targets.weights,
        "rpn_deltas": targets.deltas,
    }
    arrays["gt_boxes"][:count] = canvas.boxes_xyxy
    arrays["gt_present"][:count] = 1
    arrays["gt_admissible"][:count, 1:] = canvas.admissible
    arrays["gt_seg_masks"][:count] = canvas.seg_masks
    arrays["gt_has_seg_mask"][:count] = canvas.has_seg_mask
    arrays["ignored"][: len(canvas.ignored_xyxy)] = canvas.ignored_xyxy
    return arrays


def _limited(canvas: Canvas, rng: np.random.Generator) -> Canvas:
    count = len(canvas.boxes_xyxy)
    order = rng.permutation(count)
    kept, others = np.sort(order[:MOST_THINGS]), order[MOST_THINGS:]
    ignored = np.concatenate([canvas.ignored_xyxy, canvas.boxes_xyxy[others]])
    # the largest ones, should there be too many
    side = ignored[:, 2:] - ignored[:, :2]
    ignored = ignored[np.argsort(-side[:, 0] * side[:, 1], kind="stable")[:MOST_IGNORED]]
    return Canvas(
        canvas.pixels,
        canvas.boxes_xyxy[kept],
        canvas.admissible[kept],
        canvas.seg_masks[kept],
        canvas.has_seg_mask[kept],
        ignored.astype(np.float32),
        canvas.labelled,
    )
