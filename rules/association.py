"""From the detections of one frame to the persons in it, each with the evidence of this look."""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Detections, Gear, GearEvidence, PersonObservation
from rules.face_masks import NO_FACE, assign_face_masks, judged_faces
from rules.geometry import Box, center, height, overlap, width
from rules.hard_hats import hard_hat_evidence
from rules.headgear import head_of, shows_wearer
from rules.heads import Head, find_heads
from rules.mask_fit import MaskFit, mask_fits
from rules.parts import Part, parts_of
from rules.proportions import body_from_head
from rules.quality import (
    overlap_qualities,
    pose_qualities,
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
    boxes = [head.seen_box for head in found.heads]
    views = _views(found.heads, boxes, detections)
    masks: Sequence[GearEvidence | None] = [None] * len(boxes)
    if Gear.FACE_MASK in gears:
        masks = _mask_looks(found.heads, parts.face_masks, views)
    people = []
    for head, box, view, mask in zip(found.heads, boxes, views, masks, strict=True):
        body = head.body.box if head.body is not None else body_from_head(head.box)
        gear: dict[Gear, GearEvidence] = {}
        if Gear.HARD_HAT in gears:
            quality = view * _certainty(head.face, head.bare, head.body, head.hard_hat, head.hat)
            carried = _is_carried(body, box, found.loose_hats)
            gear[Gear.HARD_HAT] = hard_hat_evidence(head, quality, is_carried=carried)
        if mask is not None:
            gear[Gear.FACE_MASK] = mask
        people.append(PersonObservation(body, box, _person_score(head), head.body is None, gear))
    if found.loose_hats:
        people += _under_lone_hats(found.loose_hats, people, detections, gears, lone_hat_score)
    return sorted(people, key=lambda person: (person.box_xyxy, person.head_xyxy or ()))


def _person_score(head: Head) -> float:
    """The surest sign that there is a person; a hat is one only where it shows its wearer."""
    hat = head.hard_hat if head.hard_hat is not None and shows_wearer(head.hard_hat) else None
    return max(part.score for part in (head.face, head.bare, head.body, hat) if part is not None)


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
            (clear,) = _view_qualities(np.array([head.box]), [head], detections).tolist()
            gear: dict[Gear, GearEvidence] = {}
            if Gear.HARD_HAT in gears:
                gear[Gear.HARD_HAT] = hard_hat_evidence(head, clear * _certainty(hat), is_carried=False)
            if Gear.FACE_MASK in gears:
                gear[Gear.FACE_MASK] = NO_FACE
            score = min(hat.score, lone_hat_score)
            found.append(PersonObservation(body_from_head(head.box), head.box, score, True, gear))
    return found


def _views(heads: Sequence[Head], boxes: Sequence[Box | None], detections: Detections) -> list[float]:
    """What the sight of each head supports; nothing where ``boxes`` has None: it was not seen."""
    views = [0.0] * len(heads)
    rows = [row for row, box in enumerate(boxes) if box is not None]
    if not rows:
        return views
    seen = np.array([box for box in boxes if box is not None])
    qualities = _view_qualities(seen, [heads[row] for row in rows], detections)
    # only what was itself seen hides, and is hidden
    visible = np.array([not heads[row].is_inferred for row in rows])
    qualities[visible] *= overlap_qualities(seen[visible])
    for row, quality in zip(rows, qualities.tolist(), strict=True):
        views[row] = quality
    return views


def _view_qualities(
    boxes: NDArray[np.float64], heads: Sequence[Head], detections: Detections
) -> NDArray[np.float64]:
    """By size, truncation and blur of heads that are seen at ``boxes`` (N, 4); what others hide comes on top."""
    looks = [
        (1.0, detections.input_scale)
        if (shown := head.face or head.bare or head.hard_hat or head.hat) is None
        else (shown.sharpness, shown.input_scale)
        for head in heads
    ]
    sharpness, scales = np.array(looks).T
    sizes = size_qualities(boxes[:, 3] - boxes[:, 1], scales)
    return np.asarray(
        sizes * truncation_qualities(boxes, detections.image_hw) * np.minimum(1.0, sharpness), np.float64
    )


def _mask_looks(
    heads: Sequence[Head], face_masks: Sequence[Part], views: Sequence[float]
) -> list[GearEvidence]:
    """The evidence on the face mask of each head.

    Its quality is that of the head's sight, but by the size and the score of the face itself, and by its pose.
    """
    faces = [head.face for head in heads if head.face is not None]
    poses = pose_qualities([face.landmarks_xy for face in faces])
    garment_of = assign_face_masks(face_masks, faces)
    fits: list[MaskFit | None] = [None] * len(faces)
    masked = list(garment_of)
    found = mask_fits(
        [faces[row] for row in masked],
        [face_masks[garment_of[row]] for row in masked],
        poses=[poses[row] for row in masked],
    )
    for row, fit in zip(masked, found, strict=True):
        fits[row] = fit
    seen = np.array([view for head, view in zip(heads, views, strict=True) if head.face is not None])
    sizes = size_qualities(
        np.array([height(face.box) for face in faces]), np.array([face.input_scale for face in faces])
    )
    certain = ramps(np.array([face.score for face in faces]), _DOUBTFUL_SCORE, _SURE_SCORE)
    qualities = (np.minimum(seen, sizes) * certain * poses).tolist()
    judged = iter(judged_faces(faces, fits, qualities))
    return [NO_FACE if head.face is None else next(judged) for head in heads]


def _certainty(*parts: Part | None) -> float:
    """By how sure the detector is of the surest of the parts: what is hardly seen is badly judged."""
    surest = 0.0
    for part in parts:
        if part is not None and part.score > surest:
            surest = part.score
    return ramp(surest, _DOUBTFUL_SCORE, _SURE_SCORE)


def _is_carried(body: Box, head: Box | None, loose: Sequence[Part]) -> bool:
    """Whether a hat that nobody wears lies on this body below its head."""
    if not loose:
        return False
    chin = head[3] if head is not None else body[1] + height(body) / 6
    return any(
        body[0] - width(body) / 4 <= center(hat.box)[0] <= body[2] + width(body) / 4
        and chin <= center(hat.box)[1] <= body[3]
        for hat in loose
    )
