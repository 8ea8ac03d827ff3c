"""The parts of persons that one frame shows, taken from its detections row by row, before they are put together."""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise, repeat
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.structures import FACE_CATEGORIES, Category, Detections
from rules.geometry import Box

_CATEGORIES: Final = tuple(Category)
#: A row or column of a ``seg_mask`` belongs to the thing when it holds at least this part of what the fullest one does:
#: stray pixels do not move its edges.
_EDGE_SHARE: Final = 0.25


class Part(NamedTuple):
    """One row of ``Detections``; fields that its kind does not have, or that were not measured, are None, and so are
    landmarks that are all zero.

    ``pixel_box`` bounds the pixels of ``seg_mask`` (at least one half), in original pixels like ``box``; both are there
    for hats and masks that have pixels. ``input_scale``: network input pixels per original pixel of the look that saw
    it. Tell parts apart by identity: arrays do not compare as a whole.
    """

    category: Category
    box: Box
    score: float
    landmarks_xy: NDArray[Any] | None = None
    face_mask_probs: tuple[float, float, float] | None = None
    seg_mask: NDArray[Any] | None = None
    pixel_box: Box | None = None
    sharpness: float = 1.0
    input_scale: float = 1.0


class PartGroup(tuple[Part, ...]):
    """Parts of one kind. ``boxes`` are theirs, float64 (N, 4)."""

    boxes: NDArray[np.float64]


class Parts(NamedTuple):
    """All parts of one frame by kind, each in an order that does not depend on the order of the detections."""

    faces: PartGroup
    hard_hats: PartGroup
    hats: PartGroup
    face_masks: PartGroup
    bare_heads: PartGroup
    persons: PartGroup


#: By class id: its place among the fields of ``Parts``. Faces come first, then what has pixels.
_GROUP: Final = np.array(
    [0 if kind in FACE_CATEGORIES else Parts._fields.index(f"{kind.label}s") for kind in Category]
)
_PIXEL_GROUPS: Final = slice(1, 4)


def parts_of(detections: Detections, *, min_score: float) -> Parts:
    """Sort the rows of at least ``min_score`` by kind; boxes without area are left out."""
    order, starts = _ordered(detections, min_score)
    parts = [Part._make(fields) for fields in _fields(detections, order, starts)]
    boxes = detections.boxes_xyxy[order].astype(np.float64)
    groups = []
    for start, end in pairwise(starts):
        group = PartGroup(parts[start:end])
        group.boxes = boxes[start:end]
        groups.append(group)
    return Parts(*groups)


def boxes_of(parts: Sequence[Part]) -> NDArray[np.float64]:
    """The boxes of parts, float64 (N, 4)."""
    if isinstance(parts, PartGroup):
        return parts.boxes
    return np.array([part.box for part in parts], np.float64).reshape(-1, 4)


def _ordered(detections: Detections, min_score: float) -> tuple[NDArray[np.intp], list[int]]:
    """The rows that count, by group; in it by box, then surest first, then by kind and by what the classifier says of a
    face. And where in this order each group starts, and the last one ends.
    """
    x1, y1, x2, y2 = detections.boxes_xyxy.T
    scores = detections.scores.astype(np.float64)
    rows = np.flatnonzero((scores >= min_score) & (x2 > x1) & (y2 > y1))
    kinds = detections.class_ids[rows]
    groups = _GROUP[kinds]
    keys = [kinds, -np.minimum(scores[rows], 1.0), y2[rows], x2[rows], y1[rows], x1[rows], groups]
    if detections.face_mask_probs is not None:
        probs = np.where((groups == 0)[:, None], detections.face_mask_probs[rows], 0.0)
        keys = [*probs.T[::-1], *keys]
    ends = np.cumsum(np.bincount(groups, minlength=len(Parts._fields)))
    return rows[np.lexsort(keys)], [0, *ends.tolist()]


def _fields(
    detections: Detections, order: NDArray[np.intp], starts: Sequence[int]
) -> Iterable[tuple[Any, ...]]:
    """The fields of ``Part`` for the rows in ``order``."""
    faces, pixels = order[: starts[1]], starts[_PIXEL_GROUPS.start : _PIXEL_GROUPS.stop + 1]
    landmarks: Iterable[Any] = ()
    if detections.landmarks_xy is not None:
        of_faces = detections.landmarks_xy[faces]
        is_measured = np.asarray(of_faces.any(axis=(1, 2)))
        landmarks = [row if found else None for row, found in zip(of_faces, is_measured, strict=True)]
    probs: Iterable[Any] = ()
    if detections.face_mask_probs is not None:
        probs = map(tuple, detections.face_mask_probs[faces].tolist())
    with_pixels = order[pixels[0] : pixels[-1]]
    pixel_boxes = _pixel_boxes(detections, with_pixels)
    seg_masks: Iterable[Any] = ()
    if detections.seg_masks is not None:
        seg_masks = [
            None if box is None else detections.seg_masks[row]
            for row, box in zip(with_pixels.tolist(), pixel_boxes, strict=True)
        ]
    nothing = repeat(None)
    return zip(
        [_CATEGORIES[kind] for kind in detections.class_ids[order].tolist()],
        map(tuple, detections.boxes_xyxy[order].tolist()),
        np.minimum(detections.scores[order], 1.0).tolist(),
        chain(landmarks, nothing),
        chain(probs, nothing),
        chain(repeat(None, len(faces)), seg_masks, nothing),
        chain(repeat(None, len(faces)), pixel_boxes, nothing),
        repeat(1.0) if detections.sharpness is None else detections.sharpness[order].tolist(),
        repeat(detections.input_scale)
        if detections.row_scales is None
        else detections.row_scales[order].tolist(),
        strict=False,
    )


def _pixel_boxes(detections: Detections, rows: NDArray[np.intp]) -> list[Box | None]:
    """For each of ``rows`` the bounds of its pixels, where it has some; all at once."""
    found: list[Box | None] = [None] * len(rows)
    if detections.seg_masks is None or not len(rows):
        return found
    # float32 for the sake of the products below, which count exactly
    filled = (detections.seg_masks[rows] >= 0.5).astype(np.float32)
    cells = filled.shape[1]
    ones = np.ones(cells, np.float32)
    across, down = ones @ filled, filled @ ones
    some = across.any(axis=1)
    places = np.flatnonzero(some)
    first, last = _edges(np.stack([across[some], down[some]], axis=1))
    boxes = detections.boxes_xyxy[rows[places]].astype(np.float64)
    cell_wh = (boxes[:, 2:] - boxes[:, :2]) / cells
    bounds = np.concatenate([boxes[:, :2] + first * cell_wh, boxes[:, :2] + last * cell_wh], axis=1)
    for place, (x1, y1, x2, y2) in zip(places.tolist(), bounds.tolist(), strict=True):
        found[place] = x1, y1, x2, y2
    return found


def _edges(profiles: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """First cell and the one behind the last of each profile (..., 28) that are filled enough."""
    enough = profiles >= np.maximum(1, _EDGE_SHARE * profiles.max(axis=-1, keepdims=True))
    return enough.argmax(axis=-1), profiles.shape[-1] - enough[..., ::-1].argmax(axis=-1)
