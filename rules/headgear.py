"""Which hat is worn on which head: worn, not near (ADR 0017)."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from rules.geometry import Box, Edges, Vector, boxes_of, center, edges_of, height, near_pairs, width
from rules.matching import lone_pairs, pair_up
from rules.parts import ROOM_BELOW, Part, PartGroup, group_of
from rules.pixels import covers_of
from rules.proportions import head_from_body, head_under_hat

#: Part of the upper third of a head that a worn hat covers at least.
MIN_COVER: Final = 0.4
#: The same where the head was not seen and its place is taken from the body.
MIN_COVER_INFERRED: Final = 0.2
#: A hat that shows whose head it is on goes to another head only where it fits that one better than this.
_OWN_HEAD_FIT: Final = 0.5
#: The head below a hat is at the top of a body when their upper edges are no farther apart, in head heights.
_TOP_REACH: Final = 0.35


def shows_wearer(hat: Part) -> bool:
    """Whether the pixels of a hat leave room for a face or neck in its box: then the box is a whole helmeted head.

    A hat that lies or is held fills its box, and so does one seen from above: of those this says nothing.
    """
    if hat.pixel_box is None:
        return False
    return (hat.pixel_box[3] - hat.box[1]) <= ROOM_BELOW * height(hat.box)


def head_of(hat: Part) -> Box:
    """The head on which a hat of which nothing else was seen would sit."""
    return hat.box if shows_wearer(hat) else head_under_hat(hat.pixel_box or hat.box)


def wear_fit(hat: Part, head: Box, *, is_inferred: bool = False) -> float:
    """``wear_fits`` of one hat and one head."""
    return float(wear_fits([hat], edges_of([head]), is_inferred=is_inferred)[0])


def wear_fits(hats: Sequence[Part], heads: Edges, *, is_inferred: bool = False) -> Vector:
    """How well each hat sits on its head (4, P), 0 (not at all) to 1 (covers the upper third, right above its middle).

    The hat's pixels count, or its box where there are none. It sits on the head when its lower edge crosses the head,
    its width is that of a hat for such a head, and it stands over the head's middle. A box without pixels may be that
    of the hat or, as detectors are often taught, of the whole head with the hat on it. ``is_inferred``: the heads were
    not seen, only the bodies below them, so the bounds are wider.
    """
    hats = group_of(hats)
    x1, y1, x2, y2 = heads
    left, top, right, bottom = hats.pixel_edges
    slack = 1.5 if is_inferred else 1.0
    head_width, head_height = x2 - x1, y2 - y1
    has_area = (head_width > 0) & (head_height > 0)
    if np.count_nonzero(has_area) < len(hats):
        head_width, head_height = np.where(has_area, head_width, 1.0), np.where(has_area, head_height, 1.0)
    upper_edge, lower_edge = (top - y1) / head_height, (bottom - y1) / head_height
    aside = np.abs((left + right) / 2 - (x1 + x2) / 2) / (head_width * slack)
    breadth = (right - left) / head_width
    crosses = (lower_edge > 0.0) & (lower_edge <= 0.25 + slack)
    crosses &= (-1.0 * slack <= upper_edge) & (upper_edge <= 0.3 * slack)
    fits_head = has_area & (aside <= 0.5) & (0.5 / slack <= breadth) & (breadth <= 2.2 * slack)
    fits = np.zeros(len(hats))
    rows = (crosses & fits_head).nonzero()[0]
    if len(rows):
        upper = np.array([x1, y1, x2, y1 + head_height / 3]).take(rows, axis=1)
        covers = covers_of(upper, hats if len(rows) == len(hats) else hats.take(rows))
        least = MIN_COVER_INFERRED if is_inferred else MIN_COVER
        fits[rows] = np.where(covers < least, 0.0, covers * (1.0 - aside.take(rows)))
    return fits


def top_fit(hat: Part, body: Box) -> float:
    """``top_fits`` of one hat and one body."""
    return float(top_fits([hat], edges_of([body]))[0])


def top_fits(hats: Sequence[Part], bodies: Edges) -> Vector:
    """How well each hat sits on top of its body (4, P), whose head was not seen, 0 to 1.

    Either on the head that an upright body of this height has, or, of somebody who sits or is half hidden, with the
    head below the hat (``head_of``) at the very top of the body.
    """
    boxes = boxes_of(bodies)
    upright = wear_fits(hats, edges_of([head_from_body(box) for box in boxes]), is_inferred=True)
    at_top = np.array([_at_top(head_of(hat), body) for hat, body in zip(hats, boxes, strict=True)])
    return np.asarray(np.maximum(upright, at_top), np.float64)


def _at_top(head: Box, body: Box) -> float:
    """How well a head of its own place sits at the very top of a body, 0 to 1."""
    head_height = height(head)
    below_top = abs(head[1] - body[1]) / head_height
    aside = abs(center(head)[0] - center(body)[0]) / width(body)
    if below_top > _TOP_REACH or aside > 0.3 or not 0.06 <= head_height / height(body) <= 0.6:
        return 0.0
    return (1.0 - below_top) * (1.0 - aside)


def assign_hats(
    hats: Sequence[Part], places: Edges, fits_of: Callable[[PartGroup, Edges], Vector] = wear_fits
) -> dict[int, int]:
    """Index of the hat on each of ``places`` (4, N), heads (``wear_fits``) or bodies (``top_fits``), where one is worn.

    One hat serves one head and one head wears one hat, so that as much as possible fits in all (Hungarian method). A
    hat that shows its wearer stays with the head in its own box unless it clearly sits on one of ``places``.
    """
    if not len(hats):
        return {}
    hats = group_of(hats)
    rows, columns = near_pairs(places, hats.edges)
    if not len(rows):
        return {}
    # what a hat may do instead: stay nobody's, or its own wearer's
    instead = 1.0 - _OWN_HEAD_FIT * hats.scores * hats.has_room_below
    fits = fits_of(hats.take(columns), places.take(rows, axis=1))
    worn = fits > 0
    if np.count_nonzero(worn) < len(fits):
        rows, columns, fits = rows[worn], columns[worn], fits[worn]
    costs = 1.0 - fits * hats.scores.take(columns)
    lone = lone_pairs(rows, columns)
    sure = lone & (costs < instead.take(columns))
    assigned = dict(zip(rows[sure].tolist(), columns[sure].tolist(), strict=True))
    if np.count_nonzero(lone) < len(lone):
        many = places.shape[1]
        rows, columns, costs = rows[~lone], columns[~lone], costs[~lone]
        own = np.unique(columns)
        pairs = pair_up(
            np.concatenate([rows, many + own]),
            np.concatenate([columns, own]),
            np.concatenate([costs, instead[own]]),
        )
        assigned.update((row, column) for row, column in pairs.items() if row < many)
    return assigned
