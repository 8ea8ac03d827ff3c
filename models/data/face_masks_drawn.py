"""Face masks in a given colour and place, as Mask R-CNN's canvases draw them; see
``models.data.synthetic_gear.face_masks``.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.data.synthetic_gear.face_mask_templates import FaceMaskTemplate, Rgb
from models.data.synthetic_gear.face_masks import DrawnFaceMask, FaceMaskLook, paint_face_mask


def draw_face_mask(
    picture_rgb: NDArray[np.uint8],
    landmarks_xy: ArrayLike,
    template: FaceMaskTemplate,
    *,
    colour_rgb: Rgb | None = None,
    lowered_mm: float = 0.0,
    rng: np.random.Generator | None = None,
) -> DrawnFaceMask:
    """``paint_face_mask`` with a colour, by default the template's first, and how far it is pulled down.

    ``rng``: of the grain; without one it is the same every time.
    """
    seed = 0 if rng is None else int(rng.integers(2**31))
    look = FaceMaskLook(colour_rgb or template.colours_rgb[0], lowered_mm=lowered_mm, seed=seed)
    return paint_face_mask(picture_rgb, landmarks_xy, template, look)
