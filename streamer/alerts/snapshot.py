"""The annotated JPEG of the frame that decided an alert.

A person reads it on a phone: who (a box, and a close-up where the head is small), what is missing, where
(camera and zone outline) and when (the site's local time). The caption stands below the picture and hides
nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer import drawing
from streamer.alerts.errors import SnapshotError
from streamer.alerts.privacy import Blur, Box, Polygon, heads_to_blur, made_private

#: Qualities that are tried at each size, below the one asked for.
_QUALITIES: Final = (85, 75, 65, 55, 45)
_SHRINK: Final = 0.8
_MIN_SIDE_PX: Final = 160
#: A head lower than this share of the picture's height gets a close-up ...
_SMALL_HEAD: Final = 0.12
#: ... of this share of the picture's shorter side, which shows this many head heights, enlarged at most so
#: far.
_CLOSE_UP_SHARE: Final = 0.34
_CLOSE_UP_HEADS: Final = 2.6
_CLOSE_UP_ENLARGED: Final = 6.0

_WORDS: Final = {
    "missing": "{gear} missing",
    "incorrect": "{gear} worn incorrectly",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """Outlines of one thing's pixels, in pixels of the frame, and the colour that they are drawn in."""

    polygons: tuple[tuple[tuple[float, float], ...], ...]
    color: drawing.Color


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAnnotations:
    """What a snapshot says. Boxes are ``(x1, y1, x2, y2)`` in pixels of the frame, polygons relative to it (0
    to 1).

    - ``missing``: gear to state, such as ``{"hard_hat": "missing", "face_mask": "incorrect"}``.
    - ``others_xyxy``: other tracked people. ``faces_xyxy``: every face and head that was seen in the frame, and
      ``bodies_xyxy`` every body, whatever their scores; they are what ``blur`` can act on.
    - ``shapes``: pixels of hats and masks, drawn as translucent outlines.
    - ``at``: UTC epoch seconds; ``timezone``: IANA name, or None to leave the time out.
    """

    violator_xyxy: Box
    missing: dict[str, str]
    camera: str
    rule: str
    at: float
    timezone: str | None
    head_xyxy: Box | None = None
    zone: str | None = None
    zone_polygon: Sequence[tuple[float, float]] = ()
    others_xyxy: Sequence[Box] = ()
    faces_xyxy: Sequence[Box] = ()
    bodies_xyxy: Sequence[Box] = ()
    shapes: Sequence[Shape] = ()
    blur: Blur = Blur.BYSTANDERS
    privacy_polygons: Sequence[Polygon] = field(default=())

    def hidden_heads(self) -> list[Box]:
        """The heads that are made unrecognisable, as ``blur`` says."""
        return heads_to_blur(
            self.blur,
            faces_xyxy=self.faces_xyxy,
            violator_xyxy=self.violator_xyxy,
            violator_head_xyxy=self.head_xyxy,
            others_xyxy=self.others_xyxy,
            bodies_xyxy=self.bodies_xyxy,
        )


def make_snapshot(
    rgb: NDArray[np.uint8],
    annotations: SnapshotAnnotations,
    *,
    max_bytes: int = 200_000,
    longest_side_px: int = 1280,
    quality: int = 85,
) -> bytes:
    """The JPEG, at most ``max_bytes`` large: first the quality goes down, then the size. ``rgb`` is not
    changed.

    Privacy comes first: polygons and heads are made unrecognisable in the frame's own pixels. The same input
    gives the same bytes. Raises ``SnapshotError`` when not even a picture of 160 pixels fits.
    """
    frame = made_private(rgb, heads_xyxy=annotations.hidden_heads(), polygons=annotations.privacy_polygons)
    longest = max(frame.shape[:2])
    scale = min(1.0, longest_side_px / longest)
    while True:
        picture = np.ascontiguousarray(_annotate(frame, annotations, scale)[:, :, ::-1])
        for step in (quality, *(lower for lower in _QUALITIES if lower < quality)):
            encoded = _encode(picture, step)
            if len(encoded) <= max_bytes:
                return encoded
        # bytes go with the area; a little below the estimate saves another round
        scale *= min(_SHRINK, max(0.5, 0.97 * (max_bytes / len(encoded)) ** 0.5))
        if longest * scale < _MIN_SIDE_PX:
            raise SnapshotError(f"no snapshot fits into {max_bytes} bytes")


def missing_text(missing: dict[str, str]) -> str:
    """What is wrong, in words: ``{"hard_hat": "missing"}`` is ``Hard hat missing``."""
    parts = [
        _WORDS.get(state, "{gear} " + state).format(gear=gear.replace("_", " "))
        for gear, state in missing.items()
    ]
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def local_time_text(at: float, timezone: str) -> str:
    """UTC epoch seconds in an IANA zone, such as ``2026-11-21 08:14:04 CET``;

    zones without a name show their offset.
    """
    local = datetime.fromtimestamp(at, ZoneInfo(timezone))
    name = local.tzname() or ""
    return f"{local:%Y-%m-%d %H:%M:%S} {'UTC' + name if name[:1] in {'+', '-'} else name}"


def _encode(bgr: NDArray[np.uint8], quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise SnapshotError("the picture cannot be encoded as JPEG")
    return encoded.tobytes()


def _annotate(frame: NDArray[np.uint8], notes: SnapshotAnnotations, scale: float) -> NDArray[np.uint8]:
    """The frame at ``scale`` with everything drawn on it, and the caption below."""
    height, width = frame.shape[:2]
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = frame.copy() if scale == 1.0 else _resized(frame, size_wh, cv2.INTER_AREA)
    style = drawing.Style.of(picture.shape[:2])
    drawing.draw_outline(
        picture, [(x * size_wh[0], y * size_wh[1]) for x, y in notes.zone_polygon], style=style
    )
    ratio_xy = (size_wh[0] / width, size_wh[1] / height)
    for shape in notes.shapes:
        scaled = [[(x * ratio_xy[0], y * ratio_xy[1]) for x, y in polygon] for polygon in shape.polygons]
        drawing.draw_shapes(picture, scaled, color=shape.color, style=style)
    others = [
        drawing.LabelledBox(_scaled(box, ratio_xy), color=drawing.GREY, thin=True)
        for box in notes.others_xyxy
    ]
    color = _color(notes)
    violator = drawing.LabelledBox(_scaled(notes.violator_xyxy, ratio_xy), missing_text(notes.missing), color)
    drawing.draw_boxes(picture, [*others, violator], style=style)
    _draw_close_up(picture, frame, notes, ratio_xy, style)
    return np.concatenate([picture, _caption(size_wh[0], notes, style)])


def _caption(width: int, notes: SnapshotAnnotations, style: drawing.Style) -> NDArray[np.uint8]:
    """The band below the picture: what and which rule at the left; where and when at the right, or below."""
    text_px = round(style.text_px * 1.15)
    pad = max(4, round(text_px * 0.6))
    place = notes.camera if notes.zone is None else f"{notes.camera} / {notes.zone}"
    when = "" if notes.timezone is None else local_time_text(notes.at, notes.timezone)
    left = [
        (missing_text(notes.missing), drawing.BOLD, drawing.WHITE),
        (notes.rule, drawing.REGULAR, drawing.GREY),
    ]
    right = [(place, drawing.BOLD, drawing.WHITE), (when, drawing.REGULAR, drawing.GREY)]
    right = [line for line in right if line[0]]
    bar = max(4, pad // 2)
    room = width - 3 * pad - bar
    widths = [
        max(drawing.text_width(text, text_px=text_px, weight=weight) for text, weight, _ in lines)
        for lines in (left, right)
    ]
    beside = sum(widths) + 2 * pad <= room
    rows = max(len(left), len(right)) if beside else len(left) + len(right)
    line_px = round(text_px * 1.35)
    band = np.full((rows * line_px + 2 * pad, width, 3), drawing.INK, np.uint8)
    drawing.fill_rectangle(band, left=0, top=0, right=bar, bottom=band.shape[0], color=_color(notes))
    columns = (
        ((left, pad + bar, 0), (right, width - pad - widths[1], 0))
        if beside
        else ((left, pad + bar, 0), (right, pad + bar, len(left)))
    )
    for lines, x, first in columns:
        for row, (text, weight, color) in enumerate(lines, start=first):
            shown = drawing.fit_text(text, width_px=room, text_px=text_px, weight=weight)
            if shown:
                drawing.draw_text(
                    band, shown, left=x, top=pad + row * line_px, text_px=text_px, color=color, weight=weight
                )
    return band


def _draw_close_up(
    picture: NDArray[np.uint8],
    frame: NDArray[np.uint8],
    notes: SnapshotAnnotations,
    ratio_xy: tuple[float, float],
    style: drawing.Style,
) -> None:
    """The head from the frame's own pixels, enlarged, in the corner where it covers the least."""
    x1, y1, x2, y2 = notes.violator_xyxy
    head = notes.head_xyxy or (x1, y1, x2, y1 + (y2 - y1) / 5)
    head_px = max(head[2] - head[0], head[3] - head[1])
    if head_px < 4 or head_px * ratio_xy[1] >= _SMALL_HEAD * picture.shape[0]:
        return
    side = round(_CLOSE_UP_SHARE * min(picture.shape[:2]))
    shown_px = max(head_px * _CLOSE_UP_HEADS, side / _CLOSE_UP_ENLARGED)
    crop = _square(
        frame, center_xy=((head[0] + head[2]) / 2, (head[1] + head[3]) / 2), side_px=round(shown_px)
    )
    up = cv2.INTER_CUBIC if crop.shape[0] < side else cv2.INTER_AREA
    inset = _resized(crop, (side, side), up)
    people = [(_scaled(notes.violator_xyxy, ratio_xy), 10.0)]
    people += [(_scaled(box, ratio_xy), 1.0) for box in notes.others_xyxy]
    top, left = _free_corner(picture.shape[:2], side, margin=2 * style.line_px, people=people)
    border = style.line_px
    drawing.fill_rectangle(
        picture,
        left=left - border,
        top=top - border,
        right=left + side + border,
        bottom=top + side + border,
        color=_color(notes),
    )
    picture[top : top + side, left : left + side] = inset


def _square(frame: NDArray[np.uint8], *, center_xy: tuple[float, float], side_px: int) -> NDArray[np.uint8]:
    """A square part of the frame, moved inside it where it would reach over a border."""
    height, width = frame.shape[:2]
    side = max(2, min(side_px, height, width))
    left = min(max(0, round(center_xy[0] - side / 2)), width - side)
    top = min(max(0, round(center_xy[1] - side / 2)), height - side)
    return frame[top : top + side, left : left + side]


def _free_corner(
    image_hw: tuple[int, ...], side: int, *, margin: int, people: list[tuple[Box, float]]
) -> tuple[int, int]:
    """Top and left of the corner where a square of ``side`` covers the least of people, weighted."""
    height, width = image_hw
    far_top, far_left = max(margin, height - side - margin), max(margin, width - side - margin)
    best = (margin, margin)
    least = float("inf")
    for top, left in ((margin, far_left), (margin, margin), (far_top, far_left), (far_top, margin)):
        covered = sum(
            weight
            * max(0.0, min(x2, left + side) - max(x1, left))
            * max(0.0, min(y2, top + side) - max(y1, top))
            for (x1, y1, x2, y2), weight in people
        )
        if covered < least:
            best, least = (top, left), covered
    return best


def _resized(rgb: NDArray[np.uint8], size_wh: tuple[int, int], interpolation: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=interpolation), np.uint8)


def _color(notes: SnapshotAnnotations) -> drawing.Color:
    return drawing.RED if "missing" in notes.missing.values() else drawing.AMBER


def _scaled(box: Box, ratio_xy: tuple[float, float]) -> Box:
    return (box[0] * ratio_xy[0], box[1] * ratio_xy[1], box[2] * ratio_xy[0], box[3] * ratio_xy[1])
