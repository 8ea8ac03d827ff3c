"""Draws small surfaces in space onto a picture of a head, with what hides what.

Each surface is a grid of points in the head's millimetres. Nearer surfaces hide farther ones, and so does the
head itself, which is drawn as nothing: what is behind it stays unseen.

Shapes: R, C rows and columns of a grid; h, w the part of the picture that is drawn on; H, W the same part several
times as fine; N pixels of it that a surface covers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.data.synthetic_gear.grids import Region, normals_of, supersample
from models.data.synthetic_gear.head_frame import HEAD_CENTRE_MM, HEAD_HALF_AXES_MM, HeadFrame
from models.data.synthetic_gear.textures import Values

#: Colours float32 (N, 3), 0 to 255, where a surface is lit fully: at ``u`` 0 to 1 across its columns and ``v`` 0 to 1
#: down its rows, each (N,).
Texture = Callable[[Values, Values], Values]

_SHIFT_BITS: Final = 4
#: Middles and half axes of what stands out of the head's ellipsoid: cheeks with jaw, and nose.
_FACE_MM: Final = (((0.0, 48.0, -32.0), (48.0, 62.0, 46.0)), ((0.0, 36.0, 6.0), (14.0, 20.0, 18.0)))
_AMBIENT: Final = 0.55

#: From above and a little from the left, in front: right, down and towards the viewer.
LIGHT_FROM: Final = np.array([-0.22, -0.62, 0.75])


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """- ``points_mm``: (R, C, 3); seen from outside, columns go right and rows down.
    - ``texture``: its colours.
    - ``labelled``: its pixels are the thing's; those of bands and straps are not.
    - ``inside``: 0 to 1, brightness of its other side; 0: that side is not drawn.
    - ``gloss``: 0 to 1, strength of the highlight.
    """

    points_mm: NDArray[np.float64]
    texture: Texture
    labelled: bool = True
    inside: float = 0.0
    gloss: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A drawing at the picture's resolution, float32.

    - ``rgb`` (h, w, 3), 0 to 255, before the picture's light; ``alpha`` (h, w), how much it covers.
    - ``labelled`` (h, w), the part of it that is the thing itself; ``head`` (h, w), where the head is seen.
    """

    rgb: NDArray[np.float32]
    alpha: NDArray[np.float32]
    labelled: NDArray[np.float32]
    head: NDArray[np.float32]


class Scene:
    """The surfaces on one head, in the part ``region`` (x1, y1, x2, y2) of the picture."""

    def __init__(
        self, frame: HeadFrame, region: Region, light_from: NDArray[np.float64] = LIGHT_FROM
    ) -> None:
        self.frame = frame
        self._x1, self._y1, x2, y2 = region
        self._size_wh = (x2 - self._x1, y2 - self._y1)
        self._factor = supersample(frame.px_per_mm)
        hw = (self._size_wh[1] * self._factor, self._size_wh[0] * self._factor)
        self._light = light_from / np.linalg.norm(light_from)
        self._rgb = np.zeros((*hw, 3), np.float32)
        self._depth = np.full(hw, -np.inf, np.float32)
        self._covered = np.zeros(hw, np.float32)
        self._labelled = np.zeros(hw, np.float32)
        self._head = np.zeros(hw, np.float32)

    def hide_behind_head(self, *, shrunk: float = 0.94) -> None:
        """From here on, and for what was drawn before, the head hides what is behind it."""
        for centre, half_axes in ((HEAD_CENTRE_MM, HEAD_HALF_AXES_MM), *_FACE_MM):
            self._hide_behind(np.asarray(centre), shrunk * np.asarray(half_axes))

    def _hide_behind(self, centre: NDArray[np.float64], half_axes: NDArray[np.float64]) -> None:
        """What is behind an ellipsoid stays unseen: each pixel's line of sight meets it in a quadratic equation."""
        axes = self.frame.axes * self._factor
        middle = (self.frame.project(centre) - (self._x1, self._y1)) * self._factor - 0.5
        reach = np.sqrt(((axes * half_axes[:, None]) ** 2).sum(axis=0)) + 1
        low = np.maximum(np.floor(middle - reach), 0).astype(int)
        high = np.minimum(np.ceil(middle + reach) + 1, self._depth.shape[::-1]).astype(int)
        if (high <= low).any():
            return
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        x = (np.arange(low[0], high[0]) - middle[0]).astype(np.float32)[None, :]
        y = (np.arange(low[1], high[1]) - middle[1]).astype(np.float32)[:, None]
        view = self.frame.view
        across, down = np.linalg.pinv(axes) / half_axes
        forward = view / half_axes
        # |x * across + y * down + t * forward| = 1, the nearer of the two t
        square = float(forward @ forward)
        linear = x * float(across @ forward) + y * float(down @ forward)
        rest = (
            x * x * float(across @ across) + 2 * x * y * float(across @ down) + y * y * float(down @ down) - 1
        )
        inside = linear * linear - square * rest
        depth = (np.sqrt(np.maximum(inside, 0)) - linear) / square + float(centre @ view)
        nearer = (inside > 0) & (depth > self._depth[part])
        self._depth[part][nearer] = depth[nearer]
        self._head[part][nearer] = 1
        self._covered[part][nearer] = 0
        self._labelled[part][nearer] = 0

    def band(self, path_mm: ArrayLike, width_mm: float, rgb: ArrayLike) -> None:
        """A band along points (P, 3), as wide as told from wherever it is seen."""
        path = np.asarray(path_mm, np.float64)
        along = np.gradient(path, axis=0)
        across = np.cross(along, self.frame.view)
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
        half = max(width_mm / 2, 0.6 / (self.frame.px_per_mm * self._factor))
        points = np.stack([path + half * across, path - half * across])
        colour = np.asarray(rgb, np.float32)
        self.paint(Surface(points, lambda u, _v: np.broadcast_to(colour, (len(u), 3)), False, inside=1.0))

    def paint(self, surface: Surface) -> None:
        """Draw a surface where nothing nearer is."""
        corners = self.frame.project(surface.points_mm)
        # OpenCV draws where pixels' centres have whole coordinates
        corners = (corners - (self._x1, self._y1)) * self._factor - 0.5
        low = np.maximum(np.floor(corners.reshape(-1, 2).min(axis=0)), 0).astype(int)
        high = np.ceil(corners.reshape(-1, 2).max(axis=0)).astype(int) + 2
        high = np.minimum(high, self._depth.shape[::-1])
        if (high <= low).any():
            return
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        cells, outside = self._cells(surface, corners - low, (high - low)[::-1])
        rows, columns = np.nonzero(cells)
        if not len(rows):
            return
        places = _places(corners - low, cells[rows, columns] - 1, rows, columns)
        depth = places.values(self.frame.towards_viewer(surface.points_mm)[..., None])[:, 0]
        nearer = depth > self._depth[part][rows, columns]
        if not nearer.any():
            return
        rows, columns, places = rows[nearer], columns[nearer], places.only(nearer)
        self._depth[part][rows, columns] = depth[nearer]
        self._head[part][rows, columns] = 0
        self._covered[part][rows, columns] = 1
        self._labelled[part][rows, columns] = surface.labelled
        shade, shine = self._lit(surface, places, outside[places.row, places.column])
        colours = surface.texture(*places.across_and_down(surface.points_mm.shape)) * shade[:, None]
        self._rgb[part][rows, columns] = colours + shine[:, None] * (255 - np.minimum(colours, 255))

    def layer(self) -> Layer:
        """What was painted, averaged to the picture's pixels."""
        alpha = self._averaged(self._covered)
        premultiplied = self._averaged(self._rgb * self._covered[..., None])
        rgb = premultiplied / np.maximum(alpha, 1e-6)[..., None]
        return Layer(
            rgb.astype(np.float32), alpha, self._averaged(self._labelled), self._averaged(self._head)
        )

    def _averaged(self, fine: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(fine, self._size_wh, interpolation=cv2.INTER_AREA), np.float32)

    def _cells(
        self, surface: Surface, corners: NDArray[np.float64], hw: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Which cell, from 1 on, is seen at each pixel; of which cells (R - 1, C - 1) the outside is seen."""
        fixed = np.rint(corners * 2**_SHIFT_BITS).astype(np.int32)
        quads = np.stack([fixed[:-1, :-1], fixed[:-1, 1:], fixed[1:, 1:], fixed[1:, :-1]], axis=2)
        one, other = (quads[..., 2, :] - quads[..., 0, :]), (quads[..., 3, :] - quads[..., 1, :])
        outside = (
            one[..., 0].astype(np.int64) * other[..., 1] - one[..., 1].astype(np.int64) * other[..., 0] > 0
        )
        depth = self.frame.towards_viewer(surface.points_mm)
        middle = (depth[:-1, :-1] + depth[:-1, 1:] + depth[1:, 1:] + depth[1:, :-1]).ravel()
        drawn = np.flatnonzero(outside.ravel() | (surface.inside > 0))
        canvas = np.zeros(tuple(hw), np.int32)
        flat = quads.reshape(-1, 4, 2)
        for cell in drawn[np.argsort(middle[drawn])].tolist():
            cv2.fillConvexPoly(canvas, flat[cell], (cell + 1,), cv2.LINE_8, _SHIFT_BITS)
        return canvas, outside

    def _lit(
        self, surface: Surface, places: "_Places", is_outside: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Brightness and highlight (N,) of the pixels of a surface."""
        normal = places.values(self.frame.in_picture(normals_of(surface.points_mm)))
        normal *= np.where(is_outside, 1.0, -1.0)[:, None]
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        shade = _AMBIENT + (1.06 - _AMBIENT) * np.maximum(normal @ self._light, 0)
        shade *= np.where(is_outside, 1.0, surface.inside)
        halfway = self._light + np.array([0.0, 0.0, 1.0])
        shine = np.maximum(normal @ (halfway / np.linalg.norm(halfway)), 0) ** 30
        return shade.astype(np.float32), (surface.gloss * shine * is_outside).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where N pixels lie in a grid: row and column of the cell, and 0 to 1 across (u) and down (v) in it."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    u: NDArray[np.float32]
    v: NDArray[np.float32]

    def only(self, which: NDArray[np.bool_]) -> "_Places":
        return _Places(self.row[which], self.column[which], self.u[which], self.v[which])

    def values(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Values (R, C, K) of the grid's points, interpolated: (N, K)."""
        grid, row, column = values.astype(np.float32), self.row, self.column
        u, v = self.u[:, None], self.v[:, None]
        upper = grid[row, column] * (1 - u) + grid[row, column + 1] * u
        lower = grid[row + 1, column] * (1 - u) + grid[row + 1, column + 1] * u
        return np.asarray(upper * (1 - v) + lower * v, np.float32)

    def across_and_down(self, grid_rc: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        across = (self.column + self.u) / (grid_rc[1] - 1)
        down = (self.row + self.v) / (grid_rc[0] - 1)
        return across.astype(np.float32), down.astype(np.float32)


def _places(
    corners: NDArray[np.float64],
    cells: NDArray[np.int32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> _Places:
    """Where pixels at ``rows`` and ``columns`` lie in their ``cells``, as if those were parallelograms."""
    right = (corners[:-1, 1:] - corners[:-1, :-1] + corners[1:, 1:] - corners[1:, :-1]) / 2
    down = (corners[1:, :-1] - corners[:-1, :-1] + corners[1:, 1:] - corners[:-1, 1:]) / 2
    middle = (corners[:-1, :-1] + corners[:-1, 1:] + corners[1:, 1:] + corners[1:, :-1]) / 4
    area = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    area = np.where(np.abs(area) < 1e-6, 1e-6, area)
    row, column = np.divmod(cells.astype(np.int64), corners.shape[1] - 1)
    offset = np.column_stack([columns, rows]) - middle[row, column]
    a, r, d = area[row, column], right[row, column], down[row, column]
    u = np.clip((offset[:, 0] * d[:, 1] - offset[:, 1] * d[:, 0]) / a + 0.5, 0, 1)
    v = np.clip((r[:, 0] * offset[:, 1] - r[:, 1] * offset[:, 0]) / a + 0.5, 0, 1)
    return _Places(row, column, u.astype(np.float32), v.astype(np.float32))
