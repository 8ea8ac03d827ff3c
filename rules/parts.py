"""The parts of persons that one frame shows, taken from its detections row by row, before they are put together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.structures import FACE_CATEGORIES, Category, Detections
from rules.geometry import Box

#: Parts of which it matters where exactly they lie.
_WITH_PIXELS: Final = (Category.HARD_HAT, Category.HAT, Category.FACE_MASK)
#: A row or column of a ``seg_mask`` belongs to the thing when it holds at least this part of what the fullest one does:
#: stray pixels do not move its edges.
_EDGE_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One row of ``Detections``; fields that its kind does not have, or that were not measured, are None.

    ``pixel_box`` bounds the pixels of ``seg_mask`` (at least one half), in original pixels like ``box``; both are there
    for hats and masks that have pixels.
    """

    category: Category
    box: Box
    score: float
    landmarks_xy: NDArray[Any] | None = None
    face_mask_probs: tuple[float, float, float] | None = None
    seg_mask: NDArray[Any] | None = None
    pixel_box: Box | None = None
    sharpness: float = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of one frame by kind, each in an order that does not depend on the order of the detections."""

    faces: tuple[Part, ...]
    bare_heads: tuple[Part, ...]
    hard_hats: tuple[Part, ...]
    hats: tuple[Part, ...]
    face_masks: tuple[Part, ...]
    persons: tuple[Part, ...]


def parts_of(detections: Detections, *, min_score: float) -> Parts:
    """Sort the rows of at least ``min_score`` by kind; boxes without area are left out."""
    by_kind: dict[Category, list[Part]] = {category: [] for category in Category}
    for part in sorted(_rows(detections, min_score), key=_order):
        by_kind[part.category].append(part)
    return Parts(
        faces=tuple(sorted((part for kind in FACE_CATEGORIES for part in by_kind[kind]), key=_order)),
        bare_heads=tuple(by_kind[Category.BARE_HEAD]),
        hard_hats=tuple(by_kind[Category.HARD_HAT]),
        hats=tuple(by_kind[Category.HAT]),
        face_masks=tuple(by_kind[Category.FACE_MASK]),
        persons=tuple(by_kind[Category.PERSON]),
    )


def _order(part: Part) -> tuple[Any, ...]:
    return part.box, -part.score, int(part.category), part.face_mask_probs or ()


def _rows(detections: Detections, min_score: float) -> Iterator[Part]:
    boxes = detections.boxes_xyxy.tolist()
    scores = detections.scores.tolist()
    classes = detections.class_ids.tolist()
    probs = None if detections.face_mask_probs is None else detections.face_mask_probs.tolist()
    sharpness = None if detections.sharpness is None else detections.sharpness.tolist()
    pixel_boxes = _pixel_boxes(detections)
    for row, (box, score, class_id) in enumerate(zip(boxes, scores, classes, strict=True)):
        if score < min_score or box[2] <= box[0] or box[3] <= box[1]:
            continue
        category = Category(class_id)
        is_face = category in FACE_CATEGORIES
        pixel_box = pixel_boxes.get(row)
        yield Part(
            category=category,
            box=(box[0], box[1], box[2], box[3]),
            score=min(1.0, score),
            landmarks_xy=detections.landmarks_xy[row]
            if is_face and detections.landmarks_xy is not None
            else None,
            face_mask_probs=(probs[row][0], probs[row][1], probs[row][2])
            if is_face and probs is not None
            else None,
            seg_mask=None if pixel_box is None or detections.seg_masks is None else detections.seg_masks[row],
            pixel_box=pixel_box,
            sharpness=1.0 if sharpness is None else sharpness[row],
        )


def _pixel_boxes(detections: Detections) -> dict[int, Box]:
    """By row, the bounds of the pixels of hats and masks that have some; all rows at once."""
    if detections.seg_masks is None:
        return {}
    rows = np.flatnonzero(np.isin(detections.class_ids, _WITH_PIXELS))
    pixels = detections.seg_masks[rows] >= 0.5
    found = pixels.any(axis=(1, 2))
    rows, pixels = rows[found], pixels[found]
    if not len(rows):
        return {}
    boxes = detections.boxes_xyxy[rows].astype(np.float64)
    first_x, last_x = _edges(pixels.sum(axis=1))
    first_y, last_y = _edges(pixels.sum(axis=2))
    cells = pixels.shape[1]
    cell_wh = (boxes[:, 2:] - boxes[:, :2]) / cells
    corners = np.stack([first_x, first_y, last_x, last_y], axis=1) * np.tile(cell_wh, 2)
    bounds = np.tile(boxes[:, :2], 2) + corners
    return {int(row): (x1, y1, x2, y2) for row, (x1, y1, x2, y2) in zip(rows, bounds.tolist(), strict=True)}


def _edges(filled: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """First cell and the one behind the last of each profile (N, 28) that are filled enough."""
    enough = filled >= np.maximum(1, _EDGE_SHARE * filled.max(axis=1, keepdims=True))
    return enough.argmax(axis=1), filled.shape[1] - enough[:, ::-1].argmax(axis=1)
