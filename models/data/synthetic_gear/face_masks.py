"""Draws a worn face mask on a face of which five landmarks are known.

One code serves training pictures and the demo clip.

The mask is a small surface in space (``models.data.synthetic_gear.face_mask_templates``) seen through the face's own
projection (``models.data.synthetic_gear.head_frame``), so that it turns with the head and hides its own far side. Its
brightness follows the skin that it covers.

Legend: R, C rows and columns of the surface's fine grid.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.data.synthetic_gear.face_mask_templates import FaceMaskKind, FaceMaskTemplate, Rgb
from models.data.synthetic_gear.head_frame import HeadFrame

#: Where the chin ends, in millimetres below the eyes: what is pulled further down folds under it.
CHIN_MM: Final = 112.0

_GRID_RC: Final = (49, 41)
_SUPERSAMPLE_MM: Final = 0.22  # fineness of the drawing before it is averaged down to the picture's pixels
_MAX_SUPERSAMPLE: Final = 6
_LIGHT: Final = np.array([-0.22, -0.62, 0.75]) / np.linalg.norm([-0.22, -0.62, 0.75])
_AMBIENT: Final = 0.52
_SKIN_LUMA: Final = 168.0  # a lit face in a well exposed picture: there the mask keeps its own colour
_LUMA_WEIGHTS: Final = np.array([0.299, 0.587, 0.114], np.float32)
_SHIFT_BITS: Final = 4
#: From the mask's height on which the nose is out, and the mouth.
_NOSE_OUT_MM: Final = 20.0
_MOUTH_OUT_MM: Final = 60.0


class FaceMaskWear(StrEnum):
    """How a drawn face mask is worn: ``WORN`` as required, every other wrongly."""

    WORN = "worn"
    UNDER_NOSE = "under_nose"
    AT_CHIN = "at_chin"
    ONE_EAR = "one_ear"


@dataclass(frozen=True, slots=True)
class FaceMaskLook:
    """Everything that differs between two face masks of one template.

    - ``colour_rgb``: of the fabric.
    - ``lowered_mm``: how far it is pulled down: 0 worn as required, about 30 leaves the nose out, from 70
      the mouth.
    """

    colour_rgb: Rgb
    lowered_mm: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFaceMask:
    """A picture with a face mask drawn on it.

    - ``picture_rgb``: uint8 (H, W, 3).
    - ``seg_mask``: bool (H, W), the pixels of the mask's fabric, without its bands and without what is
      occluded.
    - ``wear``: how it is worn. ``kind``: surgical, respirator or cloth.
    """

    picture_rgb: NDArray[np.uint8]
    seg_mask: NDArray[np.bool_]
    wear: FaceMaskWear
    kind: FaceMaskKind


#: How far it is pulled down, by wear.
_LOWERED_MM: Final = {
    FaceMaskWear.WORN: (0.0, 7.0),
    FaceMaskWear.UNDER_NOSE: (28.0, 45.0),
    FaceMaskWear.AT_CHIN: (72.0, 95.0),
    FaceMaskWear.ONE_EAR: (72.0, 95.0),
}


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

    Raises ``ValueError`` as ``paint_face_mask`` does.
    """
    return paint_face_mask(picture_rgb, landmarks_xy, template, sampled_look(template, wear, rng), rng=rng)


def sampled_look(template: FaceMaskTemplate, wear: FaceMaskWear, rng: np.random.Generator) -> FaceMaskLook:
    """A look as ``wear`` says, all else by chance."""
    colour = template.colours_rgb[int(rng.integers(len(template.colours_rgb)))]
    low, high = _LOWERED_MM[wear]
    return FaceMaskLook(colour, lowered_mm=float(rng.uniform(low, high)))


def paint_face_mask(
    picture_rgb: NDArray[np.uint8],
    landmarks_xy: ArrayLike,
    template: FaceMaskTemplate,
    look: FaceMaskLook,
    *,
    opacity: float = 1.0,
    occluder: NDArray[np.bool_] | None = None,
    rng: np.random.Generator | None = None,
) -> DrawnFaceMask:
    """``draw_face_mask`` with a look that is given.

    - ``opacity``: 0 to 1, for fading in and out.
    - ``occluder``: bool (H, W), what is in front of the mask and its bands: hair, a hand.
    - ``rng``: for the fabric's grain; without one the grain is the same every time.

    Raises ``ValueError`` for shapes that do not fit or a face that ``HeadFrame.from_landmarks`` refuses.
    """
    if picture_rgb.ndim != 3 or picture_rgb.shape[2] != 3 or picture_rgb.dtype != np.uint8:
        raise ValueError(
            f"picture_rgb: expected uint8 (H, W, 3), got {picture_rgb.dtype} {picture_rgb.shape}"
        )
    if occluder is not None and occluder.shape != picture_rgb.shape[:2]:
        raise ValueError(f"occluder: expected {picture_rgb.shape[:2]}, got {occluder.shape}")
    wear = _wear_of(look.lowered_mm)
    frame = HeadFrame.from_landmarks(landmarks_xy)
    surface_mm = _surface(template, look.lowered_mm)
    region = _region(frame, surface_mm, picture_rgb.shape[:2])
    seg_mask = np.zeros(picture_rgb.shape[:2], np.bool_)
    if region is None:
        return DrawnFaceMask(picture_rgb.copy(), seg_mask, wear, template.kind)
    x1, y1, x2, y2 = region
    canvas = _Canvas(frame, region)
    if look.lowered_mm < CHIN_MM / 2:  # hanging at the chin, its bands run along the jaw: too thin to matter
        _draw_loops(canvas, template)
    canvas.end_of_bands()
    _draw_surface(canvas, template, surface_mm, look.colour_rgb, rng)
    layer_rgb, alpha, fabric = canvas.averaged()
    if occluder is not None:
        visible = ~occluder[y1:y2, x1:x2]
        alpha, fabric = alpha * visible, fabric * visible
    patch = picture_rgb[y1:y2, x1:x2].astype(np.float32)
    light = _light_on_face(patch, frame, (x1, y1))
    blended = _composite(
        patch, layer_rgb * light[..., None], alpha * opacity, fabric * opacity, frame.px_per_mm
    )
    result = picture_rgb.copy()
    result[y1:y2, x1:x2] = np.clip(np.rint(blended), 0, 255)
    seg_mask[y1:y2, x1:x2] = fabric * opacity >= 0.5
    return DrawnFaceMask(result, seg_mask, wear, template.kind)


class _Canvas:
    """The drawing at several times the picture's resolution, on the part of the picture that it touches."""

    def __init__(self, frame: HeadFrame, region_xyxy: tuple[int, int, int, int]) -> None:
        self.frame = frame
        self._x1, self._y1, x2, y2 = region_xyxy
        self._hw = (y2 - self._y1, x2 - self._x1)
        self.factor = int(np.clip(np.ceil(1 / (_SUPERSAMPLE_MM * frame.px_per_mm)), 2, _MAX_SUPERSAMPLE))
        height, width = self._hw[0] * self.factor, self._hw[1] * self.factor
        self.rgb = np.zeros((height, width, 3), np.float32)
        self.covered = np.zeros((height, width), np.uint8)
        self._bands = self.covered

    def end_of_bands(self) -> None:
        """What is drawn from here on is fabric."""
        self._bands = self.covered
        self.covered = np.zeros_like(self._bands)

    def points(self, points_mm: ArrayLike) -> NDArray[np.int32]:
        """Head points to the fixed-point canvas coordinates that OpenCV draws with."""
        # a pixel's centre has whole coordinates, hence the half pixel to and fro
        local = (self.frame.project(points_mm) - (self._x1, self._y1) + 0.5) * self.factor - 0.5
        return np.rint(local * 2**_SHIFT_BITS).astype(np.int32)

    def averaged(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Colour (h, w, 3), coverage (h, w) and the fabric's share of it (h, w), at the picture's
        resolution.
        """
        size_wh = (self._hw[1], self._hw[0])
        fabric = self.covered > 0
        covered = (fabric | (self._bands > 0)).astype(np.float32)
        alpha = cv2.resize(covered, size_wh, interpolation=cv2.INTER_AREA)
        premultiplied = cv2.resize(self.rgb * covered[..., None], size_wh, interpolation=cv2.INTER_AREA)
        rgb = premultiplied / np.maximum(alpha, 1e-6)[..., None]
        share = cv2.resize(fabric.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
        return rgb.astype(np.float32), alpha.astype(np.float32), share.astype(np.float32)


def _surface(template: FaceMaskTemplate, lowered_mm: float) -> NDArray[np.float64]:
    """The template's control points interpolated to the fine grid (R, C, 3), pulled down as asked."""
    control = template.control_mm.astype(np.float32)
    rows, columns = np.meshgrid(
        np.linspace(0, control.shape[0] - 1, _GRID_RC[0], dtype=np.float32),
        np.linspace(0, control.shape[1] - 1, _GRID_RC[1], dtype=np.float32),
        indexing="ij",
    )
    fine = cv2.remap(control, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    surface = np.asarray(fine, np.float64)
    if lowered_mm:
        y = surface[..., 1] + lowered_mm
        beyond_chin = np.maximum(y - CHIN_MM, 0)
        surface[..., 1] = y - 0.55 * beyond_chin
        surface[..., 2] -= 0.5 * beyond_chin
        # a jaw is narrower than cheeks
        surface[..., 0] *= 1 - 0.0045 * np.clip(y - 78, 0, 60)
    return surface


def _region(
    frame: HeadFrame, surface_mm: NDArray[np.float64], image_hw: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """The part of the picture that the drawing and its shadow touch, or None when it lies outside."""
    points = frame.project(surface_mm).reshape(-1, 2)
    margin = 40 * frame.px_per_mm  # bands reach to the ears
    x1, y1 = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(points.max(axis=0) + margin), (image_hw[1], image_hw[0])).astype(int)
    return (int(x1), int(y1), int(x2), int(y2)) if x1 < x2 and y1 < y2 else None


def _draw_loops(canvas: _Canvas, template: FaceMaskTemplate) -> None:
    width = max(1, round(template.loop_width_mm * canvas.frame.px_per_mm * canvas.factor))
    for side in (-1.0, 1.0):
        # the band on the far side of a turned head lies behind the face
        if canvas.frame.towards_viewer((side, 0.0, 0.45)) <= 0:
            continue
        for band in template.loops_mm:
            line = canvas.points(np.asarray(band) * (side, 1.0, 1.0))
            cv2.polylines(
                canvas.rgb, [line], False, template.loop_rgb, width, lineType=cv2.LINE_8, shift=_SHIFT_BITS
            )
            cv2.polylines(canvas.covered, [line], False, 1, width, lineType=cv2.LINE_8, shift=_SHIFT_BITS)


def _draw_surface(
    canvas: _Canvas,
    template: FaceMaskTemplate,
    surface_mm: NDArray[np.float64],
    colour_rgb: Rgb,
    rng: np.random.Generator | None,
) -> None:
    """Paint the grid's cells from the farthest to the nearest; those that face away stay unpainted."""
    down = surface_mm[1:, :-1] - surface_mm[:-1, :-1]
    right = surface_mm[:-1, 1:] - surface_mm[:-1, :-1]
    normals = np.cross(right, down)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    shade = _AMBIENT + (1.08 - _AMBIENT) * np.maximum(normals @ _LIGHT, 0)
    shade *= _relief(template, shade.shape)
    grain = (rng or np.random.default_rng(0)).normal(0, template.weave, shade.shape)
    colours = np.asarray(colour_rgb, np.float64) * (shade * (1 + grain))[..., None]

    corners = canvas.points(surface_mm)
    cells = np.stack([corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], axis=2)
    facing = canvas.frame.towards_viewer(normals) > 0
    depth = canvas.frame.towards_viewer(surface_mm[:-1, :-1])
    for flat in np.argsort(depth, axis=None):
        row, column = divmod(int(flat), depth.shape[1])
        if facing[row, column]:
            cell = cells[row, column]
            cv2.fillConvexPoly(canvas.rgb, cell, colours[row, column].tolist(), cv2.LINE_8, _SHIFT_BITS)
            cv2.fillConvexPoly(canvas.covered, cell, (1,), cv2.LINE_8, _SHIFT_BITS)


def _relief(template: FaceMaskTemplate, grid_rc: tuple[int, ...]) -> NDArray[np.float64]:
    """Brightness of pleats, seam and hem, which are too fine for the surface itself: a factor per cell."""
    v = ((np.arange(grid_rc[0]) + 0.5) / grid_rc[0])[:, None]
    u = ((np.arange(grid_rc[1]) + 0.5) / grid_rc[1] * 2 - 1)[None, :]
    relief = np.ones(grid_rc)
    for height in template.pleats:
        fold = v - height - 0.03 * u**2 * np.sign(0.5 - height)
        relief *= 1 - 0.24 * np.exp(-((fold / 0.016) ** 2)) + 0.08 * np.exp(-(((fold + 0.045) / 0.028) ** 2))
    relief *= 1 - 0.25 * template.seam * np.exp(-((u / 0.035) ** 2))
    if template.binding:
        edge = np.minimum(np.minimum(v, 1 - v), (1 - np.abs(u)) / 2)
        relief *= 1 - 0.13 * np.exp(-(((edge - template.binding) / 0.014) ** 2))
    return relief


def _light_on_face(
    patch: NDArray[np.float32], frame: HeadFrame, origin_xy: tuple[int, int]
) -> NDArray[np.float32]:
    """How brightly the patch (h, w, 3) is lit, about 1 for a well exposed face, as its skin tells: (h, w)."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    oval_mm = np.column_stack([46 * np.sin(angles), 44 + 52 * np.cos(angles), np.full(24, 5.0)])
    oval = np.rint(frame.project(oval_mm) - origin_xy).astype(np.int32)
    skin = np.zeros(patch.shape[:2], np.float32)
    cv2.fillPoly(skin, [oval], (1.0,))
    if not skin.any():
        return np.ones_like(skin)
    luma = patch @ _LUMA_WEIGHTS
    sigma = 16 * frame.px_per_mm
    # normalised convolution: only skin counts, or the dark around a face would shade the mask
    weight = cv2.GaussianBlur(skin, (0, 0), sigma)
    local = cv2.GaussianBlur(luma * skin, (0, 0), sigma) / np.maximum(weight, 1e-4)
    light = np.where(weight > 1e-2, local, luma[skin > 0].mean()) / _SKIN_LUMA
    return np.clip(light, 0.25, 1.12).astype(np.float32)


def _composite(
    patch: NDArray[np.float32],
    layer_rgb: NDArray[np.float32],
    alpha: NDArray[np.float32],
    fabric: NDArray[np.float32],
    px_per_mm: float,
) -> NDArray[np.float32]:
    """Lay the lit drawing over the patch (h, w, 3), with a soft shadow of the fabric along its lower edge."""
    shadow = cv2.GaussianBlur(fabric, (0, 0), max(0.6, 3.5 * px_per_mm))
    shift = np.array([[1, 0, 0], [0, 1, 3.0 * px_per_mm]], np.float32)
    shadow = cv2.warpAffine(shadow, shift, (shadow.shape[1], shadow.shape[0]))
    under = patch * (1 - 0.30 * shadow)[..., None]
    return np.asarray(under * (1 - alpha[..., None]) + layer_rgb * alpha[..., None], np.float32)


def _wear_of(lowered_mm: float) -> FaceMaskWear:
    if lowered_mm < _NOSE_OUT_MM:
        return FaceMaskWear.WORN
    return FaceMaskWear.UNDER_NOSE if lowered_mm < _MOUTH_OUT_MM else FaceMaskWear.AT_CHIN
