"""Which hat is worn on which head: worn, not near (ADR 0017)."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box, center, height, near_pairs, width
from rules.matching import optimal_pairs
from rules.parts import Part
from rules.pixels import cover_of
from rules.proportions import head_from_body, head_under_hat

#: Part of the upper third of a head that a worn hat covers at least.
MIN_COVER: Final = 0.4
#: The same where the head was not seen and its place is taken from the body.
MIN_COVER_INFERRED: Final = 0.2
#: A box whose hat pixels end above this part of its height shows a face, or a neck, below the hat.
_ROOM_BELOW: Final = 0.8
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
    return (hat.pixel_box[3] - hat.box[1]) <= _ROOM_BELOW * height(hat.box)


def head_of(hat: Part) -> Box:
    """The head on which a hat of which nothing else was seen would sit."""
    return hat.box if shows_wearer(hat) else head_under_hat(hat.pixel_box or hat.box)


def wear_fit(hat: Part, head: Box, *, is_inferred: bool = False) -> float:
    """How well the hat sits on this head, 0 (not at all) to 1 (covers the upper third, right above its middle).

    The hat's pixels count, or its box where there are none. It sits on the head when its lower edge crosses the head,
    its width is that of a hat for such a head, and it stands over the head's middle. A box without pixels may be that
    of the hat or, as detectors are often taught, of the whole head with the hat on it. ``is_inferred``: the head was
    not seen, only the body below it, so the bounds are wider.
    """
    head_height, head_width = height(head), width(head)
    if head_height <= 0 or head_width <= 0:
        return 0.0
    bounds = hat.pixel_box or hat.box
    slack = 1.5 if is_inferred else 1.0
    lower_edge = (bounds[3] - head[1]) / head_height
    upper_edge = (bounds[1] - head[1]) / head_height
    aside = abs(center(bounds)[0] - center(head)[0]) / (head_width * slack)
    crosses = 0.0 < lower_edge <= 0.25 + slack and -1.0 * slack <= upper_edge <= 0.3 * slack
    if not crosses or aside > 0.5 or not 0.5 / slack <= width(bounds) / head_width <= 2.2 * slack:
        return 0.0
    cover = cover_of((head[0], head[1], head[2], head[1] + head_height / 3), hat)
    if cover < (MIN_COVER_INFERRED if is_inferred else MIN_COVER):
        return 0.0
    return cover * (1.0 - aside)


def top_fit(hat: Part, body: Box) -> float:
    """How well the hat sits on top of a body whose head was not seen, 0 to 1.

    Either on the head that an upright body of this height has, or, of somebody who sits or is half hidden, with the
    head below the hat (``head_of``) at the very top of the body.
    """
    upright = wear_fit(hat, head_from_body(body), is_inferred=True)
    head = head_of(hat)
    head_height = height(head)
    below_top = abs(head[1] - body[1]) / head_height
    aside = abs(center(head)[0] - center(body)[0]) / width(body)
    if below_top > _TOP_REACH or aside > 0.3 or not 0.06 <= head_height / height(body) <= 0.6:
        return upright
    return max(upright, (1.0 - below_top) * (1.0 - aside))


def assign_hats(
    hats: Sequence[Part], places: Sequence[Box], fit_of: Callable[[Part, Box], float] = wear_fit
) -> dict[int, int]:
    """Index of the hat on each of ``places``, heads (``wear_fit``) or bodies (``top_fit``), where one is worn.

    One hat serves one head and one head wears one hat, so that as much as possible fits in all (Hungarian method). A
    hat that shows its wearer stays with the head in its own box unless it clearly sits on one of ``places``.
    """
    # behind the places, one row for each hat: nobody's, or its own wearer's
    costs: NDArray[Any] = np.full((len(places) + len(hats), len(hats)), np.inf)
    for row, column in near_pairs(places, [hat.box for hat in hats]):
        hat = hats[column]
        fit = fit_of(hat, places[row])
        if fit > 0:
            costs[row, column] = 1.0 - fit * hat.score
    if not np.isfinite(costs).any():
        return {}
    for column, hat in enumerate(hats):
        costs[len(places) + column, column] = 1.0 - (_OWN_HEAD_FIT * hat.score if shows_wearer(hat) else 0.0)
    return {row: column for row, column in optimal_pairs(costs) if row < len(places)}
