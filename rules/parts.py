"""The parts of persons that one frame shows: its detections by kind, as columns, before they are put together."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.structures import FACE_CATEGORIES, Category, Detections
from rules.geometry import Box

_CATEGORIES: Final = tuple(Category)
#: A row or column of a ``seg_mask`` belongs to the thing when it holds at least this part of what the fullest one does:
#: stray pixels do not move its edges.
_EDGE_SHARE: Final = 0.25
#: Of a ``seg_mask``, across and down.
CELLS: Final = 28
#: A box whose hat pixels end above this part of its height shows a face, or a neck, below the hat.
ROOM_BELOW: Final = 0.8


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


class PartGroup(Sequence[Part]):
    """Parts of one kind: ``rows`` (N,) of a frame's detections, whose columns are worked out when they are asked for.

    A single ``Part`` is made when it is taken from the group, so what goes through a crowd asks for columns.
    """

    def __init__(self, seen: Detections, rows: NDArray[np.intp]) -> None:
        self._seen = seen
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Part]:
        return map(self.part, range(len(self)))

    def __getitem__(self, place: Any) -> Any:
        return self.take(np.arange(len(self))[place]) if isinstance(place, slice) else self.part(place)

    def part(self, place: int) -> Part:
        """One of the parts."""
        category = self.categories[place]
        box, bounds = self.boxes[place].tolist(), None
        is_face, has_pixels = (
            category in FACE_CATEGORIES,
            category in _PIXEL_CATEGORIES and self.has_pixels[place],
        )
        if has_pixels:
            bounds = tuple(self.pixel_boxes[place].tolist())
        landmarks = self.landmarks_xy[place] if is_face and self.has_landmarks[place] else None
        probs = self.face_mask_probs
        return Part(
            category,
            tuple(box),
            float(self.scores[place]),
            landmarks,
            tuple(probs[place].tolist()) if is_face and probs is not None else None,
            self.seg_masks[place] if has_pixels else None,
            bounds,
            float(self.sharpness[place]),
            float(self.input_scales[place]),
        )

    def take(self, places: NDArray[np.intp] | Sequence[int]) -> "PartGroup":
        """Those at ``places`` (P,), in this order, also more than once."""
        places = np.asarray(places, np.intp)
        taken = PartGroup(self._seen, self.rows.take(places))
        known = self.__dict__
        for name in _COSTLY:
            if name in known:
                taken.__dict__[name] = known[name].take(places, axis=0)
        return taken

    @cached_property
    def categories(self) -> list[Category]:
        """What each is."""
        return [_CATEGORIES[kind] for kind in self._seen.class_ids.take(self.rows).tolist()]

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """(N, 4), original pixels."""
        return self._seen.boxes_xyxy.take(self.rows, axis=0).astype(np.float64)

    @cached_property
    def box_tuples(self) -> list[Box]:
        """``boxes`` one by one."""
        return [(x1, y1, x2, y2) for x1, y1, x2, y2 in self.boxes.tolist()]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(N,), 0 to 1."""
        return np.minimum(self._seen.scores.take(self.rows), 1.0).astype(np.float64)

    @cached_property
    def sharpness(self) -> NDArray[np.float64]:
        """(N,), 1 where it was not measured."""
        measured = self._seen.sharpness
        return np.ones(len(self)) if measured is None else measured.take(self.rows).astype(np.float64)

    @cached_property
    def input_scales(self) -> NDArray[np.float64]:
        """(N,), network input pixels per original pixel."""
        scales = self._seen.row_scales
        if scales is None:
            return np.full(len(self), self._seen.input_scale, np.float64)
        return scales.take(self.rows).astype(np.float64)

    @cached_property
    def landmarks_xy(self) -> NDArray[Any]:
        """(N, 5, 2), of faces; see ``has_landmarks``."""
        measured = self._seen.landmarks_xy
        return np.zeros((len(self), 5, 2)) if measured is None else measured.take(self.rows, axis=0)

    @cached_property
    def has_landmarks(self) -> NDArray[np.bool_]:
        """(N,), whether landmarks were measured."""
        return np.asarray(self.landmarks_xy.any(axis=(1, 2)), np.bool_)

    @cached_property
    def face_mask_probs(self) -> NDArray[np.float64] | None:
        """(N, 3), of faces; None where none was judged."""
        judged = self._seen.face_mask_probs
        return None if judged is None else judged.take(self.rows, axis=0).astype(np.float64)

    @cached_property
    def seg_masks(self) -> NDArray[Any]:
        """(N, 28, 28), of hats and masks; see ``has_pixels``."""
        masks = self._seen.seg_masks
        return np.zeros((len(self), 0, 0)) if masks is None else masks.take(self.rows, axis=0)

    @cached_property
    def has_pixels(self) -> NDArray[np.bool_]:
        """(N,), whether there are pixels that belong to it."""
        return np.asarray(self._counts[:, 0].any(axis=1))

    @cached_property
    def _counts(self) -> NDArray[np.float32]:
        """How many pixels (N, 2, 28) of each column, and of each row, belong to it."""
        masks = self.seg_masks
        counts = np.zeros((len(self), 2, CELLS), np.float32)
        if masks.size:
            # float32 for the sake of the products, which count exactly, and much faster than sums
            filled = (masks >= 0.5).astype(np.float32)
            ones = np.ones(CELLS, np.float32)
            np.matmul(ones, filled, out=counts[:, 0])
            np.matmul(filled, ones, out=counts[:, 1])
        return counts

    @cached_property
    def pixel_boxes(self) -> NDArray[np.float64]:
        """(N, 4), the bounds of the pixels that belong to it, or the box where it has none."""
        bounds = self.boxes
        if self.has_pixels.any():
            first, last = _edges(self._counts)
            cell_wh = (bounds[:, 2:] - bounds[:, :2]) / CELLS
            inner = np.concatenate([bounds[:, :2] + first * cell_wh, bounds[:, :2] + last * cell_wh], axis=1)
            bounds = np.where(self.has_pixels[:, None], inner, bounds)
        return bounds

    @cached_property
    def has_room_below(self) -> NDArray[np.bool_]:
        """(N,), whether its pixels leave room below them in the box; see ``ROOM_BELOW``."""
        top, bottom = self.boxes[:, 1], self.boxes[:, 3]
        return self.has_pixels & ((self.pixel_boxes[:, 3] - top) <= ROOM_BELOW * (bottom - top))

    def pixels_at(self, down: NDArray[np.intp], across: NDArray[np.intp]) -> NDArray[Any]:
        """Values of the ``seg_mask`` of each part at cells, both (N, ...); there are some where one ``has_pixels``."""
        rows = self.rows.reshape(-1, *[1] * (down.ndim - 1))
        return self._all_seg_masks.reshape(-1).take((rows * CELLS + down) * CELLS + across)

    @property
    def _all_seg_masks(self) -> NDArray[Any]:
        return np.zeros((1, 0, 0)) if self._seen.seg_masks is None else self._seen.seg_masks


class ListedParts(PartGroup):
    """A group that is made of single parts of one kind."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self.rows = np.arange(len(self._parts))
        self.categories = [part.category for part in parts]
        self.boxes = np.array([part.box for part in parts], np.float64).reshape(-1, 4)
        self.scores = np.array([part.score for part in parts], np.float64)
        self.sharpness = np.array([part.sharpness for part in parts], np.float64)
        self.input_scales = np.array([part.input_scale for part in parts], np.float64)
        self.has_landmarks = np.array([part.landmarks_xy is not None for part in parts], np.bool_)
        self.landmarks_xy = _filled([part.landmarks_xy for part in parts], (5, 2))
        self.face_mask_probs = None
        if any(part.face_mask_probs is not None for part in parts):
            self.face_mask_probs = _filled([part.face_mask_probs for part in parts], (3,))
        self.has_pixels = np.array([part.seg_mask is not None for part in parts], np.bool_)
        self.seg_masks = _filled([part.seg_mask for part in parts], (CELLS, CELLS))
        boxes = [part.pixel_box or part.box for part in parts]
        self.pixel_boxes = np.array(boxes, np.float64).reshape(-1, 4)

    @property
    def _all_seg_masks(self) -> NDArray[Any]:
        return self.seg_masks

    def part(self, place: int) -> Part:
        """One of the parts."""
        return self._parts[place]

    def take(self, places: NDArray[np.intp] | Sequence[int]) -> Self:
        """Those at ``places`` (P,), in this order, also more than once."""
        return type(self)([self._parts[place] for place in np.asarray(places, np.intp).tolist()])


def group_of(parts: Sequence[Part]) -> PartGroup:
    """Parts of one kind as a group."""
    return parts if isinstance(parts, PartGroup) else ListedParts(parts)


class Parts(NamedTuple):
    """All parts of one frame by kind, each in an order that does not depend on the order of the detections."""

    faces: PartGroup
    hard_hats: PartGroup
    hats: PartGroup
    face_masks: PartGroup
    bare_heads: PartGroup
    persons: PartGroup


#: By class id: its place among the fields of ``Parts``.
_GROUP: Final = np.array(
    [0 if kind in FACE_CATEGORIES else Parts._fields.index(f"{kind.label}s") for kind in Category]
)
#: Columns that parts taken from a group take along, once they have been worked out.
_COSTLY: Final = ("boxes", "scores", "has_pixels", "pixel_boxes")
_PIXEL_CATEGORIES: Final = (Category.HARD_HAT, Category.HAT, Category.FACE_MASK)


def parts_of(detections: Detections, *, min_score: float) -> Parts:
    """Sort the rows of at least ``min_score`` by kind; boxes without area are left out."""
    order, starts = _ordered(detections, min_score)
    return Parts._make(PartGroup(detections, order[start:end]) for start, end in pairwise(starts))


def _ordered(detections: Detections, min_score: float) -> tuple[NDArray[np.intp], list[int]]:
    """The rows that count, by group; in it by box, then surest first, then by kind and by what the classifier says of a
    face. And where in this order each group starts, and the last one ends.
    """
    x1, y1, x2, y2 = detections.boxes_xyxy.T
    scores = detections.scores.astype(np.float64)
    rows = np.flatnonzero((scores >= min_score) & (x2 > x1) & (y2 > y1))
    x1, y1, x2, y2 = detections.boxes_xyxy.take(rows, axis=0).T
    kinds = detections.class_ids.take(rows)
    groups = _GROUP[kinds]
    keys = [kinds, -np.minimum(scores.take(rows), 1.0), y2, x2, y1, x1, groups]
    if detections.face_mask_probs is not None:
        probs = np.where((groups == 0)[:, None], detections.face_mask_probs.take(rows, axis=0), 0.0)
        keys = [*probs.T[::-1], *keys]
    ends = np.cumsum(np.bincount(groups, minlength=len(Parts._fields)))
    return rows[np.lexsort(keys)], [0, *ends.tolist()]


def _edges(profiles: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """First cell and the one behind the last of each profile (..., 28) that are filled enough."""
    enough = profiles >= np.maximum(1, _EDGE_SHARE * profiles.max(axis=-1, keepdims=True))
    return enough.argmax(axis=-1), profiles.shape[-1] - enough[..., ::-1].argmax(axis=-1)


def _filled(values: Sequence[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """One array of values that are arrays of ``shape`` or None, which becomes zero."""
    nothing = np.zeros(shape)
    return np.array([nothing if value is None else value for value in values]).reshape(len(values), *shape)
