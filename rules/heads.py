"""The heads of one frame: what was seen of each, by either model, and the body that carries it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box, area, centers, covered_parts, near_pairs, overlap
from rules.headgear import assign_hats, head_of, shows_wearer, top_fits
from rules.matching import pair_up
from rules.parts import Part, Parts, boxes_of
from rules.proportions import head_from_body, head_from_face

#: Two heads that share more than this part of the smaller one are in one place.
_SAME_PLACE: Final = 0.7


@dataclass(slots=True, eq=False)
class Head:
    """One head and what speaks of it; filled while parts are put together, and left alone from then on.

    - ``face``, ``bare``: seen as a face, as a bare head.
    - ``hard_hat``, ``hat``: what it wears, hard hat and ordinary headwear; competing detections of one thing
      may both be there.
    - ``body``: that it belongs to.
    - ``is_inferred``: no detection shows the head itself; ``box`` is taken from the body.
    """

    box: Box
    face: Part | None = None
    bare: Part | None = None
    hard_hat: Part | None = None
    hat: Part | None = None
    body: Part | None = None
    is_inferred: bool = False

    @property
    def seen_box(self) -> Box | None:
        """The head's box, or None where neither face nor head nor hat shows where it is."""
        if not self.is_inferred:
            return self.box
        hat = self.hard_hat or self.hat
        return head_of(hat) if hat is not None else None


class HeadsFound(NamedTuple):
    """The heads of a frame, and the hard hats that nobody wears, as far as seen."""

    heads: tuple[Head, ...]
    loose_hats: tuple[Part, ...]


def find_heads(parts: Parts) -> HeadsFound:
    """Put faces, bare heads, hats and bodies together, each part to one head at most.

    First faces and the bare heads around them become heads; then hard hats are assigned to these. A hard hat left
    over whose pixels show a face or neck below it is a head seen as nothing else, as from behind. Bodies take their
    heads; a body without one gets an inferred head, on which a hat may still sit. Ordinary hats come last, on heads of
    any kind.
    """
    heads = _merged(parts.faces, parts.bare_heads)
    worn = assign_hats(parts.hard_hats, [head.box for head in heads])
    for row, column in worn.items():
        heads[row].hard_hat = parts.hard_hats[column]
    left = []
    for hat in _left_over(parts.hard_hats, worn):
        if not shows_wearer(hat):
            left.append(hat)
        # in the place of a head that does not wear it, it is neither worn by somebody else nor carried
        elif not any(_in_one_place(hat.box, head.box) for head in heads):
            heads.append(Head(hat.box, hard_hat=hat))
    _give_bodies(heads, parts.persons)
    headless = [head for head in heads if head.is_inferred]
    found = assign_hats(left, _bodies_of(headless), top_fits)
    for row, column in found.items():
        headless[row].hard_hat = left[column]
    _give_hats(heads, parts.hats)
    return HeadsFound(tuple(heads), tuple(_left_over(left, found)))


def _merged(faces: Sequence[Part], bare_heads: Sequence[Part]) -> list[Head]:
    """Faces and bare heads, a face and the bare head around it as one."""
    face_boxes, bare_boxes = boxes_of(faces), boxes_of(bare_heads)
    rows, columns = near_pairs(face_boxes, bare_boxes)
    face, bare = face_boxes[rows], bare_boxes[columns]
    inside = covered_parts(face, by=bare)
    face_height, bare_height = face[:, 3] - face[:, 1], bare[:, 3] - bare[:, 1]
    is_around = (inside >= 0.6) & (bare_height <= 2.5 * face_height)
    costs = 1.0 - inside + np.abs(bare_height / face_height - 1.25)
    bare_of = pair_up(rows[is_around], columns[is_around], costs[is_around])
    heads = []
    for row, found in enumerate(faces):
        around = bare_heads[bare_of[row]] if row in bare_of else None
        heads.append(Head(around.box if around is not None else head_from_face(found.box), found, around))
    heads += [Head(part.box, bare=part) for part in _left_over(bare_heads, bare_of)]
    return heads


def _give_bodies(heads: list[Head], bodies: Sequence[Part]) -> None:
    """Give heads the bodies they belong to, and add an inferred head for every body without one."""
    if not bodies:
        return
    head_boxes, body_boxes = np.array([head.box for head in heads], np.float64), boxes_of(bodies)
    rows, columns = near_pairs(head_boxes, body_boxes, reach=1.0)
    body_of: dict[int, int] = {}
    if len(rows):
        costs = _body_costs(head_boxes[rows], body_boxes[columns])
        allowed = np.isfinite(costs)
        body_of = pair_up(rows[allowed], columns[allowed], costs[allowed])
    for row, column in body_of.items():
        heads[row].body = bodies[column]
    heads += [
        Head(head_from_body(body.box), body=body, is_inferred=True) for body in _left_over(bodies, body_of)
    ]


def _body_costs(heads: NDArray[np.float64], bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each head (P, 4) is from the top of its body, in head heights; infinite where it cannot be its head.

    A seated or half hidden body is short, so its head may take up to 60 % of the box.
    """
    head_height = heads[:, 3] - heads[:, 1]
    body_width, body_height = (bodies[:, 2:] - bodies[:, :2]).T
    share = head_height / np.maximum(body_height, 1e-9)
    below_top = heads[:, 1] - bodies[:, 1]
    aside = np.abs(centers(heads)[:, 0] - centers(bodies)[:, 0])
    fits = (head_height > 0) & (share >= 0.06) & (share <= 0.6) & (aside <= body_width / 2)
    fits &= (-0.6 * head_height <= below_top) & (below_top <= 0.3 * body_height)
    return np.where(fits, (np.abs(below_top) + aside) / np.maximum(head_height, 1e-9), np.inf)


def _give_hats(heads: Sequence[Head], hats: Sequence[Part]) -> None:
    """Put ordinary hats on heads; heads that were seen come first."""
    if not hats:
        return
    seen = [head for head in heads if not head.is_inferred]
    headless = [head for head in heads if head.is_inferred]
    worn = assign_hats(hats, [head.box for head in seen])
    for row, column in worn.items():
        seen[row].hat = hats[column]
    left = _left_over(hats, worn)
    for row, column in assign_hats(left, _bodies_of(headless), top_fits).items():
        headless[row].hat = left[column]


def _bodies_of(heads: Sequence[Head]) -> list[Box]:
    """The bodies of inferred heads."""
    return [head.body.box for head in heads if head.body is not None]


def _left_over(parts: Sequence[Part], used: dict[int, int]) -> list[Part]:
    taken = set(used.values())
    return [part for column, part in enumerate(parts) if column not in taken]


def _in_one_place(box: Box, other: Box) -> bool:
    return overlap(box, other) > _SAME_PLACE * min(area(box), area(other))
