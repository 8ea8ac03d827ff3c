"""Unmasked faces with something drawn on them, as examples: face masks, and what is taken for one."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from models.data.synthetic_gear.face_mask_looks import can_be_worn
from models.data.synthetic_gear.face_mask_templates import FACE_MASKS
from models.data.synthetic_gear.face_masks import FaceMaskWear
from models.mask_state.network import KINDS
from models.training.mask_state_drawings import LOOKALIKES, Drawing
from models.training.mask_state_examples import FaceExample
from models.training.mask_state_labels import INCORRECT, WITH_MASK

_SMALLEST_DRAWN_PX: Final = 24.0
_LEAST_EYE_DISTANCE_PX: Final = 6.0
_WRONG_WEARS: Final = tuple(wear for wear in FaceMaskWear if wear != FaceMaskWear.WORN)


def drawn_on(
    faces: Iterable[FaceExample], *, seed: int, worn: float, wrong: float, lookalikes: float = 0.0
) -> list[FaceExample]:
    """Copies of unmasked ``faces``: a share ``worn`` wears a drawn mask as required, a share ``wrong`` wears one
    wrongly, a share ``lookalikes`` has something drawn on that is no mask.

    Small faces and profiles are left out: nothing to draw on.
    """
    rng = np.random.default_rng(seed)
    templates = list(FACE_MASKS.values())
    examples = []
    for face in faces:
        chance, drawing_seed = rng.random(), int(rng.integers(2**31))
        # kinds alike, however many templates each has
        kind = int(rng.integers(len(KINDS)))
        of_kind = [template for template in templates if template.kind == KINDS[kind]]
        template = of_kind[rng.integers(len(of_kind))]
        wrong_wear = _WRONG_WEARS[rng.integers(len(_WRONG_WEARS))]
        lookalike = LOOKALIKES[rng.integers(len(LOOKALIKES))]
        if chance >= worn + wrong + lookalikes or not _can_be_drawn_on(face):
            continue
        points = face.landmarks_xy or ()
        if chance >= worn + wrong:
            drawing = Drawing(points, lookalike, drawing_seed)
            examples.append(replace(face, source=f"{face.source}/lookalike", drawing=drawing))
            continue
        wear = FaceMaskWear.WORN if chance < worn else wrong_wear
        if not can_be_worn(template, wear):
            wear = FaceMaskWear.AT_CHIN
        drawing = Drawing(points, template.name, drawing_seed, wear)
        label = WITH_MASK if chance < worn else INCORRECT
        examples.append(replace(face, label=label, source=f"{face.source}/drawn", drawing=drawing, kind=kind))
    return examples


def _can_be_drawn_on(face: FaceExample) -> bool:
    """Large enough, and not in profile, where the eyes fall together."""
    if face.landmarks_xy is None or face.box_xyxy[3] - face.box_xyxy[1] < _SMALLEST_DRAWN_PX:
        return False
    (right_x, right_y), (left_x, left_y) = face.landmarks_xy[:2]
    return float(np.hypot(left_x - right_x, left_y - right_y)) >= _LEAST_EYE_DISTANCE_PX
