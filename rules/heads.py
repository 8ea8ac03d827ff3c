"""The heads of one frame: what was seen of each, by either model, and the body that carries it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.geometry import Box, area, center, covered, height, near_pairs, overlap, width
from rules.headgear import assign_hats, head_of, shows_wearer, top_fit
from rules.matching import optimal_pairs
from rules.parts import Part, Parts
from rules.proportions import head_from_body, head_from_face

#: Two heads that share more than this part of the smaller one are in one place.
_SAME_PLACE: Final = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One head and what speaks of it.

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


@dataclass(frozen=True, slots=True)
class HeadsFound:
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
    heads = [
        replace(head, hard_hat=parts.hard_hats[worn[row]]) if row in worn else head
        for row, head in enumerate(heads)
    ]
    left = _left_over(parts.hard_hats, worn)
    for hat in [hat for hat in left if shows_wearer(hat)]:
        left.remove(hat)
        # in the place of a head that does not wear it, it is neither worn by somebody else nor carried
        if not any(_in_one_place(hat.box, head.box) for head in heads):
            heads.append(Head(hat.box, hard_hat=hat))
    heads = _with_bodies(heads, parts.persons)
    headless = [row for row, head in enumerate(heads) if head.is_inferred]
    found = assign_hats(left, _bodies_of(heads, headless), top_fit)
    for place, column in found.items():
        heads[headless[place]] = replace(heads[headless[place]], hard_hat=left[column])
    left = _left_over(left, found)
    return HeadsFound(tuple(_with_hats(heads, parts.hats)), tuple(left))


def _merged(faces: Sequence[Part], bare_heads: Sequence[Part]) -> list[Head]:
    """Faces and bare heads, a face and the bare head around it as one."""
    costs: NDArray[Any] = np.full((len(faces), len(bare_heads)), np.inf)
    for row, column in near_pairs([face.box for face in faces], [bare.box for bare in bare_heads]):
        face, bare = faces[row].box, bare_heads[column].box
        inside = covered(face, by=bare)
        if inside >= 0.6 and height(bare) <= 2.5 * height(face):
            costs[row, column] = 1.0 - inside + abs(height(bare) / height(face) - 1.25)
    bare_of = dict(optimal_pairs(costs))
    heads = []
    for row, found in enumerate(faces):
        around = bare_heads[bare_of[row]] if row in bare_of else None
        heads.append(Head(around.box if around is not None else head_from_face(found.box), found, around))
    taken = set(bare_of.values())
    heads += [Head(bare.box, bare=bare) for column, bare in enumerate(bare_heads) if column not in taken]
    return heads


def _with_bodies(heads: Sequence[Head], bodies: Sequence[Part]) -> list[Head]:
    """Heads with the bodies they belong to, and an inferred head for every body without one."""
    costs: NDArray[Any] = np.full((len(heads), len(bodies)), np.inf)
    for row, column in near_pairs([head.box for head in heads], [body.box for body in bodies], reach=1.0):
        costs[row, column] = _body_cost(heads[row].box, bodies[column].box)
    body_of = dict(optimal_pairs(costs))
    found = [
        replace(head, body=bodies[body_of[row]]) if row in body_of else head for row, head in enumerate(heads)
    ]
    taken = set(body_of.values())
    found += [
        Head(head_from_body(body.box), body=body, is_inferred=True)
        for column, body in enumerate(bodies)
        if column not in taken
    ]
    return found


def _body_cost(head: Box, body: Box) -> float:
    """How far the head is from the top of the body, in head heights; infinite where it cannot be its head.

    A seated or half hidden body is short, so its head may take up to 60 % of the box.
    """
    head_height, body_height = height(head), height(body)
    if head_height <= 0 or not 0.06 <= head_height / max(body_height, 1e-9) <= 0.6:
        return float("inf")
    below_top = head[1] - body[1]
    aside = abs(center(head)[0] - center(body)[0])
    if not -0.6 * head_height <= below_top <= 0.3 * body_height or aside > width(body) / 2:
        return float("inf")
    return (abs(below_top) + aside) / head_height


def _with_hats(heads: Sequence[Head], hats: Sequence[Part]) -> list[Head]:
    """Heads with the ordinary hats on them; heads that were seen come first."""
    if not hats:
        return list(heads)
    result = list(heads)
    seen = [row for row, head in enumerate(heads) if not head.is_inferred]
    headless = [row for row, head in enumerate(heads) if head.is_inferred]
    worn = assign_hats(hats, [heads[row].box for row in seen])
    left = _left_over(hats, worn)
    for place, column in worn.items():
        result[seen[place]] = replace(heads[seen[place]], hat=hats[column])
    for place, column in assign_hats(left, _bodies_of(heads, headless), top_fit).items():
        result[headless[place]] = replace(heads[headless[place]], hat=left[column])
    return result


def _bodies_of(heads: Sequence[Head], rows: Sequence[int]) -> list[Box]:
    """The bodies of inferred heads."""
    return [body.box for row in rows if (body := heads[row].body) is not None]


def _left_over(hats: Sequence[Part], used: dict[int, int]) -> list[Part]:
    taken = set(used.values())
    return [hat for column, hat in enumerate(hats) if column not in taken]


def _in_one_place(box: Box, other: Box) -> bool:
    return overlap(box, other) > _SAME_PLACE * min(area(box), area(other))
