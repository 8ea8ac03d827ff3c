"""The light of a picture, as the skin and the surroundings of a face tell it, and how a drawing is laid into it.

Shapes: h, w the part of the picture that is drawn on.
"""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.head_frame import HeadFrame
from models.data.synthetic_gear.surfaces import LIGHT_FROM, Layer

Pixels = NDArray[np.float32]

_LUMA_WEIGHTS: Final = np.array([0.299, 0.587, 0.114], np.float32)
_SKIN_LUMA: Final = 152.0  # a lit fair face in a well exposed picture: there a drawing keeps its own colours
_BRIGHTEST_LUMA: Final = 232.0  # what the brightest tenth of its surroundings then is
_MONOCHROME, _COLOURFUL = 4.0, 14.0  # mean of each pixel's range over its channels


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """- ``level`` float32 (h, w): about 1 in a well exposed picture.
    - ``light_from`` (3,): right, down and towards the viewer.
    - ``chroma``: 0 in a picture without colour, such as one by infrared, else 1.
    - ``blur_px``: deviation of the picture's own blur; ``noise``: deviation of its noise.
    """

    level: Pixels
    light_from: NDArray[np.float64]
    chroma: float
    blur_px: float
    noise: float


def light_on(patch: Pixels, frame: HeadFrame, origin_xy: tuple[int, int], *, from_skin: bool = True) -> Light:
    """The light in ``patch`` (h, w, 3), which begins at ``origin_xy`` of the picture.

    ``from_skin``: the face is seen, and nothing lies on it yet; otherwise the surroundings alone tell.
    """
    luma = patch @ _LUMA_WEIGHTS
    brightest = float(np.percentile(luma, 92)) / _BRIGHTEST_LUMA
    skin = _skin(luma.shape, frame, origin_xy) if from_skin else np.zeros_like(luma)
    level, side = np.full_like(luma, brightest), 0.0
    if skin.any():
        mean = float(luma[skin > 0].mean())
        # dark skin in a bright picture is not in the dark
        ratio = max(mean / _SKIN_LUMA, 0.78 * brightest) * _SKIN_LUMA / max(mean, 1.0)
        local = _blurred_skin(luma, skin, 16 * frame.px_per_mm, mean)
        level = np.asarray(local * ratio / _SKIN_LUMA, np.float32)
        side = _lit_from_right(luma, skin, frame, origin_xy, mean)
    chroma = float(np.mean(patch.max(axis=-1) - patch.min(axis=-1)))
    return Light(
        level=np.clip(level, 0.2, 1.12),
        light_from=LIGHT_FROM if not side else np.array([side, LIGHT_FROM[1], LIGHT_FROM[2]]),
        chroma=float(np.clip((chroma - _MONOCHROME) / (_COLOURFUL - _MONOCHROME), 0, 1)),
        blur_px=_blur(luma),
        noise=_noise(luma),
    )


def lay_over(
    patch: Pixels,
    layer: Layer,
    light: Light,
    *,
    opacity: float = 1.0,
    visible: NDArray[np.bool_] | None = None,
    rng: np.random.Generator,
) -> tuple[Pixels, NDArray[np.float32]]:
    """``patch`` (h, w, 3) with the drawing on it, as the picture's camera would have seen it; and how much of each
    pixel (h, w) the thing itself covers. ``visible`` (h, w): where nothing is in front of it.
    """
    share = opacity if visible is None else opacity * visible.astype(np.float32)
    covered = (layer.alpha * share).astype(np.float32)
    lit = layer.rgb * light.level[..., None]
    grey = lit @ _LUMA_WEIGHTS
    lit = grey[..., None] + light.chroma * (lit - grey[..., None])
    alpha = cv2.GaussianBlur(covered, (0, 0), light.blur_px)
    spread = cv2.GaussianBlur(lit * covered[..., None], (0, 0), light.blur_px)
    rgb = spread / np.maximum(alpha, 1e-3)[..., None]
    rgb += rng.normal(0, 1, patch.shape[:2]).astype(np.float32)[..., None] * light.noise
    # where its own pixels are wholly covered, the blur must not let the face shine through
    alpha = np.maximum(alpha, np.minimum(covered, cv2.erode(covered, np.ones((3, 3), np.uint8))))
    blended = patch * (1 - alpha[..., None]) + rgb * alpha[..., None]
    return np.asarray(blended, np.float32), np.asarray(layer.labelled * share, np.float32)


def without_bands_in_hair(layer: Layer, patch: Pixels, frame: HeadFrame, origin_xy: tuple[int, int]) -> Layer:
    """The layer without what is not the thing itself, its bands, where the picture shows no skin under them."""
    skin = _skin(patch.shape[:2], frame, origin_xy) > 0
    if not skin.any():
        return layer
    luma = np.maximum(patch @ _LUMA_WEIGHTS, 1.0)
    tint = patch / luma[..., None]
    usual, usual_luma = np.median(tint[skin], axis=0), float(np.median(luma[skin]))
    strangeness = np.linalg.norm(tint - usual, axis=-1) / 0.22 + np.abs(np.log(luma / usual_luma)) / 0.55
    like_skin = np.exp(-((cv2.blur(strangeness.astype(np.float32), (3, 3)) / 1.3) ** 2))
    bands = np.maximum(layer.alpha - layer.labelled, 0) * like_skin
    return replace(layer, alpha=np.asarray(layer.labelled + bands, np.float32))


def _skin(hw: tuple[int, ...], frame: HeadFrame, origin_xy: tuple[int, int]) -> Pixels:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    oval_mm = np.column_stack([46 * np.sin(angles), 44 + 52 * np.cos(angles), np.full(24, 5.0)])
    oval = np.rint(frame.project(oval_mm) - origin_xy).astype(np.int32)
    skin = np.zeros(hw, np.float32)
    cv2.fillPoly(skin, [oval], (1.0,))
    return skin


def _blurred_skin(luma: Pixels, skin: Pixels, sigma: float, mean: float) -> Pixels:
    """Skin's brightness around each pixel: only skin counts, or the dark around a face would shade the drawing."""
    weight = cv2.GaussianBlur(skin, (0, 0), sigma)
    local = cv2.GaussianBlur(luma * skin, (0, 0), sigma) / np.maximum(weight, 1e-4)
    # far from skin the mean, without a border between the two
    trust = np.clip(weight / 0.05, 0, 1)
    return np.asarray(mean + trust * (local - mean), np.float32)


def _lit_from_right(
    luma: Pixels, skin: Pixels, frame: HeadFrame, origin_xy: tuple[int, int], mean: float
) -> float:
    """From which side the face is lit: -0.8 left to 0.8 right; 0 where it cannot be told."""
    rows, columns = np.nonzero(skin)
    middle = frame.project((0.0, 44.0, 5.0))[0] - origin_xy[0]
    right = columns > middle
    if min(right.sum(), (~right).sum()) < 4:
        return 0.0
    values = luma[rows, columns]
    difference = float(values[right].mean() - values[~right].mean()) / max(mean, 1.0)
    return float(np.clip(2.5 * difference, -0.8, 0.8))


def _blur(luma: Pixels) -> float:
    """Deviation in pixels of a blur like the picture's: edges of a blurred one are as steep over two pixels."""
    if min(luma.shape) < 5:
        return 0.5
    one = np.abs(luma[:, 1:] - luma[:, :-1])[:, :-1]
    two = np.abs(luma[:, 2:] - luma[:, :-2])
    strong = two >= np.percentile(two, 85)
    ratio = float(two[strong].sum() / max(float(one[strong].sum()), 1e-3))
    return float(np.clip(0.4 + 2.0 * (ratio - 1.75), 0.4, 1.5))


def _noise(luma: Pixels) -> float:
    """Deviation of the noise (Immerkaer 1996), by the median so that edges do not count."""
    if min(luma.shape) < 3:
        return 0.0
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(luma, -1, kernel)[1:-1, 1:-1])
    return float(np.clip(np.median(response) / 0.6745 / 6, 0, 8))
