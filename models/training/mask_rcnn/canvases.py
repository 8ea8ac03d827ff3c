"""From labelled pictures to training canvases that look like a CCTV camera's: small, tilted, blurred, compressed.

A thing of the picture is chosen and brought to a size that is drawn log-uniformly, turned a little and put
somewhere in a tile; or the whole picture is shown. A canvas is one tile or four.

Shapes: S side of the canvas or tile in pixels; K categories; F faces.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.letterbox import FILL_RGB
from models.training.mask_rcnn.canvas import Canvas
from models.training.mask_rcnn.gear import Gear
from models.training.mask_rcnn.labels import Example
from models.training.mask_rcnn.light import change_light
from models.training.mask_rcnn.placement import LEAST_VISIBLE, LEAST_VISIBLE_OF_PERSON, placed
from models.training.turned_boxes import matrix_of_centres

#: A person is about this many heads wide and high, by the square root of the areas: standing, sitting, cut.
_HEADS_PER_PERSON: Final = 4.0

#: Landmarks after mirroring: the eyes, and the corners of the mouth, change places.
MIRRORED_LANDMARKS: Final = (1, 0, 2, 4, 3)

#: Tiles along a canvas' side, how often, and the sizes of heads there in pixels: what cameras give. Of
#: close-ups, small things can only be had on small tiles.
_LAYOUTS: Final = ((1, 0.60, (8.0, 200.0)), (2, 0.32, (8.0, 110.0)), (4, 0.08, (8.0, 50.0)))

#: A picture covers at least this part of its tile, or shows itself whole.
_LEAST_COVERED: Final = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """An example with its picture ``pixels`` uint8 (H, W, 3), which may be smaller than that on disk."""

    example: Example
    pixels: NDArray[np.uint8]


def draw_canvas(
    draw_subject: Callable[[Example | None], Subject],
    rng: np.random.Generator,
    side_px: int,
    *,
    categories: Sequence[str],
    gear: Gear | None = None,
) -> Canvas:
    """One canvas of one tile, or of four or sixteen small ones, each of another picture.

    ``draw_subject`` chooses a picture: the first when given None, the others to go with it, which must label
    the same categories exhaustively. ``gear`` is put on people now and then.
    """
    is_person = np.array([name == "person" for name in categories])
    across, _, sizes_px = _LAYOUTS[int(rng.choice(len(_LAYOUTS), p=[layout[1] for layout in _LAYOUTS]))]
    subject = draw_subject(None)
    first = subject.example
    tiles = []
    for index in range(across**2):
        subject = draw_subject(first) if index else subject
        tile, faces_xy = draw_tile(subject, rng, side_px // across, sizes_px=sizes_px, is_person=is_person)
        tiles.append(gear.worn(tile, faces_xy, rng) if gear else tile)
    canvas = joined(tiles) if len(tiles) > 1 else tiles[0]
    return replace(canvas, pixels=change_light(canvas.pixels, rng))


def draw_tile(
    subject: Subject,
    rng: np.random.Generator,
    side_px: int,
    *,
    sizes_px: tuple[float, float],
    is_person: NDArray[np.bool_],
) -> tuple[Canvas, NDArray[np.float64]]:
    """One picture scaled, turned, mirrored and cut to a tile; and its bare faces there, (F, 5, 2).

    ``sizes_px`` bounds the size of the chosen head, or thing of a head's size; ``is_person`` bool (K,) says
    which category is larger.
    """
    example, pixels = subject.example, subject.pixels
    ratio = pixels.shape[1] / example.image_hw[1]
    centre, size = _chosen(example, rng, is_person)
    scale = _scale(size * ratio, pixels.shape, rng, side_px, sizes_px)
    # warping alone would alias: first shrink by averaging
    shrunk = scale if scale < 0.7 else 1.0
    if shrunk < 1:
        pixels = _shrunk(pixels, shrunk)
    before = np.array([pixels.shape[1] / example.image_hw[1], pixels.shape[0] / example.image_hw[0]])
    centre = centre * before
    turn = _turn(rng) * (scale / shrunk)
    target = _target(centre, turn, pixels.shape, side_px, rng)
    matrix = np.concatenate([turn, (target - turn @ centre)[:, None]], axis=1)
    tile = cv2.warpAffine(
        pixels, matrix_of_centres(matrix), (side_px, side_px), flags=cv2.INTER_LINEAR, borderValue=FILL_RGB
    )
    least_visible = np.where(is_person, LEAST_VISIBLE_OF_PERSON, LEAST_VISIBLE)
    matrix = matrix @ np.diag([*before, 1.0])
    faces_xy = example.bare_faces_xy @ matrix[:, :2].T + matrix[:, 2]
    if np.linalg.det(matrix[:, :2]) < 0:
        faces_xy = faces_xy[:, MIRRORED_LANDMARKS]
    return placed(example, np.asarray(tile, np.uint8), matrix, least_visible), faces_xy


def joined(tiles: Sequence[Canvas]) -> Canvas:
    """A square number of tiles, left to right and top to bottom, as one canvas.

    Should the tiles label different categories exhaustively, those count that all of them do.
    """
    side, across = tiles[0].pixels.shape[0], math.isqrt(len(tiles))
    rows = [
        np.concatenate([tile.pixels for tile in tiles[start : start + across]], axis=1)
        for start in range(0, len(tiles), across)
    ]
    shifts = [np.array([x, y, x, y], np.float32) * side for y in range(across) for x in range(across)]
    pairs = list(zip(tiles, shifts, strict=True))
    return Canvas(
        pixels=np.concatenate(rows),
        boxes_xyxy=np.concatenate([tile.boxes_xyxy + shift for tile, shift in pairs]),
        admissible=np.concatenate([tile.admissible for tile in tiles]),
        seg_masks=np.concatenate([tile.seg_masks for tile in tiles]),
        has_seg_mask=np.concatenate([tile.has_seg_mask for tile in tiles]),
        ignored_xyxy=np.concatenate([tile.ignored_xyxy + shift for tile, shift in pairs]),
        labelled=np.all([tile.labelled for tile in tiles], axis=0),
    )


def _chosen(
    example: Example, rng: np.random.Generator, is_person: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Centre (2,) and size, in heads, of the thing that the tile is about; pixels of the picture."""
    if not len(example.boxes_xyxy):
        height, width = example.image_hw
        return rng.uniform((0.2, 0.2), (0.8, 0.8)) * (width, height), max(height, width) / 8
    # a picture of one hat among many heads is drawn for the hat as often as for the heads
    kinds = np.unique(example.admissible, axis=0)
    kind = kinds[rng.integers(len(kinds))]
    members = np.flatnonzero((example.admissible == kind).all(axis=1))
    index = members[rng.integers(len(members))]
    box = example.boxes_xyxy[index].astype(np.float64)
    sides = box[2:] - box[:2]
    heads = _HEADS_PER_PERSON if (example.admissible[index] & is_person).any() else 1.0
    return (box[:2] + box[2:]) / 2, float(np.sqrt(sides.prod())) / heads


def _scale(
    size: float,
    image_shape: tuple[int, ...],
    rng: np.random.Generator,
    side_px: int,
    sizes_px: tuple[float, float],
) -> float:
    if rng.random() < 0.25:
        whole = side_px / max(image_shape[:2])
        return min(2.0, whole * float(rng.uniform(0.8, 1.15)))
    wanted = float(np.exp(rng.uniform(*np.log(sizes_px))))
    covering = side_px * math.sqrt(_LEAST_COVERED / (image_shape[0] * image_shape[1]))
    # beyond twice its size a picture is only blurred
    return min(2.0, max(covering, wanted / max(1.0, size)))


def _turn(rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, 2): turned and sheared a little, mirrored half of the time."""
    angle = np.deg2rad(rng.normal(0, 5) if rng.random() < 0.85 else rng.uniform(-25, 25))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, rng.normal(0, 0.04)], [0.0, 1.0]])
    stretch = np.exp(rng.normal(0, 0.06))
    turn = turn @ shear @ np.diag([stretch, 1 / stretch])
    return np.asarray(np.diag([-1.0, 1.0]) @ turn if rng.random() < 0.5 else turn)


def _target(
    centre: NDArray[np.float64],
    turn: NDArray[np.float64],
    image_shape: tuple[int, ...],
    side_px: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Where on the tile the chosen point goes, so that the drawn picture fills it, or lies in it, as far as
    it can.
    """
    drawn = np.abs(np.diag(turn))
    size = drawn * (image_shape[1], image_shape[0])
    before = np.where(np.diag(turn) < 0, size - centre * drawn, centre * drawn)
    after = size - before
    low, high = np.minimum(before, side_px - after), np.maximum(before, side_px - after)
    return np.asarray(np.clip(rng.uniform(low, high), 0.08 * side_px, 0.92 * side_px))


def _shrunk(pixels: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
