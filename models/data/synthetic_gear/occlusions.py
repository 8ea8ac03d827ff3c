"""Lays things over faces and heads that belong to nobody: blocks, blobs and hands.

A cheap teacher of pixels, and of what may hide a face without being a face mask (after the random erasing of Zhong et
al. 2017, arXiv:1708.04896, with other shapes).

Shapes: H, W the picture; h, w the part of it around the box.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.data.synthetic_gear.textures import PRINTS, NoiseField

_SUPERSAMPLE: Final = 4
_LEAST_PX: Final = 3.0
#: Sides by those of the box.
_SIDES: Final = (0.22, 0.62)
_SKIN_RGB: Final = ((226, 182, 158), (198, 148, 120), (150, 104, 80), (96, 66, 52))


class OcclusionShape(StrEnum):
    """What is laid over a face."""

    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    HAND = "hand"
    NOISE = "noise"


@dataclass(frozen=True, slots=True, eq=False)
class DrawnOcclusion:
    """``picture_rgb`` uint8 (H, W, 3); ``seg_mask`` bool (H, W), the pixels of what lies there; its ``shape``."""

    picture_rgb: NDArray[np.uint8]
    seg_mask: NDArray[np.bool_]
    shape: OcclusionShape


def draw_occlusion(
    picture_rgb: NDArray[np.uint8], box_xyxy: ArrayLike, shape: OcclusionShape, rng: np.random.Generator
) -> DrawnOcclusion:
    """Return a copy of ``picture_rgb`` uint8 (H, W, 3) with something over the face or head in ``box_xyxy``.

    Its middle lies in the box, and it takes a fifth to three fifths of each of the box's sides. Raises
    ``ValueError`` for another shape or type of picture, or a box that is not finite or has a side under 3 pixels.
    """
    box = np.asarray(box_xyxy, np.float64)
    if picture_rgb.ndim != 3 or picture_rgb.shape[2] != 3 or picture_rgb.dtype != np.uint8:
        raise ValueError(
            f"picture_rgb: expected uint8 (H, W, 3), got {picture_rgb.dtype} {picture_rgb.shape}"
        )
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] - box[:2] < _LEAST_PX).any():
        raise ValueError(f"box_xyxy: expected a box of at least {_LEAST_PX:g} pixels, got {box.tolist()}")
    sides = box[2:] - box[:2]
    centre = box[:2] + sides * rng.uniform(0.15, 0.85, 2)
    half = np.maximum(sides * rng.uniform(*_SIDES, 2) / 2, 1.0)
    outline = _outlines(shape, half, rng)
    seg_mask = np.zeros(picture_rgb.shape[:2], np.bool_)
    reach = int(np.ceil(2.2 * half.max())) + 2
    low = np.maximum(np.floor(centre).astype(int) - reach, 0)
    high = np.minimum(np.floor(centre).astype(int) + reach, picture_rgb.shape[1::-1])
    if (high <= low).any():
        return DrawnOcclusion(picture_rgb.copy(), seg_mask, shape)
    covered = _filled(outline, centre - low, (high - low)[::-1])
    part = np.s_[low[1] : high[1], low[0] : high[0]]
    patch = picture_rgb[part].astype(np.float32)
    colours = _colours(shape, patch, half, rng)
    result = picture_rgb.copy()
    soft = cv2.GaussianBlur(covered, (0, 0), 0.5)[..., None]
    result[part] = np.clip(np.rint(patch * (1 - soft) + colours * soft), 0, 255)
    seg_mask[part] = covered >= 0.5
    return DrawnOcclusion(result, seg_mask, shape)


def _outlines(
    shape: OcclusionShape, half: NDArray[np.float64], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Polygons (P, 2) around the middle, in pixels, turned by chance."""
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.column_stack([np.cos(around), np.sin(around)])
    match shape:
        case OcclusionShape.RECTANGLE | OcclusionShape.NOISE:
            outlines = [np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]) * half]
            angle = rng.uniform(-0.5, 0.5)
        case OcclusionShape.ELLIPSE:
            # not quite round: what lies in front of faces seldom is
            wobble = 1 + 0.12 * np.sin(around * rng.integers(2, 5) + rng.uniform(0, 6))
            outlines = [circle * wobble[:, None] * half]
            angle = rng.uniform(-np.pi, np.pi)
        case OcclusionShape.HAND:
            outlines = _hand(float(half.mean()), circle, rng)
            angle = rng.uniform(-1.2, 1.2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return [outline @ turn for outline in outlines]


def _hand(radius: float, circle: NDArray[np.float64], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """A palm, four fingers up and a thumb to one side."""
    side = float(rng.choice((-1, 1)))
    palm = circle * (0.72 * radius, 0.8 * radius) + (0.0, 0.5 * radius)
    wrist = np.array([(-0.5, 0.8), (0.5, 0.8), (0.46, 1.9), (-0.46, 1.9)]) * radius
    spread = rng.uniform(0.12, 0.3)
    fingers = []
    for number, length in enumerate((0.85, 1.05, 1.0, 0.78)):
        angle = (number - 1.5) * spread + rng.normal(0, 0.04)
        base = np.array([(number - 1.5) * 0.36, -0.02]) * radius
        fingers.append(_capsule(base, angle, length * radius * rng.uniform(0.8, 1.0), 0.17 * radius, circle))
    thumb = np.array([side * 0.6, 0.55]) * radius
    fingers.append(_capsule(thumb, side * rng.uniform(0.6, 1.0), 0.75 * radius, 0.19 * radius, circle))
    return [palm, wrist, *fingers]


def _capsule(
    base: NDArray[np.float64], angle: float, length: float, radius: float, circle: NDArray[np.float64]
) -> NDArray[np.float64]:
    along = np.array([np.sin(angle), -np.cos(angle)])
    points = circle * radius
    return np.asarray(
        base + points + np.maximum(np.sign(points @ along), 0)[:, None] * along * length, np.float64
    )


def _filled(
    outlines: list[NDArray[np.float64]], centre: NDArray[np.float64], hw: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How much of each pixel (h, w) the polygons cover."""
    fine = np.zeros((int(hw[0]) * _SUPERSAMPLE, int(hw[1]) * _SUPERSAMPLE), np.float32)
    for outline in outlines:
        points = ((outline + centre) * _SUPERSAMPLE - 0.5) * 16
        cv2.fillPoly(fine, [np.rint(points).astype(np.int32)], (1.0,), cv2.LINE_8, 4)
    return np.asarray(cv2.resize(fine, (int(hw[1]), int(hw[0])), interpolation=cv2.INTER_AREA), np.float32)


def _colours(
    shape: OcclusionShape, patch: NDArray[np.float32], half: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """What is seen of it (h, w, 3)."""
    height, width = patch.shape[:2]
    if shape == OcclusionShape.NOISE:
        noise = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.4, 2.0))), np.float32)
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    field = NoiseField(rng)
    unit = 60.0 / float(half.mean())  # as if it were as large as a palm, in millimetres
    x_mm, y_mm = (x.ravel() * unit).astype(np.float32), (y.ravel() * unit).astype(np.float32)
    soft = field.at(x_mm / 40, y_mm / 40).reshape(height, width, 1)
    if shape == OcclusionShape.HAND:
        skin = np.asarray(_SKIN_RGB[int(rng.integers(len(_SKIN_RGB)))], np.float32)
        level = np.percentile(patch.mean(axis=-1), 80) / 190
        return np.asarray(skin * np.clip(level, 0.3, 1.1) * (1 + 0.06 * soft), np.float32)
    colour, accent = rng.uniform(15, 245, (2, 3)).astype(np.float32)
    names = list(PRINTS)
    name = "plain" if rng.random() < 0.5 else names[int(rng.integers(len(names)))]
    shown = PRINTS[name](x_mm, y_mm, field).reshape(height, width, 1)
    return np.asarray((colour + shown * (accent - colour)) * (1 + 0.07 * soft), np.float32)
