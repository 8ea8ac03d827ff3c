"""What was seen in several views of one picture, as one: each thing once.

Shapes: N rows of all views together.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.structures import FACE_CATEGORIES, Category, Detections
from models.structures.joining import joined
from models.tiles.views import View

#: Rows of one kind that overlap by this much (intersection over union) show one thing.
SAME_IOU: Final = 0.5

#: So do rows of which so much of one lies in the other, when it was cut off at the edge of its view; or when they are
#: no bodies: there are no faces in faces, but there are people in front of people.
SAME_INSIDE: Final = 0.7

#: Up to this height at the network's input a larger view sees better; beyond, the score decides.
_ENOUGH_PX: Final = 48.0

#: What the whole picture shows in this height at the network's input, or larger, is taken from it alone: parts of large
#: things look like others, and boxes that end where a tile does are loose.
LARGE_PX: Final = 64.0

#: Which rows can show one thing: faces of any state; hats, that one view may take for hard hats; else the same class.
_KIND: Final = np.array(
    [
        min(FACE_CATEGORIES)
        if kind in FACE_CATEGORIES
        else Category.HARD_HAT
        if kind is Category.HAT
        else kind
        for kind in Category
    ]
)


def merge_views(views: Sequence[View], seen: Sequence[Detections]) -> Detections:
    """Put together what was ``seen`` in ``views`` of one picture (at least one), in pixels of that picture, best first.

    Of rows from different views, or cells, that show one thing, the best stays, with the highest of their scores: one
    that is not cut off at its view's edge before one that is; up to 48 pixels of height the one that the network saw
    larger; then the one with the higher score. What one view shows twice is the network's own affair. Every row stays
    or overlaps one of its kind that stays, but for those cut off in views that do not keep them (``View.keeps_cut``)
    and, where the first view is the whole picture, those of other views that it shows at least ``LARGE_PX`` high.
    ``input_scale`` is that of the first view.

    Raises ``ValueError`` when views and results differ in number, or none is given.
    """
    parts, cut, sources = [], [], []
    next_source = 0
    for view, detections in zip(views, seen, strict=True):
        in_picture = view.to_picture(detections)
        boxes = in_picture.detections.boxes_xyxy
        large = (boxes[:, 3] - boxes[:, 1]) * seen[0].input_scale >= LARGE_PX
        large &= views[0].is_whole and view is not views[0]
        counted = np.flatnonzero((~in_picture.is_cut | view.keeps_cut) & ~large)
        parts.append(in_picture.detections.select(counted))
        cut.append(in_picture.is_cut[counted])
        sources.append(next_source + in_picture.cell_of[counted])
        next_source += len(view.cells)
    rows = joined(parts)
    if not len(rows):
        return replace(rows, row_scales=None)
    kept, scores = _suppressed(rows, np.concatenate(cut), np.concatenate(sources))
    order = kept[np.argsort(-scores[kept], kind="stable")]
    return replace(rows, scores=scores).select(order)


def _suppressed(
    rows: Detections, is_cut: NDArray[np.bool_], sources: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The rows that stay, and all scores, those of rows that stay raised to what else was seen of the same thing."""
    boxes = rows.boxes_xyxy.astype(np.float64)
    kinds, scores = _KIND[rows.class_ids], rows.scores.copy()
    heights_px = np.maximum(boxes[:, 3] - boxes[:, 1], 1e-3) * rows.input_scales
    # in steps of a factor of 1.4: two tiles of one grid differ by noise alone
    sizes = np.round(2 * np.log2(np.minimum(heights_px, _ENOUGH_PX)))
    alive = np.ones(len(rows), bool)
    kept = []
    for row in np.lexsort((-rows.scores, -sizes, is_cut)):
        if not alive[row]:
            continue
        kept.append(row)
        alive[row] = False
        others = np.flatnonzero(alive & (kinds == kinds[row]) & (sources != sources[row]))
        same = others[_are_same(boxes[row], boxes[others], is_cut[others] | (kinds[row] != Category.PERSON))]
        alive[same] = False
        agree = same[(rows.class_ids[same] == rows.class_ids[row]) | (kinds[row] == min(FACE_CATEGORIES))]
        scores[row] = max([scores[row], *rows.scores[agree]])
    return np.array(kept, np.intp), scores


def _are_same(
    box: NDArray[np.float64], others: NDArray[np.float64], inside_counts: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which of ``others`` (N, 4) show what ``box`` (4,) does; where ``inside_counts``, also what is in it or around."""
    wh = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(wh, 0, None).prod(axis=1)
    area, areas = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1)
    over_union = shared / np.maximum(area + areas - shared, 1e-9)
    over_smaller = shared / np.maximum(np.minimum(area, areas), 1e-9)
    return np.asarray((over_union >= SAME_IOU) | (inside_counts & (over_smaller >= SAME_INSIDE)))
