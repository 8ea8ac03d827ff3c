"""What is drawn on the faces that the mask-state classifier learns from.

Face masks, by ``models.data.synthetic_gear``; and lookalikes, which unmasked faces are mistaken for masked ones by:
beards, chin straps of helmets, shade under a brim. Lookalikes are rough on purpose: they teach that what is dark
around a jaw is no mask, not what a beard looks like.
"""

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.face_mask_templates import FACE_MASKS
from models.data.synthetic_gear.face_masks import FaceMaskWear, draw_face_mask
from models.data.synthetic_gear.head_frame import HeadFrame

Lookalike = Literal["beard", "chin_strap", "shade"]
LOOKALIKES: Final[tuple[Lookalike, ...]] = ("beard", "chin_strap", "shade")

Points = tuple[tuple[float, float], ...]

#: Right half of outlines in the millimetres of ``head_frame``, mirrored when drawn: from the ear, the mouth's around.
_BEARD_MM: Final = ((66, 22, -45), (52, 56, -12), (30, 60, 4), (12, 56, 16), (0, 58, 18))
_JAW_MM: Final = ((66, 22, -45), (63, 70, -38), (50, 100, -22), (28, 119, -8), (0, 126, 0))
_MOUTH_MM: Final = ((22, 72, 8), (12, 66, 14), (0, 65, 17), (0, 82, 14), (12, 80, 12))
_STRAP_MM: Final = ((68, -20, -45), (66, 30, -42), (58, 80, -28), (36, 112, -10), (0, 124, 2))
#: What is drawn, or kept by the cache, lies so far from the landmarks at most, in distances of eyes or eyes and mouth.
_REACH: Final = 3.5
_HAIR_RGB: Final = ((28, 22, 20), (58, 42, 30), (96, 70, 44), (128, 124, 120))
_STRAP_RGB: Final = ((25, 25, 28), (60, 62, 66), (230, 230, 225), (210, 60, 40), (40, 70, 150))


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn on a face.

    - ``landmarks_xy``: five points, pixels of the picture. ``seed``: of everything left to chance.
    - ``what``: a face mask, by the name of its template, or one of ``LOOKALIKES``. ``wear``: of a face mask.
    """

    landmarks_xy: Points
    what: str
    seed: int
    wear: FaceMaskWear = FaceMaskWear.WORN


def draw(picture_rgb: NDArray[np.uint8], drawing: Drawing) -> NDArray[np.uint8]:
    """A copy of ``picture_rgb`` uint8 (H, W, 3) with ``drawing`` on it. Raises ``ValueError`` when the face is too
    small, or in profile."""
    landmarks = np.array(drawing.landmarks_xy, np.float64)
    unit = max(float(np.ptp(landmarks[:, 0])), float(np.ptp(landmarks[:, 1])), 1.0)
    height, width = picture_rgb.shape[:2]
    # pictures are large and faces small
    x1, y1 = np.clip(landmarks.min(0) - _REACH * unit, 0, (width - 1, height - 1)).astype(int).tolist()
    x2, y2 = np.clip(landmarks.max(0) + _REACH * unit, (x1 + 1, y1 + 1), (width, height)).astype(int).tolist()
    drawn = picture_rgb.copy()
    drawn[y1:y2, x1:x2] = _drawn(
        np.ascontiguousarray(picture_rgb[y1:y2, x1:x2]), landmarks - (x1, y1), drawing
    )
    return drawn


def _drawn(
    part_rgb: NDArray[np.uint8], landmarks_xy: NDArray[np.float64], drawing: Drawing
) -> NDArray[np.uint8]:
    rng = np.random.default_rng(drawing.seed)
    if drawing.what in FACE_MASKS:
        template = FACE_MASKS[drawing.what]
        return draw_face_mask(part_rgb, landmarks_xy, template, drawing.wear, rng).picture_rgb
    frame = HeadFrame.from_landmarks(landmarks_xy)
    if drawing.what == "beard":
        return _with_beard(part_rgb, frame, rng)
    if drawing.what == "chin_strap":
        return _with_chin_strap(part_rgb, frame, rng)
    return _with_shade(part_rgb, frame, rng)


def _with_beard(
    picture_rgb: NDArray[np.uint8], frame: HeadFrame, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Hair along the jaw, and mostly around the mouth as well."""
    jaw = np.array(_JAW_MM, np.float64)
    jaw[1:, 1] += rng.uniform(0, 22)
    if rng.random() < 0.7:
        upper = np.array(_BEARD_MM, np.float64)
        upper[1:, 1] += rng.uniform(-4, 14)
        half = np.concatenate([upper[::-1], jaw])
    else:
        half = np.concatenate([jaw * (0.72, 0.86, 1), jaw[::-1]])
    shape = _polygon(picture_rgb.shape, frame, half)
    shape[_polygon(picture_rgb.shape, frame, np.array(_MOUTH_MM, np.float64)) > 0] = 0
    cover = cv2.GaussianBlur(shape, (0, 0), max(0.4, 2.5 * frame.px_per_mm)) * rng.uniform(0.45, 0.95)
    hair = np.array(_HAIR_RGB[rng.integers(len(_HAIR_RGB))], np.float32) * rng.uniform(0.7, 1.3)
    strands = rng.normal(1, 0.22, (*picture_rgb.shape[:2], 1)).astype(np.float32)
    return _blended(picture_rgb, hair * strands, cover)


def _with_chin_strap(
    picture_rgb: NDArray[np.uint8], frame: HeadFrame, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A strap from both temples to the chin, half the time with a cup on it."""
    half = np.array(_STRAP_MM, np.float64)
    half[:, 1] += rng.uniform(-6, 6)
    line = frame.project(np.concatenate([half, half[-2::-1] * (-1, 1, 1)]))
    cover = np.zeros(picture_rgb.shape[:2], np.float32)
    width = max(1, round(rng.uniform(6, 16) * frame.px_per_mm))
    cv2.polylines(cover, [np.rint(line * 16).astype(np.int32)], False, 1.0, width, cv2.LINE_AA, 4)
    if rng.random() < 0.5:
        chin = frame.project(half[-1]).tolist()
        axes = (max(1, round(22 * frame.px_per_mm)), max(1, round(11 * frame.px_per_mm)))
        cv2.ellipse(cover, (round(chin[0]), round(chin[1])), axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    colour = np.array(_STRAP_RGB[rng.integers(len(_STRAP_RGB))], np.float32) * rng.uniform(0.6, 1.1)
    return _blended(picture_rgb, colour, cover * rng.uniform(0.8, 1.0))


def _with_shade(
    picture_rgb: NDArray[np.uint8], frame: HeadFrame, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The face dark down to somewhere between the eyes and the chin, or from there on."""
    edge_mm = rng.uniform(5, 105)
    height, width = picture_rgb.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    down = frame.axes[1] / frame.px_per_mm**2
    below_mm = (xs - frame.origin_xy[0]) * down[0] + (ys - frame.origin_xy[1]) * down[1] - edge_mm
    side = 1 if rng.random() < 0.3 else -1
    dark = 1 / (1 + np.exp(-side * below_mm / rng.uniform(2, 12)))
    return _blended(picture_rgb, np.zeros(3, np.float32), (dark * rng.uniform(0.35, 0.8)).astype(np.float32))


def _polygon(shape: tuple[int, ...], frame: HeadFrame, half_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Coverage (H, W) of an outline and its mirror image, which meet in the middle of the face."""
    cover = np.zeros(shape[:2], np.float32)
    for side in (-1.0, 1.0):
        points = frame.project(half_mm * (side, 1.0, 1.0))
        cv2.fillPoly(cover, [np.rint(points * 16).astype(np.int32)], (1.0,), cv2.LINE_8, 4)
    return cover


def _blended(
    picture_rgb: NDArray[np.uint8], colour: NDArray[np.float32], cover: NDArray[np.float32]
) -> NDArray[np.uint8]:
    share = cover[..., None]
    blended = np.rint(picture_rgb * (1 - share) + colour * share)
    return np.clip(blended, 0, 255).astype(np.uint8)
