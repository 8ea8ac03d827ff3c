"""Draws a face mask on a face of which five landmarks are known.

The mask is a small surface in space (``face_mask_templates``) seen through the face's own projection
(``head_frame``), so that it turns with the head and hides its own far side. Its brightness follows the skin that it
covers, its sharpness and noise the picture.

Shapes: R, C rows and columns of the surface's grid; h, w the part of the picture that is drawn on.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.data.synthetic_gear.face_mask_fabric import disc_texture, fabric
from models.data.synthetic_gear.face_mask_looks import FaceMaskLook, FaceMaskWear, sampled_look, wear_of
from models.data.synthetic_gear.face_mask_template import Disc, FaceMaskKind, FaceMaskTemplate
from models.data.synthetic_gear.grids import cell_mm, cylinder, normals_of, refined, region_of
from models.data.synthetic_gear.head_frame import HeadFrame
from models.data.synthetic_gear.light import Pixels, lay_over, light_on, without_bands_in_hair
from models.data.synthetic_gear.surfaces import Layer, Scene, Surface

__all__ = [
    "DrawnFaceMask",
    "FaceMaskLook",
    "FaceMaskWear",
    "draw_face_mask",
    "paint_face_mask",
    "sampled_look",
]

#: Where the chin ends, in millimetres below the eyes: what is pulled further down folds under it.
CHIN_MM: Final = 112.0

_SIZE_MM: Final = (115.0, 170.0)
_MOUTH_MM: Final = np.array([0.0, 66.0])
_EAR_MM: Final = (74.0, 26.0, -80.0)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFaceMask:
    """A picture with a face mask drawn on it.

    - ``picture_rgb``: uint8 (H, W, 3).
    - ``seg_mask``: bool (H, W), the pixels of the mask's fabric and valves, without its bands and without what is
      occluded.
    - ``wear``: how it is worn. ``kind``: surgical, respirator or cloth.
    """

    picture_rgb: NDArray[np.uint8]
    seg_mask: NDArray[np.bool_]
    wear: FaceMaskWear
    kind: FaceMaskKind


def draw_face_mask(
    picture_rgb: NDArray[np.uint8],
    landmarks_xy: ArrayLike,
    template: FaceMaskTemplate,
    wear: FaceMaskWear,
    rng: np.random.Generator,
) -> DrawnFaceMask:
    """Return a copy of ``picture_rgb`` uint8 (H, W, 3) in which the face wears the mask of ``template``.

    - ``landmarks_xy``: (5, 2) pixels: left and right eye as the viewer sees them, nose tip, corners of the
      mouth.
    - ``rng`` chooses the rest: colour, print, how far it is pulled down or put on askew.

    Raises ``ValueError`` as ``paint_face_mask`` does, and where ``template`` cannot be worn so.
    """
    return paint_face_mask(picture_rgb, landmarks_xy, template, sampled_look(template, wear, rng))


def paint_face_mask(
    picture_rgb: NDArray[np.uint8],
    landmarks_xy: ArrayLike,
    template: FaceMaskTemplate,
    look: FaceMaskLook,
    *,
    opacity: float = 1.0,
    occluder: NDArray[np.bool_] | None = None,
) -> DrawnFaceMask:
    """``draw_face_mask`` with a look that is given.

    - ``opacity``: 0 to 1, for fading in and out.
    - ``occluder``: bool (H, W), what is in front of the mask and its bands: hair, a hand.

    Raises ``ValueError`` for shapes that do not fit or a face that ``HeadFrame.from_landmarks`` refuses.
    """
    if picture_rgb.ndim != 3 or picture_rgb.shape[2] != 3 or picture_rgb.dtype != np.uint8:
        raise ValueError(
            f"picture_rgb: expected uint8 (H, W, 3), got {picture_rgb.dtype} {picture_rgb.shape}"
        )
    if occluder is not None and occluder.shape != picture_rgb.shape[:2]:
        raise ValueError(f"occluder: expected {picture_rgb.shape[:2]}, got {occluder.shape}")
    frame = HeadFrame.from_landmarks(landmarks_xy)
    wear = wear_of(template, look)
    points_mm = worn_surface(template, look, frame.px_per_mm)
    region = region_of(frame, points_mm, picture_rgb.shape[:2], margin_mm=40)  # bands reach to the ears
    seg_mask = np.zeros(picture_rgb.shape[:2], np.bool_)
    if region is None:
        return DrawnFaceMask(picture_rgb.copy(), seg_mask, wear, template.kind)
    x1, y1, x2, y2 = region
    patch = picture_rgb[y1:y2, x1:x2].astype(np.float32)
    light = light_on(patch, frame, (x1, y1))
    scene = Scene(frame, region)
    scene.hide_behind_head(shrunk=0.9)
    for band in _bands(template, look, points_mm):
        scene.band(band, template.loop_width_mm, template.loop_rgb)
    # what lies behind hair and cheeks is drawn before, and cannot be told from what is on them
    scene.paint(
        Surface(
            points_mm, fabric(template, look), inside=0.6 if look.hangs_from else 0.0, gloss=template.gloss
        )
    )
    for disc in template.discs:
        for side in (1, -1) if disc.on_both_sides else (1,):
            scene.paint(Surface(_disc_points(disc, side, points_mm), disc_texture(disc, look), gloss=0.1))
    layer = scene.layer()
    shadowed = _shadowed(patch, layer, frame.px_per_mm, opacity)
    visible = None if occluder is None else ~occluder[y1:y2, x1:x2]
    if visible is not None:
        shadowed = np.where(visible[..., None], shadowed, patch)
    layer = without_bands_in_hair(layer, patch, frame, (x1, y1))
    blended, share = lay_over(
        shadowed, layer, light, opacity=opacity, visible=visible, rng=np.random.default_rng(look.seed)
    )
    result = picture_rgb.copy()
    result[y1:y2, x1:x2] = np.clip(np.rint(blended), 0, 255)
    seg_mask[y1:y2, x1:x2] = share >= 0.5
    return DrawnFaceMask(result, seg_mask, wear, template.kind)


def worn_surface(template: FaceMaskTemplate, look: FaceMaskLook, px_per_mm: float) -> NDArray[np.float64]:
    """The template's surface (R, C, 3) on the head, where ``look`` has it."""
    step = cell_mm(px_per_mm)
    rows, columns = (int(np.clip(np.ceil(size / step), 12, 64)) + 1 for size in _SIZE_MM)
    if look.hangs_from:
        return _hanging(look, (rows, columns))
    points = refined(template.control_mm, (rows, columns))
    turn = np.deg2rad(look.askew_deg)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points[..., :2] = (points[..., :2] - _MOUTH_MM) @ (look.scale * rotation) + _MOUTH_MM
    points[..., 0] += look.shifted_mm
    if look.lowered_mm:
        # what goes around the head stays higher behind it, and lies on the neck
        behind = np.clip((-points[..., 2] - 40) / 45, 0, 1)
        y = points[..., 1] + look.lowered_mm * (1 - 0.45 * behind)
        beyond_chin = np.maximum(y - CHIN_MM, 0)
        points[..., 1] = y - 0.55 * beyond_chin
        points[..., 2] -= 0.5 * beyond_chin
        # a jaw is narrower than cheeks
        points[..., 0] *= 1 - 0.0045 * np.clip(y - 78, 0, 60) - 0.14 * behind * np.clip((y - 60) / 30, 0, 1)
    return points


def _hanging(look: FaceMaskLook, count_rc: tuple[int, int]) -> NDArray[np.float64]:
    """Fabric (R, C, 3) that hangs down beside the cheek from one ear, gathered and a little curled."""
    side = float(look.hangs_from)
    down, across = np.meshgrid(np.linspace(0, 1, count_rc[0]), np.linspace(-1, 1, count_rc[1]), indexing="ij")
    from_ear = (1 - side * across) / 2
    gathered = 0.55 + 0.45 * np.sin(np.pi * np.clip(from_ear, 0.04, 0.96))
    swing = 0.25 + 0.02 * look.askew_deg
    x = 70 + look.shifted_mm + 62 * look.scale * gathered * (down - 0.45) + 24 * swing * from_ear
    y = 44 + 112 * look.scale * from_ear + 6 * down
    z = -46 + 16 * np.sin(np.pi * down) + 10 * from_ear
    return np.stack([side * x, y, z], axis=-1)


def _bands(
    template: FaceMaskTemplate, look: FaceMaskLook, points_mm: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """The bands (P, 3) from the surface's corners; the loose one of a hanging mask is not drawn."""
    if look.hangs_from:
        column = 0 if look.hangs_from < 0 else -1
        ear = np.asarray(_EAR_MM) * (look.hangs_from, 1, 1)
        return [np.stack([points_mm[row, column], ear]) for row in (0, -1)]
    bands = []
    for side, column in ((-1.0, 0), (1.0, -1)):
        for row, band in zip((0, -1), template.loops_mm, strict=False):
            path = np.asarray(band) * (side, 1.0, 1.0)
            path[0] = points_mm[row, column]
            bands.append(path)
    return bands


def _disc_points(disc: Disc, side: int, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """A low cylinder (R, C, 3) on the surface, from its middle to its rim."""
    row = round(disc.down * (points_mm.shape[0] - 1))
    column = round((side * disc.across + 1) / 2 * (points_mm.shape[1] - 1))
    normal = normals_of(points_mm)[row, column]
    return cylinder(points_mm[row, column], normal, disc.radius_mm, disc.height_mm)


def _shadowed(patch: Pixels, layer: Layer, px_per_mm: float, opacity: float) -> Pixels:
    """The patch (h, w, 3) with the fabric's soft shadow along its lower edge."""
    shadow = cv2.GaussianBlur(layer.labelled * np.float32(opacity), (0, 0), max(0.6, 3.5 * px_per_mm))
    shift = np.array([[1, 0, 0], [0, 1, 3.0 * px_per_mm]], np.float32)
    shadow = cv2.warpAffine(shadow, shift, (shadow.shape[1], shadow.shape[0]))
    return np.asarray(patch * (1 - 0.30 * shadow)[..., None], np.float32)
