"""RoIAlign (He et al. 2017, section 3): the features of a box, at one size whatever the box's.

Shapes: B images; h, w height and width of a level; C channels; R boxes of all images; S side of the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from models.mask_rcnn.level_geometry import LevelGeometry

__all__ = ["LevelGeometry", "level_of", "roi_align"]


def roi_align(
    levels: Sequence[Any],
    boxes_xyxy: Any,
    image_ids: Any,
    *,
    geometry: LevelGeometry,
    side: int,
    sampling_points: int,
) -> Any:
    """Levels (B, h, w, C) and boxes (R, 4) in input pixels, each of the image ``image_ids`` (R,), to
    (R, S, S, C).

    Each of the S x S bins is the mean of ``sampling_points`` squared samples, spread evenly over it, each
    interpolated bilinearly between the four nearest places; beyond the outermost places their values go on.
    Each box is looked at on the level that suits its size (Lin et al. 2017, equation 1; rounded as
    Matterport's).
    """
    table = _LevelTable.of(levels, geometry)
    level = level_of(boxes_xyxy, geometry)
    height, width, stride, start = (
        keras.ops.take(keras.ops.array(column, "float32"), level) for column in table.columns
    )
    limits = keras.ops.stack([width, height], axis=-1)[:, None]
    points = _sampled_points(boxes_xyxy, limits, stride[:, None, None], geometry, side * sampling_points)
    columns, rows = (
        keras.ops.minimum(keras.ops.maximum(points[..., axis], 0.0), limit[:, None] - 1.0)
        for axis, limit in enumerate((width, height))
    )
    base = keras.ops.cast(image_ids, "int32") * table.places + keras.ops.cast(start, "int32")
    channels = int(levels[0].shape[-1])
    places = keras.ops.concatenate(
        [keras.ops.reshape(one, (-1, int(one.shape[1]) * int(one.shape[2]), channels)) for one in levels],
        axis=1,
    )
    sampled = _bilinear(
        keras.ops.reshape(places, (-1, channels)), base, rows, columns, keras.ops.cast(width, "int32")
    )
    binned = keras.ops.reshape(sampled, (-1, side, sampling_points, side, sampling_points, channels))
    return keras.ops.mean(binned, axis=(2, 4))


def level_of(boxes_xyxy: Any, geometry: LevelGeometry) -> Any:
    """Which level (index, int32) each of the boxes (R, 4) is looked at."""
    side = keras.ops.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 1e-6)
    octave = keras.ops.log(keras.ops.sqrt(side[:, 0] * side[:, 1]) / geometry.canonical_px) / np.log(2.0)
    level = keras.ops.clip(keras.ops.round(octave) + 2, 0, len(geometry.strides) - 1)
    return keras.ops.cast(level, "int32")


def _sampled_points(boxes_xyxy: Any, limits: Any, stride: Any, geometry: LevelGeometry, count: int) -> Any:
    """Where boxes (R, 4) are sampled, (R, ``count``, 2): x and y in places of their level, of which there are
    ``limits`` (R, 1, 2), ``stride`` (R, 1, 1) input pixels apart."""
    if geometry.corner_aligned:
        steps, first, last = np.linspace(0, 1, count), boxes_xyxy[:, None, :2], boxes_xyxy[:, None, 2:] - 1.0
        scale = (limits - 1.0) / keras.ops.maximum(limits * stride - 1.0, 1.0)
        shift = 0.0
    else:
        steps, first, last = (
            (np.arange(count) + 0.5) / count,
            boxes_xyxy[:, None, :2],
            boxes_xyxy[:, None, 2:],
        )
        scale = 1.0 / stride
        shift = geometry.cell_offset
    return (first + (last - first) * keras.ops.array(steps, "float32")[:, None]) * scale - shift


@dataclass(frozen=True, slots=True)
class _LevelTable:
    """Height, width, stride and first place of each level in the row of all levels' places."""

    columns: tuple[tuple[float, ...], ...]
    places: int

    @classmethod
    def of(cls, levels: Sequence[Any], geometry: LevelGeometry) -> "_LevelTable":
        heights = [int(level.shape[1]) for level in levels]
        widths = [int(level.shape[2]) for level in levels]
        counts = [height * width for height, width in zip(heights, widths, strict=True)]
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).tolist()
        columns = (tuple(heights), tuple(widths), geometry.strides[: len(heights)], tuple(starts))
        return cls(columns, sum(counts))


def _bilinear(places: Any, base: Any, rows: Any, columns: Any, width: Any) -> Any:
    """Values (R, N, N, C) at every crossing of rows (R, N) and columns (R, N) of the places (all, C)."""
    row_0, column_0 = keras.ops.floor(rows), keras.ops.floor(columns)
    row_part, column_part = rows - row_0, columns - column_0
    # beyond the last place the weight is 0, so the neighbour may be any: the place itself
    row_1 = row_0 + keras.ops.cast(row_part > 0, "float32")
    column_1 = column_0 + keras.ops.cast(column_part > 0, "float32")
    result: Any = 0.0
    for row, row_weight in ((row_0, 1 - row_part), (row_1, row_part)):
        for column, column_weight in ((column_0, 1 - column_part), (column_1, column_part)):
            index = (
                base[:, None, None]
                + keras.ops.cast(row, "int32")[:, :, None] * width[:, None, None]
                + keras.ops.cast(column, "int32")[:, None, :]
            )
            weight = row_weight[:, :, None] * column_weight[:, None, :]
            result = result + keras.ops.take(places, index, axis=0) * keras.ops.cast(
                weight[..., None], places.dtype
            )
    return result
