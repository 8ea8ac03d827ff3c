"""From pictures to training canvases that look like a CCTV camera's: small, tilted, blurred, compressed.

Geometry: a face (or head) of the picture is chosen and brought to a height that is drawn log-uniformly,
turned a little and put somewhere in a tile; a canvas is one tile, four, or, of close-ups, sixteen. Light:
colour, blur, noise and compression of the whole canvas.

Shapes: S side of the canvas or tile in pixels; M faces, G ignored regions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.letterbox import FILL_RGB
from models.pictures import read_picture
from models.training.retinaface_examples import FaceExample
from models.training.turned_boxes import matrix_of_centres, turned_boxes

#: Landmarks after mirroring: right and left eye, and the corners of the mouth, change places.
MIRRORED_LANDMARKS: Final = (1, 0, 2, 4, 3)

#: Faces lower than this on the canvas are ignored: nothing on them can be told.
LEAST_HEIGHT_PX: Final = 8.0

#: Heights to which the chosen face is brought: on a canvas of one tile, and on one of four.
WHOLE_HEIGHTS_PX: Final = (12.0, 240.0)
QUARTER_HEIGHTS_PX: Final = (9.0, 110.0)

#: The same for close-ups, in shares of the tile.
CLOSE_UP_SHARES: Final = (0.3, 0.9)

#: Of the crops of a picture with hard subjects, so many choose among these.
HARD_SHARE: Final = 0.6

#: Of a face cut by the border, this much must be left.
LEAST_VISIBLE: Final = 0.65


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """``pixels`` uint8 (S, S, 3) RGB; the rest as in ``FaceExample``, in pixels of the canvas."""

    pixels: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float32]
    box_weights: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    landmark_weights: NDArray[np.float32]
    ignored_xyxy: NDArray[np.float32]


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture's pixels, uint8 (H, W, 3). Raises ``PictureError``."""
    return read_picture(path).rgb()


def draw_canvas(
    draw_example: Callable[[], FaceExample],
    rng: np.random.Generator,
    side_px: int,
    *,
    close_ups: bool = False,
    read: Callable[[Path], NDArray[np.uint8]] = read_rgb,
) -> Canvas:
    """One canvas of one large or four small tiles, each of another example; of ``close_ups``, four or
    sixteen.

    ``read`` gives a picture's RGB pixels, which may be smaller than those that the examples speak of.
    """
    few, many, chance = (2, 4, 0.7) if close_ups else (1, 2, 0.5)
    count = many if rng.random() < chance else few
    tile_px = side_px // count
    if close_ups:
        least, most = CLOSE_UP_SHARES[0] * tile_px, CLOSE_UP_SHARES[1] * tile_px
        # blown up further than whole pictures: they are cut that small
        bounds = {"heights_px": (least, most), "least_fill": 0.5, "most_scale": 3.5}
    else:
        bounds = {"heights_px": WHOLE_HEIGHTS_PX if count == 1 else QUARTER_HEIGHTS_PX}
    tiles = [
        draw_tile(draw_example(), rng, tile_px, read=read, **bounds)  # type: ignore[arg-type]
        for _ in range(count * count)
    ]
    canvas = tiles[0] if count == 1 else _joined(tiles, count, tile_px)
    return replace(canvas, pixels=change_light(canvas.pixels, rng))


def draw_tile(
    example: FaceExample,
    rng: np.random.Generator,
    side_px: int,
    *,
    heights_px: tuple[float, float],
    least_fill: float = 0.85,
    most_scale: float = 2.0,
    read: Callable[[Path], NDArray[np.uint8]] = read_rgb,
) -> Canvas:
    """One picture scaled, turned, mirrored and cut to a tile.

    ``heights_px`` bounds the chosen face's height. A picture is at least so large that its longest or its
    shortest side spans ``least_fill`` of the tile: one that leaves most of it empty teaches little; and it is
    enlarged ``most_scale`` times at most: beyond that it is only blurred.
    """
    pixels = read(example.path)
    # the picture may come smaller than its labels are
    given = pixels.shape[1] / example.image_hw[1]
    subject = _subject(example, rng)
    centre: NDArray[np.float64] = given * ((subject[:2] + subject[2:]) / 2).astype(np.float64)
    wanted = np.exp(rng.uniform(*np.log(heights_px)))
    # by its longest side, or, so that it fills the tile, by the other one
    spanning = max if rng.random() < 0.5 else min
    least = least_fill * side_px / spanning(pixels.shape[:2])
    height = max(1.0, given * float(subject[3] - subject[1]))
    scale = min(most_scale / given, max(least, float(wanted) / height))
    shrunk = scale if scale < 0.7 else 1.0
    if shrunk < 1:
        pixels, scale = _shrunk(pixels, shrunk), 1.0
        centre *= shrunk
    degrees = rng.normal(0, 8) if rng.random() < 0.8 else rng.uniform(-35, 35)
    mirror = bool(rng.random() < 0.5)
    target = _target(centre * scale, np.array(pixels.shape[1::-1]) * scale, mirror, side_px, rng)
    matrix = _placement(centre, scale, degrees, mirror, target)
    tile = cv2.warpAffine(
        pixels, matrix_of_centres(matrix), (side_px, side_px), flags=cv2.INTER_LINEAR, borderValue=FILL_RGB
    )
    matrix = matrix @ np.diag([given * shrunk, given * shrunk, 1.0])
    return _moved(example, np.asarray(tile, np.uint8), matrix, mirror)


def _subject(example: FaceExample, rng: np.random.Generator) -> NDArray[np.float32]:
    """The box (4,) that decides where a crop lies and how large it is."""
    subjects = example.subjects_xyxy
    if len(example.hard_xyxy) and rng.random() < HARD_SHARE:
        subjects = example.hard_xyxy
    if len(subjects):
        chosen: NDArray[np.float32] = subjects[rng.integers(len(subjects))]
        return chosen
    return np.array([0, 0, example.image_hw[1] / 4, example.image_hw[0] / 4], np.float32)


def change_light(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Colour, blur, noise and compression as cameras add them, each now and then. uint8 (S, S, 3) to the
    same."""
    image: NDArray[Any] = pixels.astype(np.float32)
    if rng.random() < 0.7:
        image = image * rng.uniform(0.6, 1.4) + rng.uniform(-25, 25)
    if rng.random() < 0.4:
        grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
        image = grey[..., None] + (image - grey[..., None]) * rng.uniform(0.3, 1.5)
    if rng.random() < 0.3:
        image = image * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.08:  # infrared at night
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.25:
        image = 255 * (np.clip(image, 0, 255) / 255) ** rng.uniform(0.6, 1.6)
    image = _blurred(np.asarray(image, np.float32), rng)
    if rng.random() < 0.25:
        noise = rng.standard_normal(image.shape[:2], np.float32)[..., None]
        image = image + noise * rng.uniform(2, 12)
    result = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        result = _compressed(result, int(rng.integers(25, 85)))
    return result


def _shrunk(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Shrink by averaging: warping alone would alias."""
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _target(
    centre: NDArray[np.float64],
    drawn_wh: NDArray[np.float64],
    mirror: bool,
    side_px: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Where on the tile the chosen point goes, so that the drawn picture fills it, or lies in it, as far as
    it can."""
    before = np.array([drawn_wh[0] - centre[0] if mirror else centre[0], centre[1]])
    after = drawn_wh - before
    low, high = np.minimum(before, side_px - after), np.maximum(before, side_px - after)
    return np.asarray(np.clip(rng.uniform(low, high), 0.08 * side_px, 0.92 * side_px))


def _placement(
    centre: NDArray[np.float64], scale: float, degrees: float, mirror: bool, target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The (2, 3) matrix that turns and scales about ``centre`` (x, y) and puts it at ``target``."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = np.diag([-1.0, 1.0]) @ turn
    return np.concatenate([turn, (target - turn @ centre)[:, None]], axis=1)


def _moved(
    example: FaceExample, pixels: NDArray[np.uint8], matrix: NDArray[np.float64], mirror: bool
) -> Canvas:
    side = pixels.shape[0]
    boxes = turned_boxes(example.boxes_xyxy, matrix)
    clipped = np.clip(boxes, 0, side)
    visible = _areas(clipped) / np.maximum(_areas(boxes), 1e-6)
    good = (visible >= LEAST_VISIBLE) & (clipped[:, 3] - clipped[:, 1] >= LEAST_HEIGHT_PX)
    # landmarks refer to the whole face, so a cut one teaches its box alone
    landmarks = example.landmarks_xy @ matrix[:, :2].T + matrix[:, 2]
    if mirror:
        landmarks = landmarks[:, MIRRORED_LANDMARKS]
    ignored = np.concatenate([clipped[~good & (visible > 0)], turned_boxes(example.ignored_xyxy, matrix)])
    ignored = np.clip(ignored, 0, side)
    return Canvas(
        pixels,
        clipped[good].astype(np.float32),
        example.box_weights[good],
        landmarks[good].astype(np.float32),
        (example.landmark_weights * (visible > 0.95))[good].astype(np.float32),
        ignored[_areas(ignored) > 0].astype(np.float32),
    )


def _areas(boxes_xyxy: NDArray[Any]) -> NDArray[Any]:
    side = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None)
    return np.asarray(side[:, 0] * side[:, 1])


def _joined(tiles: Sequence[Canvas], count: int, tile_px: int) -> Canvas:
    """Tiles, row by row, ``count`` in each."""
    rows = [
        np.concatenate([tile.pixels for tile in tiles[start : start + count]], axis=1)
        for start in range(0, len(tiles), count)
    ]
    shifts = [np.array(divmod(index, count)[::-1], np.float32) * tile_px for index in range(len(tiles))]
    pairs = list(zip(tiles, shifts, strict=True))
    return Canvas(
        np.concatenate(rows),
        np.concatenate([tile.boxes_xyxy + np.tile(shift, 2) for tile, shift in pairs]),
        np.concatenate([tile.box_weights for tile in tiles]),
        np.concatenate([tile.landmarks_xy + shift for tile, shift in pairs]),
        np.concatenate([tile.landmark_weights for tile in tiles]),
        np.concatenate([tile.ignored_xyxy + np.tile(shift, 2) for tile, shift in pairs]),
    )


def _blurred(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    chance = rng.random()
    if chance < 0.15:  # out of focus
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    if chance < 0.22:  # moved
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
        kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.float32)
    if chance < 0.42:  # enlarged from a smaller stream
        factor = rng.uniform(0.45, 0.9)
        smaller = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(smaller, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return image


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    # the coder takes B, G, R: swapping the channels would only change which of them it keeps best
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
