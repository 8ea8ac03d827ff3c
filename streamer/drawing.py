"""Boxes, outlines and text on pictures; shared by the snapshots of alerts and by annotated copies.

Every function draws into an RGB picture, uint8 (H, W, 3), in place, and adapts to its size. Lines have a dark
casing and text a plate, so that both can be read on any background. Text is UTF-8 (OpenCV's own fonts: Latin,
Greek, Cyrillic, CJK, Arabic); what they lack becomes a question mark. The same input gives the same pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
Image = NDArray[np.uint8]

RED: Final[Color] = (224, 38, 38)
AMBER: Final[Color] = (255, 170, 0)
GREEN: Final[Color] = (46, 160, 67)
BLUE: Final[Color] = (36, 124, 226)
YELLOW: Final[Color] = (255, 221, 51)
WHITE: Final[Color] = (255, 255, 255)
GREY: Final[Color] = (208, 208, 208)
BLACK: Final[Color] = (0, 0, 0)
INK: Final[Color] = (24, 26, 30)

REGULAR: Final = 400
BOLD: Final = 600

#: Text height for a picture of a given longest side: still readable when 1280 pixels fill a phone's width.
_TEXT_SHARE: Final = 0.020
_MIN_TEXT_PX: Final = 11

#: How much of its colour a shape's filling has: what is below stays recognisable.
_TINT: Final = 0.3


@dataclass(frozen=True, slots=True)
class Style:
    """Widths and heights in pixels that suit a picture's size."""

    line_px: int
    thin_px: int
    text_px: int

    @classmethod
    def of(cls, image_hw: tuple[int, int]) -> "Style":
        """The style for a picture of this height and width."""
        longest = max(image_hw)
        return cls(
            line_px=max(2, round(longest / 400)),
            thin_px=max(1, round(longest / 800)),
            text_px=max(_MIN_TEXT_PX, round(longest * _TEXT_SHARE)),
        )


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box ``(x1, y1, x2, y2)`` in pixels of the picture, what to write on it, and how.

    ``label`` may be empty.
    """

    box_xyxy: tuple[float, float, float, float]
    label: str = ""
    color: Color = BLUE
    thin: bool = False


def draw_boxes(image: Image, boxes: Sequence[LabelledBox], *, style: Style | None = None) -> None:
    """Draw boxes with their labels, the first at the bottom and every label above every line."""
    style = style or Style.of((image.shape[0], image.shape[1]))
    for box in boxes:
        _draw_frame(image, box, style)
    for box in boxes:
        if box.label:
            _draw_label(image, box, style)


def draw_outline(
    image: Image,
    points_xy: Sequence[tuple[float, float]],
    *,
    color: Color = YELLOW,
    style: Style | None = None,
) -> None:
    """Draw a closed polygon, corners in pixels: a line with a casing, and a faint tint inside."""
    if len(points_xy) < 3:
        return
    style = style or Style.of((image.shape[0], image.shape[1]))
    corners = np.rint(np.asarray(points_xy, np.float64)).astype(np.int32).reshape(1, -1, 2)
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, list(corners), 1)
    tinted = cv2.addWeighted(image, 0.9, np.full_like(image, color), 0.1, 0.0)
    np.copyto(image, tinted, where=inside[:, :, None].astype(bool))
    for shade, width in _strokes(color, style.thin_px):
        cv2.polylines(image, list(corners), isClosed=True, color=shade, thickness=width, lineType=cv2.LINE_AA)


def draw_shapes(
    image: Image,
    polygons: Sequence[Sequence[tuple[float, float]]],
    *,
    color: Color,
    style: Style | None = None,
) -> None:
    """Draw what some pixels cover, as outlines in pixels of the picture: a thin line around a translucent filling."""
    style = style or Style.of((image.shape[0], image.shape[1]))
    corners = [np.rint(np.asarray(polygon)).astype(np.int32).reshape(-1, 1, 2) for polygon in polygons]
    if not corners:
        return
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, corners, 1)
    x, y, width, height = cv2.boundingRect(inside)
    part, chosen = (array[y : y + height, x : x + width] for array in (image, inside))
    tinted = cv2.addWeighted(part, 1 - _TINT, np.full_like(part, color), _TINT, 0.0) if part.size else part
    np.copyto(part, tinted, where=chosen[:, :, None].astype(bool))
    cv2.polylines(image, corners, isClosed=True, color=color, thickness=style.thin_px, lineType=cv2.LINE_AA)


def draw_text(
    image: Image, text: str, *, left: int, top: int, text_px: int, color: Color = WHITE, weight: int = REGULAR
) -> None:
    """Write one line whose capitals reach from ``top + 0.15 text_px`` to ``top + 0.85 text_px``."""
    face = cv2.FontFace("sans")
    cv2.putText(image, _one_line(text), (left, top + round(0.85 * text_px)), color, face, text_px, weight)


def text_width(text: str, *, text_px: int, weight: int = REGULAR) -> int:
    """Width of one line in pixels."""
    face = cv2.FontFace("sans")
    return int(cv2.getTextSize((0, 0), _one_line(text), (0, 0), face, text_px, weight)[2])


def fit_text(text: str, *, width_px: int, text_px: int, weight: int = REGULAR) -> str:
    """``text``, or as much of it as fits into ``width_px``, ending in an ellipsis."""
    text = _one_line(text)
    if text_width(text, text_px=text_px, weight=weight) <= width_px:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", text_px=text_px, weight=weight) <= width_px:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low else ""


def fill_rectangle(
    image: Image, *, left: int, top: int, right: int, bottom: int, color: Color, opacity: float = 1.0
) -> None:
    """Fill a rectangle, half-open, clipped to the picture."""
    height, width = image.shape[:2]
    part = image[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    if part.size:
        part[:] = np.rint(part * (1 - opacity) + np.asarray(color) * opacity).astype(np.uint8)


def _draw_frame(image: Image, box: LabelledBox, style: Style) -> None:
    x1, y1, x2, y2 = (round(value) for value in box.box_xyxy)
    line_px = style.thin_px if box.thin else style.line_px
    for shade, width in _strokes(box.color, line_px):
        cv2.rectangle(image, (x1, y1), (x2, y2), shade, width, lineType=cv2.LINE_AA)


def _strokes(color: Color, line_px: int) -> list[tuple[Color, int]]:
    # a casing around a line of one pixel would be heavier than the line
    return [(BLACK, line_px + 2), (color, line_px)] if line_px > 1 else [(color, 1)]


def _draw_label(image: Image, box: LabelledBox, style: Style) -> None:
    height, width = image.shape[:2]
    pad = max(2, round(style.text_px * 0.3))
    weight = REGULAR if box.thin else BOLD
    label = fit_text(box.label, width_px=width - 2 * pad, text_px=style.text_px, weight=weight)
    plate_w = text_width(label, text_px=style.text_px, weight=weight) + 2 * pad
    plate_h = style.text_px + pad
    x1, y1, _, y2 = (round(value) for value in box.box_xyxy)
    line_px = style.thin_px if box.thin else style.line_px
    left = min(max(0, x1 - line_px // 2 - 1), max(0, width - plate_w))
    top = y1 - plate_h
    if top < 0:
        # no room above: below the box, or inside it when that too is outside the picture
        top = y2 if y2 + plate_h <= height else max(0, y1)
    fill_rectangle(image, left=left, top=top, right=left + plate_w, bottom=top + plate_h, color=box.color)
    luminance = 0.299 * box.color[0] + 0.587 * box.color[1] + 0.114 * box.color[2]
    ink = INK if luminance > 150 else WHITE
    draw_text(
        image, label, left=left + pad, top=top + pad // 2, text_px=style.text_px, color=ink, weight=weight
    )


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
