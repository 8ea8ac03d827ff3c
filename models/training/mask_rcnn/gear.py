"""Copy-paste of gear: hats cut out by their polygons onto bare heads, drawn face masks onto bare faces.

After Ghiasi et al. 2021 (arXiv:2012.07177), with the difference that gear is put where it is worn. What is
put there has exact pixels, and what it hides is no longer labelled.

Shapes: S side of a tile; G things; K categories; F faces; P corners of a polygon.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.face_mask_looks import FaceMaskWear, sampled_template
from models.data.synthetic_gear.face_masks import draw_face_mask
from models.training.mask_rcnn.canvas import SEG_MASK_SIDE, Canvas
from models.training.mask_rcnn.labels import Example
from models.training.mask_rcnn.placement import areas, bounds, box_pixels
from models.training.turned_boxes import matrix_of_centres

#: Lower hats are not cut out: enlarged they would be blurred.
_LEAST_CUTOUT_PX: Final = 28

#: Bare heads of these heights on the tile get a hat, and at most so many of one tile.
_HEADS_PX: Final = (12.0, 160.0)
_MOST_HATS: Final = 8

#: Height of a hat by that of the bare head, and where on the head its lower edge is: frontal heads of the
#: pictures from which the hats are cut.
_HAT_BY_HEAD: Final = (0.52, 0.68)
_BRIM_BY_HEAD: Final = (0.34, 0.48)
_WIDTH_BY_HEAD: Final = (1.0, 2.2)

#: Eyes closer than this on the tile: a face mask would be a smudge.
_LEAST_EYES_PX: Final = 5.0
_MOST_FACE_MASKS: Final = 3

#: How they are worn, and how often.
_WEARS: Final = (FaceMaskWear.WORN, FaceMaskWear.UNDER_NOSE, FaceMaskWear.AT_CHIN)
_WEAR_CHANCES: Final = (0.75, 0.13, 0.12)

#: A thing of which more than this is hidden by what was put there is not learned.
_MOST_HIDDEN: Final = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A hat: ``rgb`` uint8 (H, W, 3); ``polygons`` each (P, 2), its pixels; ``category``, its name."""

    rgb: NDArray[np.uint8]
    polygons: tuple[NDArray[np.float32], ...]
    category: str


@dataclass(frozen=True, slots=True, eq=False)
class Gear:
    """What can be put on.

    - ``cutouts``: hats. ``hat_chance``, ``face_mask_chance``: of the tiles that have bare heads, or faces
      without a face mask, this share gets some.
    """

    categories: tuple[str, ...]
    cutouts: tuple[Cutout, ...] = ()
    hat_chance: float = 0.3
    face_mask_chance: float = 0.2

    def worn(self, tile: Canvas, landmarks_xy: NDArray[np.float64], rng: np.random.Generator) -> Canvas:
        """The tile with gear put on now and then.

        ``landmarks_xy`` (F, 5, 2): faces without a face mask, pixels of the tile, the viewer's left eye
        first.
        """
        if len(landmarks_xy) and "face_mask" in self.categories and rng.random() < self.face_mask_chance:
            for row in rng.permutation(len(landmarks_xy))[:_MOST_FACE_MASKS]:
                tile = self._with_face_mask(tile, landmarks_xy[row], rng)
        if self.cutouts and rng.random() < self.hat_chance:
            tile = self._with_hats(tile, rng)
        return tile

    def _with_hats(self, tile: Canvas, rng: np.random.Generator) -> Canvas:
        side = tile.pixels.shape[0]
        boxes = tile.boxes_xyxy
        heights = boxes[:, 3] - boxes[:, 1]
        only_bare = (tile.admissible == [name == "bare_head" for name in self.categories]).all(axis=1)
        inside = (boxes[:, 0] > 1) & (boxes[:, 1] > 1) & (boxes[:, 2:] < side - 1).all(axis=1)
        fitting = (heights >= _HEADS_PX[0]) & (heights <= _HEADS_PX[1])
        chosen = np.flatnonzero(only_bare & inside & fitting)
        chosen = chosen[rng.random(len(chosen)) < rng.uniform(0.2, 1.0)]
        # from the farthest, which is the smallest, to the nearest, whose hat hides what is behind it
        for head in boxes[chosen[np.argsort(heights[chosen])][-_MOST_HATS:]].astype(np.float64):
            tile = self._with_hat(tile, head, self.cutouts[int(rng.integers(len(self.cutouts)))], rng)
        return tile

    def _with_hat(
        self, tile: Canvas, head: NDArray[np.float64], cutout: Cutout, rng: np.random.Generator
    ) -> Canvas:
        width, height = head[2:] - head[:2]
        hat = bounds(cutout.polygons)
        scale = rng.uniform(*_HAT_BY_HEAD) * height / (hat[3] - hat[1])
        limits = np.array(_WIDTH_BY_HEAD) * width / (hat[2] - hat[0])
        scale = float(np.clip(scale, *limits))
        angle, mirror = np.deg2rad(rng.normal(0, 5)), -1.0 if rng.random() < 0.5 else 1.0
        turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turn = turn @ np.diag([mirror, 1.0])
        brim = np.array([(hat[0] + hat[2]) / 2, hat[3]])
        goal = np.array(
            [
                (head[0] + head[2]) / 2 + rng.normal(0, 0.03) * width,
                head[1] + rng.uniform(*_BRIM_BY_HEAD) * height,
            ]
        )
        matrix = np.concatenate([turn, (goal - turn @ brim)[:, None]], axis=1)
        polygons = [polygon @ turn.T + matrix[:, 2] for polygon in cutout.polygons]
        garment = np.clip(bounds(polygons), 0, tile.pixels.shape[0])
        if (garment[2:] - garment[:2]).min() < 4:
            return tile
        pixels, covered, origin_xy = _pasted(tile.pixels, cutout, matrix, polygons, head)
        is_hard_hat = cutout.category == "hard_hat"
        is_this_head = np.abs(tile.boxes_xyxy - head).max(axis=1, initial=0) < 1e-3
        tile = _without_hidden(replace(tile, pixels=pixels), covered, origin_xy, spared=is_this_head)
        box = garment
        if is_hard_hat:
            box = np.concatenate([np.minimum(head[:2], garment[:2]), np.maximum(head[2:], garment[2:])])
            tile = _kept(tile, np.abs(tile.boxes_xyxy - head).max(axis=1, initial=0) >= 1e-3)
        return _with_thing(tile, box, box_pixels(polygons, box), self._only(cutout.category))

    def _with_face_mask(
        self, tile: Canvas, landmarks_xy: NDArray[np.float64], rng: np.random.Generator
    ) -> Canvas:
        side = tile.pixels.shape[0]
        eyes = float(np.linalg.norm(landmarks_xy[1] - landmarks_xy[0]))
        if eyes < _LEAST_EYES_PX or landmarks_xy.min() < 0 or landmarks_xy.max() > side:
            return tile
        wear = _WEARS[int(rng.choice(len(_WEARS), p=_WEAR_CHANCES))]
        drawn = draw_face_mask(tile.pixels, landmarks_xy, sampled_template(wear, rng), wear, rng)
        rows, columns = np.nonzero(drawn.seg_mask)
        if len(rows) < 20:
            return tile
        x1, y1, x2, y2 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        part = drawn.seg_mask[y1:y2, x1:x2].astype(np.float32)
        seg_mask = cv2.resize(part, (SEG_MASK_SIDE, SEG_MASK_SIDE), interpolation=cv2.INTER_LINEAR) > 0.5
        tile = replace(tile, pixels=drawn.picture_rgb)
        box = np.array([x1, y1, x2, y2], np.float64)
        return _with_thing(tile, box, seg_mask.astype(np.uint8), self._only("face_mask"))

    def _only(self, category: str) -> NDArray[np.bool_]:
        return np.array([name == category for name in self.categories])


def cut_out_hats(
    examples: Sequence[Example], categories: Sequence[str], read: Callable[[Example], NDArray[np.uint8]]
) -> tuple[Cutout, ...]:
    """The hats and hard hats that have polygons, are wholly in their picture and large enough.

    ``read`` gives an example's picture, uint8 (H, W, 3), perhaps smaller than on disk.
    """
    cutouts: list[Cutout] = []
    for example in examples:
        for index, polygons in enumerate(example.polygons):
            names = [
                name for name, may_be in zip(categories, example.admissible[index], strict=True) if may_be
            ]
            if polygons and names in (["hard_hat"], ["hat"]):
                cutout = _cut_out(polygons, names[0], example, read)
                cutouts += [cutout] if cutout is not None else []
    return tuple(cutouts)


def _cut_out(
    polygons: tuple[NDArray[np.float32], ...],
    category: str,
    example: Example,
    read: Callable[[Example], NDArray[np.uint8]],
) -> Cutout | None:
    height, width = example.image_hw
    x1, y1, x2, y2 = bounds(polygons)
    if min(x1, y1) < 1 or x2 > width - 1 or y2 > height - 1:
        return None
    pixels = read(example)
    scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height])
    if (y2 - y1) * scale[1] < _LEAST_CUTOUT_PX:
        return None
    margin = 3
    left, top = np.maximum(np.floor(np.array([x1, y1]) * scale) - margin, 0).astype(int)
    right, bottom = (np.ceil(np.array([x2, y2]) * scale) + margin).astype(int)
    moved = tuple(np.asarray(polygon * scale - (float(left), float(top)), np.float32) for polygon in polygons)
    return Cutout(pixels[top:bottom, left:right].copy(), moved, category)


def _pasted(
    pixels: NDArray[np.uint8],
    cutout: Cutout,
    matrix: NDArray[np.float64],
    polygons: Sequence[NDArray[Any]],
    head: NDArray[np.float64],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], tuple[int, int]]:
    """The tile with the hat on it; how much each pixel (h, w) of a part of it is covered, and that part's
    first column and row.
    """
    rgb, scale = cutout.rgb, float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.7:  # warping alone would alias
        size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
        matrix = matrix @ np.diag([rgb.shape[1] / size[0], rgb.shape[0] / size[1], 1.0])
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    box = bounds(polygons)
    around = np.concatenate([np.floor(box[:2]) - 3, np.ceil(box[2:]) + 3])
    x1, y1, x2, y2 = np.clip(around, 0, pixels.shape[0]).astype(int).tolist()
    shape = np.zeros((y2 - y1, x2 - x1), np.uint8)
    for polygon in polygons:
        points = np.rint((polygon - (x1 + 0.5, y1 + 0.5)) * 16).astype(np.int32)
        cv2.fillPoly(shape, [points], 255, lineType=cv2.LINE_AA, shift=4)
    covered = np.asarray(cv2.GaussianBlur(shape, (0, 0), 0.6), np.float32) / 255
    centred = matrix_of_centres(matrix)
    centred[:, 2] -= (x1, y1)
    layer = cv2.warpAffine(
        rgb, centred, shape.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    own_light = float(layer[covered > 0.5].mean()) if (covered > 0.5).any() else 1.0
    ratio = np.clip(_light(pixels, head) / max(1.0, own_light), 0.4, 1.6)
    # half of the way from the light it had to that of its new place: hats are brighter than heads
    lit = np.clip(layer * float(np.sqrt(ratio)), 0, 255)
    result = pixels.copy()
    under = result[y1:y2, x1:x2]
    result[y1:y2, x1:x2] = np.rint(under * (1 - covered[..., None]) + lit * covered[..., None])
    return result, np.asarray(covered, np.float32), (x1, y1)


def _light(pixels: NDArray[np.uint8], head: NDArray[np.float64]) -> float:
    """Mean brightness around a head, about that of a hat worn there."""
    grown = head + np.array([-1, -0.5, 1, 0.5]) * np.tile(head[2:] - head[:2], 2) / 2
    x1, y1, x2, y2 = np.clip(grown, 0, pixels.shape[0]).astype(int)
    return 25 + float(pixels[y1:y2, x1:x2].mean())


def _without_hidden(
    tile: Canvas, covered: NDArray[np.float32], origin_xy: tuple[int, int], *, spared: NDArray[np.bool_]
) -> Canvas:
    """Things that are mostly covered become ignored regions."""
    total = cv2.integral(covered)
    limits = np.tile([covered.shape[1], covered.shape[0]], 2)
    local = np.clip(np.rint(tile.boxes_xyxy - np.tile(origin_xy, 2)), 0, limits).astype(int)
    x1, y1, x2, y2 = local.T
    hidden = total[y2, x2] - total[y1, x2] - total[y2, x1] + total[y1, x1]
    lost = (hidden > _MOST_HIDDEN * np.maximum(areas(tile.boxes_xyxy), 1)) & ~spared
    if not lost.any():
        return tile
    ignored = np.concatenate([tile.ignored_xyxy, tile.boxes_xyxy[lost]])
    return replace(_kept(tile, ~lost), ignored_xyxy=ignored)


def _kept(tile: Canvas, rows: NDArray[np.bool_]) -> Canvas:
    return replace(
        tile,
        boxes_xyxy=tile.boxes_xyxy[rows],
        admissible=tile.admissible[rows],
        seg_masks=tile.seg_masks[rows],
        has_seg_mask=tile.has_seg_mask[rows],
    )


def _with_thing(
    tile: Canvas, box: NDArray[np.float64], seg_mask: NDArray[np.uint8], admissible: NDArray[np.bool_]
) -> Canvas:
    return replace(
        tile,
        boxes_xyxy=np.concatenate([tile.boxes_xyxy, box[None].astype(np.float32)]),
        admissible=np.concatenate([tile.admissible, admissible[None]]),
        seg_masks=np.concatenate([tile.seg_masks, seg_mask[None]]),
        has_seg_mask=np.append(tile.has_seg_mask, True),
    )
