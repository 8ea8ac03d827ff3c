"""The heads of one frame: what was seen of each, by either model, and the body that carries it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from rules.geometry import Box, Edges, Vector, area, covered_parts, edges_of, near_pairs, overlap
from rules.headgear import assign_hats, shows_wearer, top_fits
from rules.matching import pair_up
from rules.parts import PartGroup, Parts
from rules.proportions import head_from_body, head_from_face

#: Two heads that share more than this part of the smaller one are in one place.
_SAME_PLACE: Final = 0.7
#: Stands for a part that was not seen.
NONE: Final = -1


class Heads:
    """The heads of a frame as columns, filled while parts are put together, and left alone from then on.

    - ``boxes``: of each head.
    - ``face``, ``bare``: seen as a face, as a bare head; the place of the part in its group, ``NONE`` where there is
      none, like all that follow.
    - ``hard_hat``, ``hat``: what it wears, hard hat and ordinary headwear; competing detections of one thing may both
      be there.
    - ``body``: that it belongs to.
    - ``is_inferred``: no detection shows the head itself; its box is taken from the body.
    """

    def __init__(self, boxes: list[Box]) -> None:
        self.boxes = boxes
        self.face = [NONE] * len(boxes)
        self.bare = self.face.copy()
        self.hard_hat = self.face.copy()
        self.hat = self.face.copy()
        self.body = self.face.copy()
        self.is_inferred = [False] * len(boxes)
        self._edges = np.zeros((4, 0))

    def __len__(self) -> int:
        return len(self.boxes)

    def add(self, box: Box, *, hard_hat: int = NONE, body: int = NONE) -> None:
        """Add a head of which nothing but the hat, or the body, was seen; the latter is inferred."""
        self.boxes.append(box)
        self.face.append(NONE)
        self.bare.append(NONE)
        self.hard_hat.append(hard_hat)
        self.hat.append(NONE)
        self.body.append(body)
        self.is_inferred.append(body != NONE)

    @property
    def edges(self) -> Edges:
        """``boxes`` (4, H)."""
        if self._edges.shape[1] != len(self.boxes):
            self._edges = edges_of(self.boxes)
        return self._edges

    @property
    def inferred(self) -> list[int]:
        """Places of the heads that were not seen themselves."""
        return [place for place, is_inferred in enumerate(self.is_inferred) if is_inferred]

    @property
    def seen(self) -> list[int]:
        """Places of the others."""
        return [place for place, is_inferred in enumerate(self.is_inferred) if not is_inferred]


class HeadsFound(NamedTuple):
    """The heads of a frame, and the places of the hard hats that nobody wears, as far as seen."""

    heads: Heads
    loose_hats: list[int]


def find_heads(parts: Parts) -> HeadsFound:
    """Put faces, bare heads, hats and bodies together, each part to one head at most.

    First faces and the bare heads around them become heads; then hard hats are assigned to these. A hard hat left
    over whose pixels show a face or neck below it is a head seen as nothing else, as from behind. Bodies take their
    heads; a body without one gets an inferred head, on which a hat may still sit. Ordinary hats come last, on heads of
    any kind.
    """
    heads = _merged(parts.faces, parts.bare_heads)
    worn = assign_hats(parts.hard_hats, heads.edges)
    for row, column in worn.items():
        heads.hard_hat[row] = column
    left = []
    for column in _left_over(parts.hard_hats, worn):
        hat = parts.hard_hats.part(column)
        if not shows_wearer(hat):
            left.append(column)
        # in the place of a head that does not wear it, it is neither worn by somebody else nor carried
        elif not any(_in_one_place(hat.box, box) for box in heads.boxes):
            heads.add(hat.box, hard_hat=column)
    _give_bodies(heads, parts.persons)
    left = _wear_on_bodies(parts.hard_hats, left, heads.hard_hat, heads, parts.persons)
    _give_hats(heads, parts.hats, parts.persons)
    return HeadsFound(heads, left)


def _merged(faces: PartGroup, bare_heads: PartGroup) -> Heads:
    """Faces and bare heads, a face and the bare head around it as one."""
    rows, columns = near_pairs(faces.edges, bare_heads.edges)
    bare_of: dict[int, int] = {}
    if len(rows):
        face, bare = faces.edges.take(rows, axis=1), bare_heads.edges.take(columns, axis=1)
        inside = covered_parts(face, by=bare)
        face_height, bare_height = face[3] - face[1], bare[3] - bare[1]
        is_around = (inside >= 0.6) & (bare_height <= 2.5 * face_height)
        costs = 1.0 - inside + np.abs(bare_height / face_height - 1.25)
        bare_of = pair_up(rows[is_around], columns[is_around], costs[is_around])
    around = [bare_of.get(row, NONE) for row in range(len(faces))]
    left, bare_boxes = _left_over(bare_heads, bare_of), bare_heads.boxes
    heads = Heads(
        [
            head_from_face(box) if place == NONE else bare_boxes[place]
            for box, place in zip(faces.boxes, around, strict=True)
        ]
        + [bare_boxes[place] for place in left]
    )
    heads.face[: len(faces)] = range(len(faces))
    heads.bare = around + left
    return heads


def _give_bodies(heads: Heads, bodies: PartGroup) -> None:
    """Give heads the bodies they belong to, and add an inferred head for every body without one."""
    if not len(bodies):
        return
    rows, columns = near_pairs(heads.edges, bodies.edges, reach=1.0)
    body_of: dict[int, int] = {}
    if len(rows):
        costs = _body_costs(heads.edges.take(rows, axis=1), bodies.edges.take(columns, axis=1))
        allowed = np.isfinite(costs)
        body_of = pair_up(rows[allowed], columns[allowed], costs[allowed])
    for row, column in body_of.items():
        heads.body[row] = column
    for column in _left_over(bodies, body_of):
        heads.add(head_from_body(bodies.boxes[column]), body=column)


def _body_costs(heads: Edges, bodies: Edges) -> Vector:
    """How far each head (4, P) is from the top of its body, in head heights; infinite where it cannot be its head.

    A seated or half hidden body is short, so its head may take up to 60 % of the box.
    """
    x1, y1, x2, y2 = heads
    left, top, right, bottom = bodies
    head_height, body_height = y2 - y1, bottom - top
    share = head_height / np.maximum(body_height, 1e-9)
    below_top = y1 - top
    aside = np.abs((x1 + x2) / 2 - (left + right) / 2)
    fits = (head_height > 0) & (share >= 0.06) & (share <= 0.6) & (aside <= (right - left) / 2)
    fits &= (-0.6 * head_height <= below_top) & (below_top <= 0.3 * body_height)
    return np.where(fits, (np.abs(below_top) + aside) / np.maximum(head_height, 1e-9), np.inf)


def _give_hats(heads: Heads, hats: PartGroup, bodies: PartGroup) -> None:
    """Put ordinary hats on heads; heads that were seen come first."""
    if not len(hats):
        return
    seen = heads.seen
    worn = assign_hats(hats, heads.edges.take(seen, axis=1))
    for row, column in worn.items():
        heads.hat[seen[row]] = column
    _wear_on_bodies(hats, _left_over(hats, worn), heads.hat, heads, bodies)


def _wear_on_bodies(
    hats: PartGroup, left: list[int], worn: list[int], heads: Heads, bodies: PartGroup
) -> list[int]:
    """Put the hats that are ``left`` on inferred heads, into the column ``worn``; returns those that are left still."""
    headless = heads.inferred if left else []
    if not headless:
        return left
    tops = bodies.edges.take([heads.body[place] for place in headless], axis=1)
    found = assign_hats(hats.take(left), tops, top_fits)
    for row, column in found.items():
        worn[headless[row]] = left[column]
    taken = set(found.values())
    return [hat for place, hat in enumerate(left) if place not in taken]


def _left_over(parts: Sequence[object], used: dict[int, int]) -> list[int]:
    """Places of the parts that are nobody's yet."""
    taken = set(used.values())
    return [place for place in range(len(parts)) if place not in taken]


def _in_one_place(box: Box, other: Box) -> bool:
    return overlap(box, other) > _SAME_PLACE * min(area(box), area(other))
