"""Which parts of a picture are shown, and the way back from what was seen there to the picture's own pixels.

Shapes: N rows of ``Detections``, C cells of one view.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Detections

#: Whole pixels, half-open: x1, y1, x2, y2.
PixelBox = tuple[int, int, int, int]

#: A box that ends this near to where a part was cut off, in pixels of the network's input or in its own size, may go on
#: beyond.
_CUT_PX: Final = 4.0
_CUT_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of the picture and where it is shown, enlarged or shrunk by one factor.

    - ``region_xyxy``: the part, in pixels of the picture, inside it.
    - ``place_xyxy``: where it is shown, in pixels of the view.

    Raises ``ValueError`` on empty boxes, or sides that are not scaled alike (up to half a pixel of the view).
    """

    region_xyxy: PixelBox
    place_xyxy: PixelBox

    def __post_init__(self) -> None:
        widths, heights = zip(_sides(self.region_xyxy), _sides(self.place_xyxy), strict=True)
        if min(*widths, *heights) <= 0:
            raise ValueError(f"empty cell: {self}")
        if abs(heights[0] * self.scale - heights[1]) > 0.5 + 1e-6:
            raise ValueError(f"a cell that is not scaled alike both ways: {self}")

    @property
    def scale(self) -> float:
        """Pixels of the view per pixel of the picture."""
        return _sides(self.place_xyxy)[0] / _sides(self.region_xyxy)[0]


@dataclass(frozen=True, slots=True)
class View:
    """One picture that the networks are shown, made of parts of another.

    - ``image_hw``: height and width of the picture that the parts are of.
    - ``view_hw``: height and width of the view.
    - ``cells``: what it shows; their places do not overlap.
    - ``keeps_cut``: whether things that may go on beyond their cell count where nothing better was seen.
    """

    image_hw: tuple[int, int]
    view_hw: tuple[int, int]
    cells: tuple[Cell, ...]
    keeps_cut: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether it is the picture itself."""
        height, width = self.image_hw
        return self.view_hw == self.image_hw and self.cells == (
            Cell((0, 0, width, height), (0, 0, width, height)),
        )

    def cell_of(self, points_xy: NDArray[np.floating]) -> NDArray[np.intp]:
        """The cell in which each of ``points_xy`` (N, 2), in pixels of the view, lies; -1: in none. (N,)."""
        places = np.array([cell.place_xyxy for cell in self.cells], np.float64)
        points = np.asarray(points_xy, np.float64)[:, None]
        inside = np.asarray(((points >= places[:, :2]) & (points < places[:, 2:])).all(axis=2))
        return np.where(inside.any(axis=1), inside.argmax(axis=1), -1)

    def to_picture(self, seen: Detections) -> "SeenInView":
        """What was seen in the view, in pixels of the picture; what lies in no cell is left out."""
        centers = (seen.boxes_xyxy[:, :2] + seen.boxes_xyxy[:, 2:]) / 2
        cell_of = self.cell_of(centers)
        known = np.flatnonzero(cell_of >= 0)
        seen, cell_of = seen.select(known), cell_of[known]
        regions = np.array([cell.region_xyxy for cell in self.cells], np.float64)[cell_of]
        places = np.array([cell.place_xyxy for cell in self.cells], np.float64)[cell_of]
        scales = np.array([cell.scale for cell in self.cells])[cell_of]

        def back(points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
            """Points (N, K, 2)."""
            shifted = (points_xy - places[:, None, :2]) / scales[:, None, None]
            return np.asarray(shifted + regions[:, None, :2], np.float32)

        landmarks = seen.landmarks_xy
        if landmarks is not None:
            # rows that have none are zero, and stay so
            has_some = np.asarray(landmarks.any(axis=(1, 2)))
            landmarks = np.where(has_some[:, None, None], back(landmarks), np.float32(0))
        boxes = back(seen.boxes_xyxy.reshape(-1, 2, 2)).reshape(-1, 4)
        row_scales = np.asarray(seen.input_scales * scales, np.float32)
        height, width = self.image_hw
        ends_xyxy = np.array([0, 0, width, height])
        margins = np.maximum(_CUT_PX / row_scales[:, None], _CUT_SHARE * (boxes[:, 2:] - boxes[:, :2]))
        beyond = np.concatenate(
            [boxes[:, :2] <= regions[:, :2] + margins, boxes[:, 2:] >= regions[:, 2:] - margins], axis=1
        )
        return SeenInView(
            replace(
                seen,
                image_hw=self.image_hw,
                boxes_xyxy=boxes,
                landmarks_xy=landmarks,
                input_scale=seen.input_scale * self.cells[0].scale,
                row_scales=row_scales,
            ),
            is_cut=(beyond & (regions != ends_xyxy)).any(axis=1),
            cell_of=cell_of,
        )


@dataclass(frozen=True, slots=True, eq=False)
class SeenInView:
    """Rows in pixels of the picture, with where they were seen.

    - ``detections``: N rows, with ``row_scales``.
    - ``is_cut``: bool (N,), they end where their cell was cut out of the picture: there may be more of them.
    - ``cell_of``: index of each row's cell (N,).
    """

    detections: Detections
    is_cut: NDArray[np.bool_]
    cell_of: NDArray[np.intp]


def whole_view(image_hw: tuple[int, int]) -> View:
    """The picture itself."""
    box = (0, 0, image_hw[1], image_hw[0])
    return View(image_hw, image_hw, (Cell(box, box),))


def _sides(box: PixelBox) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]
