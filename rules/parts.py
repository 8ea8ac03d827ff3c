"""The parts of persons that one frame shows, taken from its detections row by row, before they are put together."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.structures import FACE_CATEGORIES, Category, Detections
from rules.geometry import Box

#: By class id: parts of which it matters where exactly they lie, and faces.
_HAS_PIXELS: Final = np.array(
    [kind in (Category.HARD_HAT, Category.HAT, Category.FACE_MASK) for kind in Category]
)
_IS_FACE: Final = np.array([kind in FACE_CATEGORIES for kind in Category])
_CATEGORIES: Final = tuple(Category)
#: A row or column of a ``seg_mask`` belongs to the thing when it holds at least this part of what the fullest one does:
#: stray pixels do not move its edges.
_EDGE_SHARE: Final = 0.25


class Part(NamedTuple):
    """One row of ``Detections``; fields that its kind does not have, or that were not measured, are None.

    ``pixel_box`` bounds the pixels of ``seg_mask`` (at least one half), in original pixels like ``box``; both are there
    for hats and masks that have pixels. Tell parts apart by identity: arrays do not compare as a whole.
    """

    category: Category
    box: Box
    score: float
    landmarks_xy: NDArray[Any] | None = None
    face_mask_probs: tuple[float, float, float] | None = None
    seg_mask: NDArray[Any] | None = None
    pixel_box: Box | None = None
    sharpness: float = 1.0


class Parts(NamedTuple):
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
    faces = by_kind[Category.FACE_WITH_MASK]
    for kind in FACE_CATEGORIES:
        by_kind[kind] = faces
    for part in map(Part._make, _columns(detections, _ordered(detections, min_score))):
        by_kind[part.category].append(part)
    return Parts(
        faces=tuple(faces),
        bare_heads=tuple(by_kind[Category.BARE_HEAD]),
        hard_hats=tuple(by_kind[Category.HARD_HAT]),
        hats=tuple(by_kind[Category.HAT]),
        face_masks=tuple(by_kind[Category.FACE_MASK]),
        persons=tuple(by_kind[Category.PERSON]),
    )


def boxes_of(parts: Sequence[Part]) -> NDArray[np.float64]:
    """The boxes of parts, float64 (N, 4)."""
    return np.array([part.box for part in parts], np.float64).reshape(-1, 4)


def _ordered(detections: Detections, min_score: float) -> NDArray[np.intp]:
    """The rows that count, by box, then surest first, then by kind and by what the classifier says of a face."""
    x1, y1, x2, y2 = detections.boxes_xyxy.T
    scores = detections.scores.astype(np.float64)
    rows = np.flatnonzero((scores >= min_score) & (x2 > x1) & (y2 > y1))
    keys = [
        detections.class_ids[rows],
        -np.minimum(scores[rows], 1.0),
        y2[rows],
        x2[rows],
        y1[rows],
        x1[rows],
    ]
    if detections.face_mask_probs is not None:
        probs = np.where(_IS_FACE[keys[0]][:, None], detections.face_mask_probs[rows], 0.0)
        keys = [*probs.T[::-1], *keys]
    return rows[np.lexsort(keys)]


def _columns(detections: Detections, order: NDArray[np.intp]) -> Iterable[tuple[Any, ...]]:
    """The fields of ``Part`` for the rows in ``order``."""
    kinds = detections.class_ids[order]
    is_face = _IS_FACE[kinds].tolist()
    probs = None
    if detections.face_mask_probs is not None:
        probs = map(tuple, detections.face_mask_probs[order].tolist())
    pixel_boxes = _pixel_boxes(detections, order, kinds)
    seg_masks: Iterable[Any] = repeat(None)
    if detections.seg_masks is not None:
        seg_masks = [
            None if box is None else detections.seg_masks[row]
            for row, box in zip(order.tolist(), pixel_boxes, strict=True)
        ]
    return zip(
        [_CATEGORIES[kind] for kind in kinds.tolist()],
        map(tuple, detections.boxes_xyxy[order].tolist()),
        np.minimum(detections.scores[order], 1.0).tolist(),
        _of_faces(None if detections.landmarks_xy is None else detections.landmarks_xy[order], is_face),
        _of_faces(probs, is_face),
        seg_masks,
        pixel_boxes,
        repeat(1.0) if detections.sharpness is None else detections.sharpness[order].tolist(),
        strict=False,
    )


def _of_faces(values: Iterable[Any] | None, is_face: Sequence[bool]) -> Iterable[Any]:
    if values is None:
        return repeat(None)
    return [value if applies else None for value, applies in zip(values, is_face, strict=True)]


def _pixel_boxes(
    detections: Detections, order: NDArray[np.intp], kinds: NDArray[np.int32]
) -> list[Box | None]:
    """For each row in ``order`` the bounds of its pixels, where it is a hat or mask that has some; all at once."""
    found: list[Box | None] = [None] * len(order)
    places = np.flatnonzero(_HAS_PIXELS[kinds])
    if detections.seg_masks is None or not len(places):
        return found
    # float32 for the sake of the products below, which count exactly
    filled = (detections.seg_masks[order[places]] >= 0.5).astype(np.float32)
    cells = filled.shape[1]
    ones = np.ones(cells, np.float32)
    across, down = ones @ filled, filled @ ones
    some = across.any(axis=1)
    places = places[some]
    first, last = _edges(np.stack([across[some], down[some]], axis=1))
    boxes = detections.boxes_xyxy[order[places]].astype(np.float64)
    cell_wh = (boxes[:, 2:] - boxes[:, :2]) / cells
    bounds = np.concatenate([boxes[:, :2] + first * cell_wh, boxes[:, :2] + last * cell_wh], axis=1)
    for place, (x1, y1, x2, y2) in zip(places.tolist(), bounds.tolist(), strict=True):
        found[place] = x1, y1, x2, y2
    return found


def _edges(profiles: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """First cell and the one behind the last of each profile (..., 28) that are filled enough."""
    enough = profiles >= np.maximum(1, _EDGE_SHARE * profiles.max(axis=-1, keepdims=True))
    return enough.argmax(axis=-1), profiles.shape[-1] - enough[..., ::-1].argmax(axis=-1)
