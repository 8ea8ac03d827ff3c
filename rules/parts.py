"""The parts of persons that one frame shows: its detections by kind, as columns, before they are put together."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.structures import FACE_CATEGORIES, Category, Detections
from rules.geometry import Box, Edges, Vector, boxes_of, edges_of

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
    """Parts of one kind, as columns; most are worked out when they are asked for.

    - ``rows`` (N,) of a frame's detections. ``edges``: their boxes (4, N), original pixels.
    - ``scores`` (N,), 0 to 1.

    A single ``Part`` is made when it is taken from the group, so what goes through a crowd asks for columns.
    """

    def __init__(self, seen: Detections, rows: NDArray[np.intp], edges: Edges, scores: Vector) -> None:
        self._seen = seen
        self.rows = rows
        self.edges = edges
        self.scores = scores

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Part]:
        return map(self.part, range(len(self)))

    def __getitem__(self, place: Any) -> Any:
        return self.take(np.arange(len(self))[place]) if isinstance(place, slice) else self.part(place)

    def part(self, place: int) -> Part:
        """One of the parts."""
        category = self.categories[place]
        bounds = None
        is_face, has_pixels = (
            category in FACE_CATEGORIES,
            category in _PIXEL_CATEGORIES and self.has_pixels[place],
        )
        if has_pixels:
            bounds = tuple(self.pixel_edges[:, place].tolist())
        landmarks = self._landmarks_xy[place] if is_face and self.has_landmarks[place] else None
        probs = self.face_mask_probs
        return Part(
            category,
            self.boxes[place],
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
        taken = PartGroup(
            self._seen, self.rows.take(places), self.edges.take(places, axis=1), self.scores.take(places)
        )
        known = self.__dict__
        for name in _COSTLY:
            if name in known:
                taken.__dict__[name] = known[name].take(places, axis=-1)
        return taken

    @cached_property
    def categories(self) -> list[Category]:
        """What each is."""
        return [_CATEGORIES[kind] for kind in self._seen.class_ids.take(self.rows).tolist()]

    @cached_property
    def boxes(self) -> list[Box]:
        """``edges`` as boxes."""
        return boxes_of(self.edges)

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
    def _landmarks_xy(self) -> NDArray[Any]:
        measured = self._seen.landmarks_xy
        return np.zeros((len(self), 5, 2)) if measured is None else measured.take(self.rows, axis=0)

    @cached_property
    def landmarks(self) -> NDArray[np.float64]:
        """(10, N), of faces: x and y of each landmark by turns; see ``has_landmarks``."""
        return self._landmarks_xy.reshape(len(self), 10).T.astype(np.float64, order="C")

    @cached_property
    def has_landmarks(self) -> NDArray[np.bool_]:
        """(N,), whether landmarks were measured."""
        return np.asarray(np.logical_or.reduce(self.landmarks, axis=0), np.bool_)

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
        return np.asarray(self.seg_masks.max(axis=(1, 2), initial=0.0) >= 0.5)

    @cached_property
    def _counts(self) -> NDArray[np.float32]:
        """How many pixels (2, N, 28) of each column, and of each row, belong to it."""
        masks = self.seg_masks
        counts = np.zeros((2, len(self), CELLS), np.float32)
        if masks.size:
            # float32 for the sake of the products, which count exactly, and much faster than sums
            filled = (masks >= 0.5).astype(np.float32)
            ones = np.ones(CELLS, np.float32)
            np.matmul(ones, filled, out=counts[0])
            np.matmul(filled, ones, out=counts[1])
        return counts

    @cached_property
    def pixel_edges(self) -> Edges:
        """(4, N), the bounds of the pixels that belong to it, or the box where it has none."""
        x1, y1, x2, y2 = edges = self.edges
        if np.count_nonzero(self.has_pixels):
            (left, top), (right, bottom) = _edges(self._counts)
            across, down = (x2 - x1) / CELLS, (y2 - y1) / CELLS
            inner = np.array([x1 + left * across, y1 + top * down, x1 + right * across, y1 + bottom * down])
            edges = np.where(self.has_pixels, inner, edges)
        return edges

    @cached_property
    def has_room_below(self) -> NDArray[np.bool_]:
        """(N,), whether its pixels leave room below them in the box; see ``ROOM_BELOW``."""
        _, top, _, bottom = self.edges
        ends_high: NDArray[np.bool_] = (self.pixel_edges[3] - top) <= ROOM_BELOW * (bottom - top)
        return self.has_pixels & ends_high

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
        self.edges = edges_of([part.box for part in parts])
        self.scores = np.array([part.score for part in parts], np.float64)
        self.sharpness = np.array([part.sharpness for part in parts], np.float64)
        self.input_scales = np.array([part.input_scale for part in parts], np.float64)
        self.has_landmarks = np.array([part.landmarks_xy is not None for part in parts], np.bool_)
        self.landmarks = _filled([part.landmarks_xy for part in parts], (5, 2)).reshape(-1, 10).T
        self.face_mask_probs = None
        if any(part.face_mask_probs is not None for part in parts):
            self.face_mask_probs = _filled([part.face_mask_probs for part in parts], (3,))
        self.has_pixels = np.array([part.seg_mask is not None for part in parts], np.bool_)
        self.seg_masks = _filled([part.seg_mask for part in parts], (CELLS, CELLS))
        self.pixel_edges = edges_of([part.pixel_box or part.box for part in parts])

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
_COSTLY: Final = ("has_pixels", "pixel_edges", "landmarks", "has_landmarks")
_PIXEL_CATEGORIES: Final = (Category.HARD_HAT, Category.HAT, Category.FACE_MASK)


def parts_of(detections: Detections, *, min_score: float) -> Parts:
    """Sort the rows of at least ``min_score`` by kind; boxes without area are left out."""
    x1, y1, x2, y2 = edges = np.ascontiguousarray(detections.boxes_xyxy.T)
    scores = detections.scores.astype(np.float64)
    rows = ((scores >= min_score) & (x2 > x1) & (y2 > y1)).nonzero()[0]
    groups = _GROUP.take(detections.class_ids.take(rows))
    rows = rows.take(_order(detections, rows, groups))
    edges = edges.take(rows, axis=1).astype(np.float64)
    scores = np.minimum(scores.take(rows), 1.0)
    ends = np.bincount(groups, minlength=len(Parts._fields)).cumsum().tolist()
    return Parts._make(
        PartGroup(detections, rows[start:end], edges[:, start:end], scores[start:end])
        for start, end in pairwise((0, *ends))
    )


def _order(detections: Detections, rows: NDArray[np.intp], groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """How to sort ``rows`` by group; in it by box, then surest first, then by kind and by what the classifier says of a
    face.
    """
    x1, y1, x2, y2 = detections.boxes_xyxy.take(rows, axis=0).T
    order = np.lexsort((x1, groups))
    sorted_x1, sorted_groups = x1.take(order), groups.take(order)
    if not ((sorted_x1[1:] == sorted_x1[:-1]) & (sorted_groups[1:] == sorted_groups[:-1])).any():
        return order
    keys = [detections.class_ids.take(rows), -np.minimum(detections.scores.take(rows), 1.0), y2, x2, y1, x1]
    if detections.face_mask_probs is not None:
        probs = np.where((groups == 0)[:, None], detections.face_mask_probs.take(rows, axis=0), 0.0)
        keys = [*probs.T[::-1], *keys]
    return np.lexsort([*keys, groups])


def _edges(profiles: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """First cell and the one behind the last of each profile (..., 28) that are filled enough."""
    enough = profiles >= np.maximum(1, _EDGE_SHARE * profiles.max(axis=-1, keepdims=True))
    return enough.argmax(axis=-1), profiles.shape[-1] - enough[..., ::-1].argmax(axis=-1)


def _filled(values: Sequence[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """One array of values that are arrays of ``shape`` or None, which becomes zero."""
    nothing = np.zeros(shape)
    return np.array([nothing if value is None else value for value in values]).reshape(len(values), *shape)
