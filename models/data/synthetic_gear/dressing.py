"""Puts gear on the bare faces and heads of one picture, as often as told, and keeps its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import Box
from models.data.synthetic_gear.face_mask_looks import FaceMaskWear, sampled_template
from models.data.synthetic_gear.face_masks import draw_face_mask
from models.data.synthetic_gear.hat_looks import sampled_hat
from models.data.synthetic_gear.hat_template import HatCategory
from models.data.synthetic_gear.hats import draw_hat
from models.data.synthetic_gear.head_frame import MIN_EYE_DISTANCE_PX, HeadFrame
from models.data.synthetic_gear.occlusions import OcclusionShape, draw_occlusion

GearName = Literal["face_mask", "hard_hat", "hat", "occlusion"]

_LEAST_HEAD_PX: Final = 12.0
_WRONG: Final = (FaceMaskWear.UNDER_NOSE, FaceMaskWear.AT_CHIN, FaceMaskWear.ONE_EAR)
_WRONG_SHARES: Final = (0.5, 0.35, 0.15)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnThing:
    """Something that was drawn: its category, its pixels that are seen (H, W), words about it, and the index of the
    face that it was drawn on, None on a head from behind.
    """

    category: GearName
    seg_mask: NDArray[np.bool_]
    attributes: Mapping[str, str]
    face: int | None = None


@dataclass(frozen=True, slots=True)
class GearShares:
    """How often, 0 to 1, a bare face or head gets each gear; ``wrong``: of the face masks, those worn wrongly.

    Raises ``ValueError`` for shares beyond 0 to 1, or hats of both sorts that together are more than 1.
    """

    face_mask: float = 0.6
    hard_hat: float = 0.3
    hat: float = 0.2
    occlusion: float = 0.0
    wrong: float = 0.3

    def __post_init__(self) -> None:
        shares = (self.face_mask, self.hard_hat, self.hat, self.occlusion, self.wrong)
        if not all(0 <= share <= 1 for share in shares) or self.hard_hat + self.hat > 1:
            raise ValueError(f"shares must lie in 0 to 1, and those of hats together: {shares}")


def dress(
    picture_rgb: NDArray[np.uint8],
    landmarks_xy: NDArray[np.float64],
    heads_xyxy: tuple[Box, ...],
    shares: GearShares,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], list[DrawnThing]]:
    """``picture_rgb`` uint8 (H, W, 3) with gear on its bare faces (F, 5, 2) and its heads from behind, and what was
    drawn, some of which may be hidden by what was drawn later. The larger is nearer, and hides what it covers. Faces
    too small to draw on stay bare.
    """
    # the distance from eyes to mouth is about a third of a head
    wearers: list[tuple[float, int | Box]] = [
        (3.2 * float(np.linalg.norm(face[3:].mean(axis=0) - face[:2].mean(axis=0))), index)
        for index, face in enumerate(landmarks_xy)
    ]
    wearers += [(box[3] - box[1], box) for box in heads_xyxy]
    things: list[DrawnThing] = []
    for _, wearer in sorted(wearers, key=lambda row: row[0]):
        if isinstance(wearer, int):
            worn = _on_face(picture_rgb, landmarks_xy[wearer], shares, rng)
        else:
            worn = _on_head(picture_rgb, wearer, shares, rng)
        if worn is not None:
            picture_rgb = worn[0]
            face = wearer if isinstance(wearer, int) else None
            for thing in worn[1]:
                things = [_without(other, thing.seg_mask) for other in things]
                things.append(replace(thing, face=face))
    return picture_rgb, things


_Worn = tuple[NDArray[np.uint8], list[DrawnThing]]


def _on_face(
    rgb: NDArray[np.uint8], landmarks: NDArray[np.float64], shares: GearShares, rng: np.random.Generator
) -> _Worn | None:
    if np.linalg.norm(landmarks[1] - landmarks[0]) < MIN_EYE_DISTANCE_PX:
        return None
    things: list[DrawnThing] = []
    # the light is told by skin: from the bare face, before anything lies on it
    category = _hat_category(shares, rng)
    if rng.random() < shares.face_mask:
        is_wrong = rng.random() < shares.wrong
        wear = _WRONG[int(rng.choice(len(_WRONG), p=_WRONG_SHARES))] if is_wrong else FaceMaskWear.WORN
        template = sampled_template(wear, rng)
        drawn = draw_face_mask(rgb, landmarks, template, wear, rng)
        rgb = drawn.picture_rgb
        words = {"wear": drawn.wear.value, "kind": drawn.kind.value, "template": template.name}
        things.append(DrawnThing("face_mask", drawn.seg_mask, words))
    if category is not None:
        template_of_hat = sampled_hat(category, rng)
        hat = draw_hat(rgb, HeadFrame.rigid(landmarks), template_of_hat, rng)
        rgb = hat.picture_rgb
        things.append(DrawnThing(hat.category, hat.seg_mask, {"template": template_of_hat.name}))
    if rng.random() < shares.occlusion:
        middle = landmarks.mean(axis=0)
        reach = 1.2 * max(float(np.ptp(landmarks[:, 0])), float(np.ptp(landmarks[:, 1])))
        shape = list(OcclusionShape)[int(rng.integers(len(OcclusionShape)))]
        hidden = draw_occlusion(rgb, np.concatenate([middle - reach, middle + reach]), shape, rng)
        rgb = hidden.picture_rgb
        things.append(DrawnThing("occlusion", hidden.seg_mask, {"shape": hidden.shape.value}))
    return rgb, [_without_all(thing, things[index + 1 :]) for index, thing in enumerate(things)]


def _on_head(rgb: NDArray[np.uint8], box: Box, shares: GearShares, rng: np.random.Generator) -> _Worn | None:
    """On a head that is seen from behind, in ``box``."""
    category = _hat_category(shares, rng)
    if category is None or min(box[2] - box[0], box[3] - box[1]) < _LEAST_HEAD_PX:
        return None
    head = HeadFrame.in_head_box(
        box,
        yaw_deg=float(rng.uniform(120, 240)),
        pitch_deg=float(rng.uniform(-25, 5)),
        roll_deg=float(rng.normal(0, 5)),
    )
    template = sampled_hat(category, rng)
    hat = draw_hat(rgb, head, template, rng, face_is_seen=False)
    return hat.picture_rgb, [DrawnThing(hat.category, hat.seg_mask, {"template": template.name})]


def _hat_category(shares: GearShares, rng: np.random.Generator) -> HatCategory | None:
    chance = rng.random()
    if chance < shares.hard_hat:
        return "hard_hat"
    return "hat" if chance < shares.hard_hat + shares.hat else None


def _without(thing: DrawnThing, covered: NDArray[np.bool_]) -> DrawnThing:
    return replace(thing, seg_mask=thing.seg_mask & ~covered)


def _without_all(thing: DrawnThing, later: list[DrawnThing]) -> DrawnThing:
    for other in later:
        thing = _without(thing, other.seg_mask)
    return thing
