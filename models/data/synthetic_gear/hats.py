"""Draws hats and hard hats on heads, seen from any side.

Shapes: R, C rows and columns of a surface's grid; h, w the part of the picture that is drawn on.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.grids import cell_mm, cylinder, ellipsoid, region_of
from models.data.synthetic_gear.hat_fabric import crown_texture, plain_texture
from models.data.synthetic_gear.hat_looks import HatLook, sampled_hat_look
from models.data.synthetic_gear.hat_surfaces import (
    brim_points,
    crown_points,
    cuff_points,
    hood_points,
    strap_paths,
)
from models.data.synthetic_gear.hat_template import HatCategory, HatTemplate
from models.data.synthetic_gear.head_frame import HeadFrame
from models.data.synthetic_gear.light import Pixels, lay_over, light_on, without_bands_in_hair
from models.data.synthetic_gear.surfaces import Layer, Scene, Surface

_PIVOT_MM: Final = np.array([0.0, -40.0, -88.0])
_STRAP_RGB: Final = (46, 46, 50)
_STRAP_MM: Final = 9.0
_INSIDE: Final = 0.35  # brightness of what is seen of linings and of brims from below
_MUFF_RADIUS_MM, _MUFF_HEIGHT_MM = 36.0, 26.0


@dataclass(frozen=True, slots=True, eq=False)
class DrawnHat:
    """A picture with a hat drawn on it.

    - ``picture_rgb``: uint8 (H, W, 3). ``seg_mask``: bool (H, W), the hat's pixels, without a chin strap.
    - ``category``: ``hard_hat`` or ``hat``.
    """

    picture_rgb: NDArray[np.uint8]
    seg_mask: NDArray[np.bool_]
    category: HatCategory


def draw_hat(
    picture_rgb: NDArray[np.uint8],
    head: HeadFrame,
    template: HatTemplate,
    rng: np.random.Generator,
    *,
    face_is_seen: bool = True,
) -> DrawnHat:
    """Return a copy of ``picture_rgb`` uint8 (H, W, 3) in which ``head`` wears the hat of ``template``.

    - ``head``: ``HeadFrame.rigid`` of landmarks, or ``HeadFrame.in_head_box``.
    - ``face_is_seen``: its skin tells the light; otherwise the head's surroundings do.
    - ``rng`` chooses the rest: colour, sign, strap, how it sits.

    Raises ``ValueError`` for another shape or type of picture.
    """
    return paint_hat(picture_rgb, head, template, sampled_hat_look(template, rng), face_is_seen=face_is_seen)


def paint_hat(
    picture_rgb: NDArray[np.uint8],
    head: HeadFrame,
    template: HatTemplate,
    look: HatLook,
    *,
    face_is_seen: bool = True,
) -> DrawnHat:
    """``draw_hat`` with a look that is given. Raises ``ValueError`` likewise."""
    if picture_rgb.ndim != 3 or picture_rgb.shape[2] != 3 or picture_rgb.dtype != np.uint8:
        raise ValueError(
            f"picture_rgb: expected uint8 (H, W, 3), got {picture_rgb.dtype} {picture_rgb.shape}"
        )
    surfaces = hat_surfaces(template, look, cell_mm(head.px_per_mm, least_mm=3.5))
    points_mm = np.concatenate([surface.points_mm.reshape(-1, 3) for surface in surfaces])
    region = region_of(head, points_mm, picture_rgb.shape[:2], margin_mm=30)
    seg_mask = np.zeros(picture_rgb.shape[:2], np.bool_)
    if region is None:
        return DrawnHat(picture_rgb.copy(), seg_mask, template.category)
    x1, y1, x2, y2 = region
    patch = picture_rgb[y1:y2, x1:x2].astype(np.float32)
    light = light_on(patch, head, (x1, y1), from_skin=face_is_seen)
    scene = Scene(head, region, light.light_from)
    scene.hide_behind_head(shrunk=0.97)
    if look.strap and template.crown is not None:
        for path in strap_paths(template.crown):
            scene.band(path, _STRAP_MM, _STRAP_RGB)
    for surface in surfaces:
        scene.paint(surface)
    layer = scene.layer()
    if face_is_seen:
        layer = without_bands_in_hair(layer, patch, head, (x1, y1))
    shadowed = _shadowed(patch, layer, head.px_per_mm)
    blended, share = lay_over(shadowed, layer, light, rng=np.random.default_rng(look.seed))
    result = picture_rgb.copy()
    result[y1:y2, x1:x2] = np.clip(np.rint(blended), 0, 255)
    seg_mask[y1:y2, x1:x2] = share >= 0.5
    return DrawnHat(result, seg_mask, template.category)


def hat_surfaces(template: HatTemplate, look: HatLook, step_mm: float) -> list[Surface]:
    """The hat as it sits on the head, in grids of cells of about ``step_mm``."""
    crown_colours, plain_colours = crown_texture(template, look), plain_texture(template, look)
    crown = template.crown
    if crown is None:
        return [Surface(_seated(hood_points(step_mm), look), crown_colours, inside=_INSIDE)]
    shapes = [(crown_points(crown, step_mm), crown_colours)]
    if template.brim is not None:
        shapes.append((brim_points(crown, template.brim, step_mm), plain_colours))
    if template.cuff_mm:
        shapes.append((cuff_points(crown, template.cuff_mm, step_mm), plain_colours))
    if template.bobble:
        shapes.append((ellipsoid((0.0, crown.top_mm - 16, -96.0), (26, 24, 26)), plain_colours))
    if look.muffs:
        for side in (-1.0, 1.0):
            middle = np.array([side * (crown.half_width_mm - 12), 18.0, -86.0])
            points = cylinder(middle, np.array([side, 0.0, 0.0]), _MUFF_RADIUS_MM, _MUFF_HEIGHT_MM)
            shapes.append((points, plain_colours))
    return [
        Surface(_seated(points, look), texture, inside=_INSIDE, gloss=template.gloss)
        for points, texture in shapes
    ]


def _seated(points_mm: NDArray[np.float64], look: HatLook) -> NDArray[np.float64]:
    """Points (R, C, 3) turned, tilted and scaled about the middle of the head."""
    turn, tilt, lean = np.deg2rad([look.turned_deg, look.tilted_deg, look.askew_deg])
    about_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(lean), -np.sin(lean), 0], [np.sin(lean), np.cos(lean), 0], [0, 0, 1]])
    turned = (points_mm - _PIVOT_MM) @ (look.scale * about_z @ about_x @ about_y).T
    return np.asarray(turned + _PIVOT_MM, np.float64)


def _shadowed(patch: Pixels, layer: Layer, px_per_mm: float) -> Pixels:
    """The patch (h, w, 3) with the hat's soft shadow on the head below it."""
    shadow = cv2.GaussianBlur(layer.labelled, (0, 0), max(0.6, 6 * px_per_mm))
    shift = np.array([[1, 0, 0], [0, 1, 11 * px_per_mm]], np.float32)
    shadow = cv2.warpAffine(shadow, shift, (shadow.shape[1], shadow.shape[0]))
    return np.asarray(patch * (1 - 0.38 * shadow * layer.head)[..., None], np.float32)
