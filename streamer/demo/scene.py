"""The drawn place in which the demo clip plays: an entrance behind a reception counter.

Everything is drawn at twice its size and averaged down. There is no face on the walls, nor anything like one.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SCENE_HW: Final = (720, 1280)
#: The counter's upper edge; people stand behind it.
COUNTER_Y: Final = 604

_FACTOR: Final = 2
_WALL_END_Y: Final = 500

Image = NDArray[np.float32]
Rgb = tuple[int, int, int]


def draw_room() -> Image:
    """The empty room behind the people as RGB, float32 (720, 1280, 3), 0 to 255."""
    canvas = _wall_and_floor()
    _door(canvas)
    _notice_board(canvas)
    _sign(canvas)
    _extinguisher(canvas)
    room = _averaged(canvas)
    return np.asarray(room * _lamps()[..., None], np.float32)


def draw_counter() -> tuple[Image, Image]:
    """The counter before the people: RGB as of ``draw_room``, and its coverage (720, 1280), 0 to 1."""
    canvas = _blank()
    covered = _blank()
    for target, fill in ((canvas, None), (covered, (1, 1, 1))):
        _box(target, 0, COUNTER_Y, 1280, 626, fill or (206, 202, 192))
        _box(target, 0, 626, 1280, 720, fill or (116, 88, 64))
    _box(canvas, 0, 620, 1280, 627, (150, 146, 138))
    for x in range(0, 1281, 80):  # planks
        _box(canvas, x, 630, x + 2, 720, (84, 62, 45))
        _box(canvas, x + 2, 630, x + 4, 720, (134, 104, 78))
    canvas[627 * _FACTOR : 642 * _FACTOR] *= 0.72  # the top's shadow on the front
    # a bottle of hand rub
    for target, fill in ((canvas, None), (covered, (1, 1, 1))):
        _box(target, 1130, 548, 1164, 618, fill or (214, 226, 232))
        _box(target, 1141, 532, 1153, 550, fill or (70, 104, 150))
        _box(target, 1124, 528, 1155, 536, fill or (70, 104, 150))
    _box(canvas, 1134, 570, 1160, 600, (78, 128, 176))
    _box(canvas, 1132, 550, 1137, 616, (240, 246, 248))
    rng = np.random.default_rng(3)
    top = slice(COUNTER_Y * _FACTOR, 620 * _FACTOR)
    canvas[top] += rng.normal(0, 3.0, canvas[top].shape[:2]).astype(np.float32)[..., None]
    coverage = _averaged(covered)[..., 0]
    return _averaged(canvas), coverage


def write_text(
    canvas: Image, text: str, xy: tuple[int, int], height: float, rgb: tuple[float, float, float]
) -> None:
    """Write capitals of about ``height`` pixels with their lower left corner at ``xy`` into a picture, in
    place.
    """
    ink = np.zeros(canvas.shape[:2], np.uint8)  # OpenCV writes on bytes alone
    weight = max(1, round(height / 11))
    cv2.putText(ink, text, xy, cv2.FONT_HERSHEY_SIMPLEX, height / 22, (255,), weight, cv2.LINE_AA)
    canvas += (np.asarray(rgb, np.float32) - canvas) * (ink[..., None].astype(np.float32) / 255)


def _blank() -> Image:
    return np.zeros((SCENE_HW[0] * _FACTOR, SCENE_HW[1] * _FACTOR, 3), np.float32)


def _averaged(canvas: Image) -> Image:
    return cv2.resize(canvas, SCENE_HW[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)


def _box(  # noqa: PLR0917 - the four sides read best side by side
    canvas: Image, x1: float, y1: float, x2: float, y2: float, rgb: tuple[float, float, float]
) -> None:
    f = _FACTOR
    canvas[round(y1 * f) : round(y2 * f), round(x1 * f) : round(x2 * f)] = rgb


def _polygon(canvas: Image, points: list[tuple[float, float]], rgb: Rgb) -> None:
    cv2.fillPoly(canvas, [np.rint(np.array(points) * _FACTOR).astype(np.int32)], rgb, lineType=cv2.LINE_8)


def _text(canvas: Image, text: str, xy: tuple[int, int], height: float, rgb: Rgb) -> None:
    write_text(canvas, text, (xy[0] * _FACTOR, xy[1] * _FACTOR), height * _FACTOR, rgb)


def _wall_and_floor() -> Image:
    canvas = _blank()
    f = _FACTOR
    rows = np.linspace(0, 1, _WALL_END_Y * f, dtype=np.float32)[:, None, None]
    canvas[: _WALL_END_Y * f] = np.array([206, 205, 198]) * (1 - rows) + np.array([176, 175, 168]) * rows
    depth = np.linspace(0, 1, canvas.shape[0] - _WALL_END_Y * f, dtype=np.float32)[:, None, None]
    canvas[_WALL_END_Y * f :] = np.array([126, 124, 120]) * (1 - depth) + np.array([152, 149, 143]) * depth
    for x in range(-2600, 3900, 130):  # tiles run towards a vanishing point above the door
        start = (round((640 + (x - 640) * 0.42) * f), _WALL_END_Y * f)
        cv2.line(canvas, start, (x * f, 720 * f), (108, 106, 102), 2, cv2.LINE_8)
    for y in (512, 530, 556, 592):
        _box(canvas, 0, y, 1280, y + 1, (110, 108, 104))
    _box(canvas, 0, 0, 1280, 34, (226, 225, 220))  # ceiling
    _box(canvas, 0, 34, 1280, 40, (150, 149, 144))
    _box(canvas, 0, 372, 1280, 382, (138, 128, 112))  # rail along the wall
    _box(canvas, 0, 382, 1280, 385, (160, 158, 150))
    _box(canvas, 0, _WALL_END_Y - 14, 1280, _WALL_END_Y, (92, 92, 92))
    rng = np.random.default_rng(7)
    spots = rng.normal(0, 1, (24, 40)).astype(np.float32)
    stains = cv2.resize(spots, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_CUBIC)
    canvas += 1.6 * stains[..., None].astype(np.float32)
    return canvas


def _door(canvas: Image) -> None:
    _box(canvas, 520, 104, 760, _WALL_END_Y, (84, 88, 92))
    for left in (530, 643):
        _box(canvas, left, 114, left + 107, _WALL_END_Y, (120, 128, 134))
        _box(canvas, left + 14, 132, left + 93, 330, (128, 154, 172))
        _polygon(
            canvas,
            [(left + 14, 250), (left + 93, 150), (left + 93, 200), (left + 14, 300)],
            (150, 174, 190),
        )
        _box(canvas, left + 8, 352, left + 99, 362, (196, 198, 200))
        _box(canvas, left + 8, 362, left + 99, 365, (86, 90, 94))
        _box(canvas, left + 10, 430, left + 97, 486, (106, 113, 119))
    _box(canvas, 592, 56, 688, 92, (24, 120, 72))
    _text(canvas, "EXIT", (609, 83), 20, (226, 246, 232))


def _notice_board(canvas: Image) -> None:
    _box(canvas, 132, 120, 372, 290, (112, 90, 68))
    _box(canvas, 140, 128, 364, 282, (176, 146, 108))
    sheets = (
        (152, 140, 208, 214),
        (222, 146, 282, 226),
        (296, 138, 352, 206),
        (160, 226, 214, 272),
        (298, 218, 346, 270),
    )
    for number, (x1, y1, x2, y2) in enumerate(sheets):
        _box(canvas, x1 + 3, y1 + 3, x2 + 3, y2 + 3, (140, 116, 86))
        _box(canvas, x1, y1, x2, y2, ((236, 234, 226), (240, 226, 170), (214, 228, 236))[number % 3])
        for y in range(y1 + 10, y2 - 6, 9):
            _box(canvas, x1 + 7, y, x2 - 7 - (y * 7 % 17), y + 2, (140, 140, 140))


def _sign(canvas: Image) -> None:
    _box(canvas, 896, 120, 1144, 250, (236, 238, 240))
    _box(canvas, 902, 126, 1138, 244, (28, 84, 150))
    for line, text in enumerate(("FACE MASKS", "REQUIRED", "IN THIS AREA")):
        _text(canvas, text, (922, 164 + 33 * line), 19, (240, 244, 248))


def _extinguisher(canvas: Image) -> None:
    _box(canvas, 816, 392, 846, 472, (168, 34, 32))
    _box(canvas, 820, 392, 826, 472, (206, 74, 66))
    _box(canvas, 824, 380, 838, 393, (52, 52, 54))
    _box(canvas, 818, 420, 844, 442, (226, 222, 208))
    _polygon(canvas, [(838, 384), (856, 396), (854, 440), (849, 440), (850, 398), (836, 390)], (40, 40, 42))


def _lamps() -> Image:
    """Brightness over the picture (720, 1280): three ceiling lamps, and darker corners."""
    y, x = np.mgrid[: SCENE_HW[0], : SCENE_HW[1]].astype(np.float32)
    light = np.full(SCENE_HW, 0.84, np.float32)
    for lamp_x in (200, 640, 1080):
        light += 0.24 * np.exp(-(((x - lamp_x) / 230) ** 2) - ((y - 60) / 300) ** 2)
    radius = ((x - 640) / 640) ** 2 + ((y - 360) / 360) ** 2
    return np.asarray(light * (1 - 0.07 * radius), np.float32)
