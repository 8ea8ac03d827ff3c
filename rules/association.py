"""From the detections of one frame to the persons in it, each with the evidence of this look."""

from collections.abc import Collection, Sequence
from itertools import repeat
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.structures import Detections, Gear, GearEvidence, PersonObservation
from rules.face_masks import NO_FACE, assign_face_masks, judged_faces
from rules.geometry import Box, Edges, Point, Vector, center, edges_of, height, overlap, width
from rules.hard_hats import hard_hat_evidence
from rules.headgear import head_of
from rules.heads import NONE, Heads, find_heads
from rules.mask_fit import MaskFit, mask_fits
from rules.parts import Part, PartGroup, Parts, parts_of
from rules.proportions import body_from_head
from rules.quality import (
    overlap_qualities,
    poses_of,
    ramp,
    ramps,
    size_qualities,
    truncation_qualities,
)

#: Detector scores between which a look counts from not at all to whole.
_DOUBTFUL_SCORE: Final = 0.4
_SURE_SCORE: Final = 0.8


def associate(
    detections: Detections,
    *,
    gears: Collection[Gear] = tuple(Gear),
    min_score: float = 0.2,
    lone_hat_score: float = 0.45,
) -> list[PersonObservation]:
    """Put faces, heads, hats, masks and bodies of one frame together to persons.

    Every face or bare head is a person, and so is every PERSON box and every hard hat whose pixels show that somebody
    is below it; heads find their bodies, hats and masks their heads by optimal assignment, so the order of the
    detections does not matter (``rules.heads``). Any other hard hat alone, carried by nobody seen, may be all that
    shows of a person who turned, or lie on a table: it gets no more than ``lone_hat_score``, too little to start a
    track but enough to carry one on. Where only a head was seen the body is estimated from its proportions
    (``rules.proportions``) and reaches out of the picture if need be. ``gears`` are those to give evidence on; rows
    below ``min_score`` are left out. Sorted by position.
    """
    parts = parts_of(detections, min_score=min_score)
    found = find_heads(parts)
    heads = found.heads
    scores = _scores(heads, parts)
    boxes = _seen_boxes(heads, parts)
    views = _views(heads, boxes, parts, detections)
    loose = [center(parts.hard_hats.boxes[hat]) for hat in found.loose_hats]
    bodies = [
        parts.persons.boxes[body] if body != NONE else body_from_head(box)
        for box, body in zip(heads.boxes, heads.body, strict=True)
    ]
    looks: dict[Gear, list[GearEvidence]] = {}
    if Gear.HARD_HAT in gears:
        carried = [
            bool(loose) and _is_carried(body, box, loose) for body, box in zip(bodies, boxes, strict=True)
        ]
        looks[Gear.HARD_HAT] = _hat_looks(heads, scores, views, carried)
    if Gear.FACE_MASK in gears:
        looks[Gear.FACE_MASK] = _mask_looks(heads, parts, views)
    certain = _person_scores(heads, parts, scores)
    kinds = tuple(looks)
    evidence = zip(*looks.values(), strict=True) if looks else repeat(())
    people = [
        PersonObservation._make(
            (body, box, score, place == NONE, MappingProxyType(dict(zip(kinds, seen, strict=True))))
        )
        for body, box, score, place, seen in zip(bodies, boxes, certain, heads.body, evidence, strict=False)
    ]
    if found.loose_hats:
        hats = [parts.hard_hats.part(hat) for hat in found.loose_hats]
        people += _under_lone_hats(hats, people, detections, gears, lone_hat_score)
    # None has no place in an order
    return sorted(people, key=_position if heads.inferred else itemgetter(0, 1))


def _position(person: PersonObservation) -> tuple[Box, Box | tuple[()]]:
    return person.box_xyxy, person.head_xyxy or ()


class _Scores(NamedTuple):
    """Scores of what was seen of each head, 0 where it was not."""

    face: list[float]
    bare: list[float]
    hard_hat: list[float]
    hat: list[float]
    body: list[float]


def _scores(heads: Heads, parts: Parts) -> _Scores:
    return _Scores(
        _by_head(parts.faces, heads.face),
        _by_head(parts.bare_heads, heads.bare),
        _by_head(parts.hard_hats, heads.hard_hat),
        _by_head(parts.hats, heads.hat),
        _by_head(parts.persons, heads.body),
    )


def _by_head(group: PartGroup, places: Sequence[int]) -> list[float]:
    if not len(group):
        return [0.0] * len(places)
    # NONE finds the last
    scores = [*group.scores.tolist(), 0.0]
    return [scores[place] for place in places]


def _person_scores(heads: Heads, parts: Parts, scores: _Scores) -> list[float]:
    """The surest sign that there is a person; a hat is one only where it shows its wearer."""
    shows = [*parts.hard_hats.has_room_below.tolist(), False]
    return [
        max(face, bare, body, hard_hat if shows[place] else 0.0)
        for face, bare, body, hard_hat, place in zip(
            scores.face, scores.bare, scores.body, scores.hard_hat, heads.hard_hat, strict=True
        )
    ]


def _seen_boxes(heads: Heads, parts: Parts) -> list[Box | None]:
    """The heads' boxes; None where neither face nor head nor hat shows where it is."""
    boxes: list[Box | None] = list(heads.boxes)
    for place in heads.inferred:
        hard_hat, hat = heads.hard_hat[place], heads.hat[place]
        if hard_hat != NONE:
            boxes[place] = head_of(parts.hard_hats.part(hard_hat))
        else:
            boxes[place] = head_of(parts.hats.part(hat)) if hat != NONE else None
    return boxes


def _under_lone_hats(
    hats: Sequence[Part],
    people: Sequence[PersonObservation],
    detections: Detections,
    gears: Collection[Gear],
    lone_hat_score: float,
) -> list[PersonObservation]:
    """Who may be under the hard hats that lie on nobody's body and in the place of nobody's head."""
    found = []
    for hat in hats:
        on_somebody = any(
            _is_carried(person.box_xyxy, person.head_xyxy, [center(hat.box)]) for person in people
        )
        on_a_head = any(
            person.head_xyxy is not None and overlap(person.head_xyxy, hat.box) for person in people
        )
        if not on_somebody and not on_a_head:
            head = head_of(hat)
            (clear,) = _view_qualities(
                edges_of([head]), hat.sharpness, hat.input_scale, detections.image_hw
            ).tolist()
            gear: dict[Gear, GearEvidence] = {}
            if Gear.HARD_HAT in gears:
                quality = clear * ramp(hat.score, _DOUBTFUL_SCORE, _SURE_SCORE)
                gear[Gear.HARD_HAT] = hard_hat_evidence(
                    hat.score, 0.0, 0.0, quality, has_face=False, is_carried=False
                )
            if Gear.FACE_MASK in gears:
                gear[Gear.FACE_MASK] = NO_FACE
            score = min(hat.score, lone_hat_score)
            found.append(PersonObservation(body_from_head(head), head, score, True, gear))
    return found


def _views(heads: Heads, boxes: Sequence[Box | None], parts: Parts, detections: Detections) -> Vector:
    """What the sight of each head (H,) supports; nothing where ``boxes`` has None: it was not seen."""
    views = np.zeros(len(heads))
    rows = [row for row, box in enumerate(boxes) if box is not None]
    if not rows:
        return views
    inferred = heads.inferred
    seen = edges_of([box for box in boxes if box is not None]) if inferred else heads.edges
    # only what was itself seen hides, and is hidden
    shown = _shown(heads, parts, rows)
    sharpness = None if detections.sharpness is None else detections.sharpness[shown]
    scales = detections.input_scale if detections.row_scales is None else detections.row_scales[shown]
    qualities = _view_qualities(seen, sharpness, scales, detections.image_hw)
    if inferred:
        visible = [not heads.is_inferred[row] for row in rows]
        qualities[visible] *= overlap_qualities(seen[:, visible])
    else:
        qualities *= overlap_qualities(seen)
    views[rows] = qualities
    return views


def _shown(heads: Heads, parts: Parts, places: Sequence[int]) -> list[int]:
    """The rows of the detections that show the heads at ``places`` best."""
    face, bare = parts.faces.rows.tolist(), parts.bare_heads.rows.tolist()
    hard_hat, hat = parts.hard_hats.rows.tolist(), parts.hats.rows.tolist()
    return [
        face[heads.face[place]]
        if heads.face[place] != NONE
        else bare[heads.bare[place]]
        if heads.bare[place] != NONE
        else hard_hat[heads.hard_hat[place]]
        if heads.hard_hat[place] != NONE
        else hat[heads.hat[place]]
        for place in places
    ]


def _view_qualities(
    edges: Edges,
    sharpness: NDArray[Any] | float | None,
    input_scales: NDArray[Any] | float,
    image_hw: tuple[int, int],
) -> Vector:
    """By size, truncation and blur of heads that are seen at ``edges`` (4, N); what others hide comes on top."""
    qualities = size_qualities(edges[3] - edges[1], input_scales) * truncation_qualities(edges, image_hw)
    return qualities if sharpness is None else np.asarray(qualities * np.minimum(1.0, sharpness))


def _hat_looks(heads: Heads, scores: _Scores, views: Vector, carried: Sequence[bool]) -> list[GearEvidence]:
    """The evidence on the hard hat of each head. Its quality is that of the sight, by how sure the detector is of the
    surest of what it saw: what is hardly seen is badly judged.
    """
    surest = np.array(list(map(max, *scores)))
    qualities = (views * ramps(surest, _DOUBTFUL_SCORE, _SURE_SCORE)).tolist()
    columns = (scores.hard_hat, scores.bare, scores.hat, qualities)
    return [
        hard_hat_evidence(hard_hat, bare, hat, quality, has_face=face != NONE, is_carried=is_carried)
        for hard_hat, bare, hat, quality, face, is_carried in zip(*columns, heads.face, carried, strict=True)
    ]


def _mask_looks(heads: Heads, parts: Parts, views: Vector) -> list[GearEvidence]:
    """The evidence on the face mask of each head.

    Its quality is that of the head's sight, but by the size and the score of the face itself, and by its pose.
    """
    faces = parts.faces
    if not len(faces):
        return [NO_FACE] * len(heads)
    poses = poses_of(faces)
    garment_of = assign_face_masks(parts.face_masks, faces)
    fits: list[MaskFit | None] = [None] * len(faces)
    if garment_of:
        masked, garments = list(garment_of), list(garment_of.values())
        found = mask_fits(faces.take(masked), parts.face_masks.take(garments), poses=poses[masked])
        for row, fit in zip(masked, found, strict=True):
            fits[row] = fit
    # faces are the first of the heads, in their order
    seen = views[: len(faces)]
    sizes = size_qualities(faces.edges[3] - faces.edges[1], faces.input_scales)
    certain = ramps(faces.scores, _DOUBTFUL_SCORE, _SURE_SCORE)
    judged = judged_faces(faces, fits, (np.minimum(seen, sizes) * certain * poses).tolist())
    return judged + [NO_FACE] * (len(heads) - len(faces))


def _is_carried(body: Box, head: Box | None, loose: Sequence[Point]) -> bool:
    """Whether the middle of a hat that nobody wears lies on this body below its head."""
    if not loose:
        return False
    chin = head[3] if head is not None else body[1] + height(body) / 6
    return any(
        body[0] - width(body) / 4 <= x <= body[2] + width(body) / 4 and chin <= y <= body[3] for x, y in loose
    )
