"""From the detections of one frame to the persons in it, each with the evidence of this look."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Detections, Gear, GearEvidence, GearState, PersonObservation
from rules.face_masks import assign_face_masks, face_mask_evidence
from rules.geometry import Box, center, covered, height, overlap, width
from rules.headgear import assign_hats
from rules.matching import optimal_pairs
from rules.parts import Part, Parts, parts_of
from rules.proportions import body_from_head, head_from_body, head_from_face, head_under_hat
from rules.quality import overlap_qualities, pose_quality, ramp, size_quality, truncation_quality

#: Detector scores between which a look counts from not at all to whole.
_DOUBTFUL_SCORE: Final = 0.4
_SURE_SCORE: Final = 0.8
#: What a carried hat says of a head that was seen but not judged bare: weak, and with little weight.
_CARRIED_SCORE: Final = 0.35
_CARRIED_QUALITY: Final = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """A head that was seen as a face, as a bare head or as both; or, with neither, is only known to be on a body."""

    box: Box
    face: Part | None = None
    bare: Part | None = None
    body: Part | None = None

    @property
    def is_inferred(self) -> bool:
        return self.face is None and self.bare is None


def associate(
    detections: Detections,
    *,
    gears: Collection[Gear] = tuple(Gear),
    min_score: float = 0.2,
    lone_hat_score: float = 0.45,
) -> list[PersonObservation]:
    """Put faces, heads, hats, masks and bodies of one frame together to persons.

    Every face or bare head is a person, and so is every PERSON box; heads find their bodies, hats and masks their heads
    by optimal assignment, so the order of the detections does not matter. A hard hat alone, carried by nobody seen,
    may be all that shows of a person who turned, or lie on a table: it gets no more than ``lone_hat_score``, too little
    to start a track but enough to carry one on. Where only a head
    was seen the body is estimated from its proportions (``rules.proportions``) and reaches out of the picture if need
    be. ``gears`` are those to give evidence on; rows below ``min_score`` are left out. Sorted by position.
    """
    parts = parts_of(detections, min_score=min_score)
    heads = _with_bodies(_heads(parts), parts.persons)
    boxes = [(head.box, head.is_inferred) for head in heads]
    hard_hats = assign_hats(parts.hard_hats, boxes)
    hats = assign_hats(parts.hats, boxes)
    faces = [head.face for head in heads if head.face is not None]
    garments = assign_face_masks(parts.face_masks, faces)
    garment_of = {
        id(face): parts.face_masks[garments[row]] for row, face in enumerate(faces) if row in garments
    }
    used = set(hard_hats.values())
    loose = [hat for index, hat in enumerate(parts.hard_hats) if index not in used]
    visible = [row for row, head in enumerate(heads) if not head.is_inferred]
    clear = dict(zip(visible, overlap_qualities([heads[row].box for row in visible]), strict=True))
    people = []
    for row, head in enumerate(heads):
        hard_hat = parts.hard_hats[hard_hats[row]] if row in hard_hats else None
        box = _seen_box(head, hard_hat)
        body = head.body.box if head.body is not None else body_from_head(head.box)
        view = 0.0 if box is None else clear.get(row, 1.0) * _view_quality(box, detections, head)
        gear: dict[Gear, GearEvidence] = {}
        if Gear.HARD_HAT in gears:
            hat = parts.hats[hats[row]] if row in hats else None
            quality = view * _certainty(head.face, head.bare, head.body, hard_hat, hat)
            carried = _is_carried(body, box, loose)
            gear[Gear.HARD_HAT] = _hard_hat_evidence(head, hard_hat, hat, quality, carried)
        if Gear.FACE_MASK in gears:
            garment = garment_of.get(id(head.face))
            gear[Gear.FACE_MASK] = face_mask_evidence(
                head.face, garment, _face_quality(head.face, view, detections.input_scale)
            )
        scores = [part.score for part in (head.face, head.bare, head.body) if part is not None]
        people.append(PersonObservation(body, box, max(scores), head.body is None, gear))
    bodies = [(person.box_xyxy, person.head_xyxy) for person in people]
    for hat in loose:
        on_somebody = any(_is_carried(body, head, [hat]) for body, head in bodies)
        if not on_somebody and not any(head is not None and overlap(head, hat.box) for _, head in bodies):
            people.append(_under_lone_hat(hat, detections, gears, lone_hat_score))
    return sorted(people, key=lambda person: (person.box_xyxy, person.head_xyxy or ()))


def _under_lone_hat(
    hat: Part, detections: Detections, gears: Collection[Gear], lone_hat_score: float
) -> PersonObservation:
    head = head_under_hat(hat.box)
    quality = _view_quality(head, detections, _Head(head, bare=hat)) * _certainty(hat)
    gear = {}
    if Gear.HARD_HAT in gears:
        gear[Gear.HARD_HAT] = _hard_hat_evidence(_Head(head), hat, None, quality, False)
    if Gear.FACE_MASK in gears:
        gear[Gear.FACE_MASK] = face_mask_evidence(None, None, 0.0)
    return PersonObservation(body_from_head(head), head, min(hat.score, lone_hat_score), True, gear)


def _heads(parts: Parts) -> list[_Head]:
    """Faces and bare heads, a face and the bare head around it as one."""
    costs: NDArray[Any] = np.full((len(parts.faces), len(parts.bare_heads)), np.inf)
    for row, face in enumerate(parts.faces):
        for column, bare in enumerate(parts.bare_heads):
            inside = covered(face.box, by=bare.box)
            if inside >= 0.6 and height(bare.box) <= 2.5 * height(face.box):
                costs[row, column] = 1.0 - inside + abs(height(bare.box) / height(face.box) - 1.25)
    bare_of = dict(optimal_pairs(costs))
    heads = []
    for row, face in enumerate(parts.faces):
        around = parts.bare_heads[bare_of[row]] if row in bare_of else None
        heads.append(_Head(around.box if around is not None else head_from_face(face.box), face, around))
    taken = set(bare_of.values())
    heads += [
        _Head(bare.box, None, bare) for column, bare in enumerate(parts.bare_heads) if column not in taken
    ]
    return heads


def _with_bodies(heads: Sequence[_Head], bodies: Sequence[Part]) -> list[_Head]:
    """Heads with the bodies they belong to, and an inferred head for every body without one."""
    costs: NDArray[Any] = np.full((len(heads), len(bodies)), np.inf)
    for row, head in enumerate(heads):
        for column, body in enumerate(bodies):
            costs[row, column] = _body_cost(head.box, body.box)
    body_of = dict(optimal_pairs(costs))
    found = [
        _Head(head.box, head.face, head.bare, bodies[body_of[row]] if row in body_of else None)
        for row, head in enumerate(heads)
    ]
    taken = set(body_of.values())
    found += [
        _Head(head_from_body(body.box), body=body)
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


def _seen_box(head: _Head, hard_hat: Part | None) -> Box | None:
    """The head's box, or None where neither face nor bare head nor a hat shows where it is."""
    if not head.is_inferred:
        return head.box
    return hard_hat.box if hard_hat is not None else None


def _view_quality(box: Box, detections: Detections, head: _Head) -> float:
    """By size, truncation and blur; what others hide comes on top."""
    sharpness = 1.0
    if head.face is not None:
        sharpness = head.face.sharpness
    elif head.bare is not None:
        sharpness = head.bare.sharpness
    return (
        size_quality(height(box), detections.input_scale)
        * truncation_quality(box, detections.image_hw)
        * min(1.0, sharpness)
    )


def _certainty(*parts: Part | None) -> float:
    """By how sure the detector is of the surest of the parts: what is hardly seen is badly judged."""
    return ramp(
        max((part.score for part in parts if part is not None), default=0.0), _DOUBTFUL_SCORE, _SURE_SCORE
    )


def _face_quality(face: Part | None, view: float, input_scale: float) -> float:
    """As for the head, but by the size and the score of the face itself, and by its pose."""
    if face is None:
        return 0.0
    size = min(view, size_quality(height(face.box), input_scale))
    return size * _certainty(face) * pose_quality(face.landmarks_xy)


def _is_carried(body: Box, head: Box | None, loose: Sequence[Part]) -> bool:
    """Whether a hat that nobody wears lies on this body below its head."""
    chin = head[3] if head is not None else body[1] + height(body) / 6
    return any(
        body[0] - width(body) / 4 <= center(hat.box)[0] <= body[2] + width(body) / 4
        and chin <= center(hat.box)[1] <= body[3]
        for hat in loose
    )


def _hard_hat_evidence(
    head: _Head, hard_hat: Part | None, hat: Part | None, quality: float, carried: bool
) -> GearEvidence:
    bare_score = max(head.bare.score if head.bare is not None else 0.0, hat.score if hat is not None else 0.0)
    bare_name = "hat" if hat is not None and hat.score >= bare_score else "bare head"
    if hard_hat is not None:
        # a doubtful hat does not make a bare head likely, nor the other way round
        score = (
            max(0.5, hard_hat.score) if bare_score == 0 else hard_hat.score / (hard_hat.score + bare_score)
        )
        reason = f"hard hat {hard_hat.score:.2f} on the head"
        if bare_score:
            reason += f", against {bare_name} {bare_score:.2f}"
    elif bare_score:
        score = min(0.5, 1.0 - bare_score)
        reason = f"{bare_name} {bare_score:.2f}, no hard hat on it" + (", one is carried" if carried else "")
    elif carried and head.face is not None:
        score, quality = _CARRIED_SCORE, quality * _CARRIED_QUALITY
        reason = "hard hat carried, not worn"
    else:
        return GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "top of the head not judged")
    if quality <= 0:
        return GearEvidence(GearState.UNKNOWN, score, 0.0, f"{reason}, but too unclear to tell")
    return GearEvidence(
        GearState.WORN if hard_hat is not None and score >= 0.5 else GearState.MISSING, score, quality, reason
    )
