"""From the detections of one frame to the persons in it, each with the evidence of this look."""

from collections.abc import Collection, Sequence
from typing import Final

from models.structures import Detections, Gear, GearEvidence, PersonObservation
from rules.face_masks import assign_face_masks, face_mask_evidence
from rules.geometry import Box, center, height, overlap, width
from rules.hard_hats import hard_hat_evidence
from rules.headgear import head_of, shows_wearer
from rules.heads import Head, find_heads
from rules.parts import Part, parts_of
from rules.proportions import body_from_head
from rules.quality import overlap_qualities, pose_quality, ramp, size_quality, truncation_quality

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
    faces = [head.face for head in found.heads if head.face is not None]
    garments = assign_face_masks(parts.face_masks, faces)
    garment_of = {
        id(face): parts.face_masks[garments[row]] for row, face in enumerate(faces) if row in garments
    }
    visible = [row for row, head in enumerate(found.heads) if not head.is_inferred]
    clear = dict(zip(visible, overlap_qualities([found.heads[row].box for row in visible]), strict=True))
    people = []
    for row, head in enumerate(found.heads):
        box = head.seen_box
        body = head.body.box if head.body is not None else body_from_head(head.box)
        view = 0.0 if box is None else clear.get(row, 1.0) * _view_quality(box, detections, head)
        gear: dict[Gear, GearEvidence] = {}
        if Gear.HARD_HAT in gears:
            quality = view * _certainty(head.face, head.bare, head.body, head.hard_hat, head.hat)
            carried = _is_carried(body, box, found.loose_hats)
            gear[Gear.HARD_HAT] = hard_hat_evidence(head, quality, is_carried=carried)
        if Gear.FACE_MASK in gears:
            scale = detections.input_scale
            gear[Gear.FACE_MASK] = face_mask_evidence(
                head.face,
                garment_of.get(id(head.face)),
                _face_quality(head.face, view, scale),
                input_scale=scale,
            )
        people.append(PersonObservation(body, box, _person_score(head), head.body is None, gear))
    people += _under_lone_hats(found.loose_hats, people, detections, gears, lone_hat_score)
    return sorted(people, key=lambda person: (person.box_xyxy, person.head_xyxy or ()))


def _person_score(head: Head) -> float:
    """The surest sign that there is a person; a hat is one only where it shows its wearer."""
    signs = [part.score for part in (head.face, head.bare, head.body) if part is not None]
    if head.hard_hat is not None and shows_wearer(head.hard_hat):
        signs.append(head.hard_hat.score)
    return max(signs)


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
        on_somebody = any(_is_carried(person.box_xyxy, person.head_xyxy, [hat]) for person in people)
        on_a_head = any(
            person.head_xyxy is not None and overlap(person.head_xyxy, hat.box) for person in people
        )
        if not on_somebody and not on_a_head:
            head = Head(head_of(hat), hard_hat=hat)
            quality = _view_quality(head.box, detections, head) * _certainty(hat)
            gear: dict[Gear, GearEvidence] = {}
            if Gear.HARD_HAT in gears:
                gear[Gear.HARD_HAT] = hard_hat_evidence(head, quality, is_carried=False)
            if Gear.FACE_MASK in gears:
                gear[Gear.FACE_MASK] = face_mask_evidence(None, None, 0.0)
            score = min(hat.score, lone_hat_score)
            found.append(PersonObservation(body_from_head(head.box), head.box, score, True, gear))
    return found


def _view_quality(box: Box, detections: Detections, head: Head) -> float:
    """By size, truncation and blur; what others hide comes on top."""
    shown = head.face or head.bare or head.hard_hat or head.hat
    return (
        size_quality(height(box), detections.input_scale)
        * truncation_quality(box, detections.image_hw)
        * (1.0 if shown is None else min(1.0, shown.sharpness))
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
