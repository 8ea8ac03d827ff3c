"""The parts of persons that one frame shows, taken from its detections row by row, before they are put together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from models.structures import FACE_CATEGORIES, Category, Detections
from rules.geometry import Box


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One row of ``Detections``; fields that its kind does not have, or that were not measured, are None."""

    category: Category
    box: Box
    score: float
    landmarks_xy: NDArray[Any] | None = None
    face_mask_probs: tuple[float, float, float] | None = None
    seg_mask: NDArray[Any] | None = None
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
    for row, (box, score, class_id) in enumerate(zip(boxes, scores, classes, strict=True)):
        if score < min_score or box[2] <= box[0] or box[3] <= box[1]:
            continue
        category = Category(class_id)
        is_face = category in FACE_CATEGORIES
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
            seg_mask=None if detections.seg_masks is None else detections.seg_masks[row],
            sharpness=1.0 if sharpness is None else sharpness[row],
        )
