"""A person for the demo clip, cut out of the public-domain portrait that scikit-image carries.

The portrait is NASA's of the astronaut Eileen Collins (``skimage.data.astronaut()``, 512 x 512, "no known
copyright restrictions, released into the public domain"). It is the only recognisable person among the
pictures inside scikit-image's wheel whose terms allow this; a second person is made of it by mirroring and
other colours.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

#: Eyes, nose tip and corners of the mouth in the portrait, read off it by hand.
LANDMARKS_XY: Final = np.array(
    [(203.3, 100.7), (246.7, 103.3), (225.0, 126.0), (206.7, 141.7), (242.3, 142.3)], np.float64
)

# Outlines in the portrait's pixels, by hand: the head from the left of the neck over the hair to its right,
# ...
_HEAD: Final = (
    (185, 165), (183, 133), (174, 129), (172, 118), (162, 108), (155, 90), (153, 67), (162, 52),
    (187, 38), (200, 25), (223, 16), (240, 17), (263, 28), (283, 43), (297, 63), (302, 83),
    (297, 103), (283, 123), (277, 132), (268, 136), (263, 150), (257, 167), (254, 185), (220, 205),
    (186, 185),
)  # fmt: skip
# ... the suit with the helmet under the arm, from the lower left to the lower right, ...
_BODY: Final = (
    (42, 512), (32, 500), (28, 480), (24, 460), (25, 440), (21, 420), (20, 400), (23, 385),
    (26, 360), (29, 345), (34, 318), (40, 305), (41, 296), (45, 280), (53, 268), (59, 254),
    (67, 244), (77, 237), (91, 229), (98, 220), (112, 207), (114, 200), (112, 188), (117, 186),
    (120, 189), (124, 181), (128, 172), (137, 162), (152, 154), (165, 150), (184, 149), (257, 176),
    (266, 181), (284, 198), (297, 216), (303, 234), (317, 242), (331, 253), (340, 263), (346, 278),
    (351, 286), (356, 305), (361, 331), (359, 336), (361, 345), (366, 350), (380, 347), (396, 345),
    (420, 347), (445, 356), (465, 371), (480, 389), (489, 408), (495, 430), (497, 453), (503, 457),
    (508, 475), (512, 490), (512, 512),
)  # fmt: skip
# ... and the bare part of the face, which neither hair nor collar covers.
_FACE: Final = (
    (185, 79), (200, 82), (223, 80), (243, 83), (265, 89), (271, 100), (272, 117), (276, 128),
    (268, 136), (263, 150), (257, 166), (250, 182), (223, 192), (192, 180), (184, 163), (182, 140),
    (181, 131), (174, 129), (173, 118), (178, 119), (181, 104),
)  # fmt: skip
_UNSURE_PX: Final = 7  # the hair's edge lies within this distance of the outline; grabCut finds it


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A cut-out person at the portrait's size.

    - ``rgb``: uint8 (512, 512, 3).
    - ``alpha``: float32 (512, 512), 0 to 1.
    - ``landmarks_xy``: (5, 2), in the order of the viewer's left and right.
    - ``hair``: bool (512, 512), what hides the bands of a mask.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    landmarks_xy: NDArray[np.float64]
    hair: NDArray[np.bool_]


def cut_out(portrait_rgb: NDArray[np.uint8]) -> Figure:
    """Cut the person out of the portrait, uint8 (512, 512, 3); ``ValueError`` for another size."""
    if portrait_rgb.shape != (512, 512, 3) or portrait_rgb.dtype != np.uint8:
        raise ValueError(f"expected the portrait as uint8 (512, 512, 3), got {portrait_rgb.shape}")
    head = _refined_head(portrait_rgb)
    alpha = cv2.GaussianBlur(np.maximum(head, _filled(_BODY)).astype(np.float32), (0, 0), 0.8).astype(
        np.float32
    )
    hair = (head > 0) & (_filled(_FACE) == 0)
    hair[145:] = False
    return Figure(_without_fringe(portrait_rgb, alpha), alpha, LANDMARKS_XY.copy(), hair)


def second_person(figure: Figure) -> Figure:
    """The same portrait as somebody else: mirrored, with dark hair and a blue suit."""
    hsv = cv2.cvtColor(figure.rgb, cv2.COLOR_RGB2HSV)
    hue, saturation, value = (hsv[..., channel].astype(np.float32) for channel in range(3))
    rows = np.arange(512)[:, None]
    suit = ((hue < 20) | (hue > 172)) & (saturation > 90) & (rows > 196)
    soft_suit = cv2.GaussianBlur(suit.astype(np.float32), (0, 0), 1.2)
    dressed = np.stack(
        [np.full_like(hue, 108), 0.62 * saturation, 0.62 * value],
        axis=-1,
    )
    blue = cv2.cvtColor(np.clip(dressed, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    soft_hair = cv2.GaussianBlur(figure.hair.astype(np.float32), (0, 0), 2.0)[..., None]
    rgb = figure.rgb.astype(np.float32)
    rgb += (blue - rgb) * soft_suit[..., None]
    dark_hair = rgb.mean(axis=-1, keepdims=True) * np.array([0.50, 0.42, 0.38], np.float32)
    rgb += (dark_hair - rgb) * soft_hair
    flipped_landmarks = figure.landmarks_xy[[1, 0, 2, 4, 3]] * (-1.0, 1.0) + (511.0, 0.0)
    return Figure(
        rgb=np.ascontiguousarray(np.clip(np.rint(rgb), 0, 255).astype(np.uint8)[:, ::-1]),
        alpha=np.ascontiguousarray(figure.alpha[:, ::-1]),
        landmarks_xy=flipped_landmarks,
        hair=np.ascontiguousarray(figure.hair[:, ::-1]),
    )


def _filled(outline: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    canvas = np.zeros((512, 512), np.uint8)
    cv2.fillPoly(canvas, [np.array(outline, np.int32)], (1,))
    return canvas


def _refined_head(portrait_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The head's pixels (512, 512) as 0 or 1: the outline by hand, its hair's edge by grabCut."""
    outline = _filled(_HEAD)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _UNSURE_PX + 1,) * 2)
    labels = np.full(outline.shape, cv2.GC_BGD, np.uint8)
    labels[cv2.dilate(outline, kernel) > 0] = cv2.GC_PR_BGD
    labels[outline > 0] = cv2.GC_PR_FGD
    labels[cv2.erode(outline, kernel) > 0] = cv2.GC_FGD
    above_collar = slice(0, 148)
    cv2.setRNGSeed(0)  # grabCut begins with k-means
    head = portrait_rgb[above_collar, 120:340]
    refined = np.ascontiguousarray(labels[above_collar, 120:340])
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(head[..., ::-1])
    cv2.grabCut(bgr, refined, (0, 0, 0, 0), background, foreground, 4, cv2.GC_INIT_WITH_MASK)
    result = outline.copy()
    result[above_collar, 120:340] = np.isin(refined, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return result


def _without_fringe(portrait_rgb: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spread the inner colours over the soft edge, where the portrait still shows its own background."""
    inner = (alpha > 0.97).astype(np.float32)
    weight = cv2.GaussianBlur(inner, (0, 0), 2.5)
    inner_rgb = cv2.GaussianBlur(portrait_rgb.astype(np.float32) * inner[..., None], (0, 0), 2.5)
    spread = inner_rgb / np.maximum(weight, 1e-4)[..., None]
    edge = (inner == 0) & (weight > 1e-4)
    result = portrait_rgb.copy()
    result[edge] = np.clip(np.rint(spread[edge]), 0, 255)
    return result
