"""Labelled pictures laid out as one far scene, so that their heads are as small as those of a wide camera."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.evaluation.instances import clipped
from models.evaluation.labelled import read_labelled
from models.letterbox import FILL_RGB
from models.pictures import ArrayPicture

#: Heights in pixels between which the median head of each picture is drawn: a wide view of a yard or a hall.
HEAD_HEIGHTS_PX: Final = (8.0, 40.0)

#: Heads of fewer pixels count neither as missed nor as found.
LEAST_HEAD_PX: Final = 8.0

#: Between two pictures, so that none reaches into the other.
_GAP_PX: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class FarScene:
    """One picture, and the heads that are labelled in it.

    - ``boxes_xyxy``: float64 (M, 4), pixels of the scene.
    - ``ignored``: bool (M,), neither to be found nor wrong to be found.
    """

    picture: ArrayPicture
    boxes_xyxy: NDArray[np.float64]
    ignored: NDArray[np.bool_]


def far_scenes(
    pictures: Sequence[AnnotatedPicture],
    *,
    categories: Collection[str],
    scene_hw: tuple[int, int],
    seed: int = 0,
) -> Iterator[FarScene]:
    """Lay ``pictures`` out in scenes of ``scene_hw``, each picture once, in an order that follows from ``seed``.

    Each is shrunk (never enlarged) until its median thing of ``categories`` is as high as a number drawn from
    ``HEAD_HEIGHTS_PX``, evenly in its logarithm. Pictures are laid side by side in rows on grey. Those without such a
    thing, or that are larger than a scene even so, are left out. Raises what reading a picture raises.
    """
    rng = np.random.default_rng(seed)
    low, high = np.log(HEAD_HEIGHTS_PX)
    scene = _Canvas(scene_hw)
    for index in rng.permutation(len(pictures)):
        labelled = pictures[index]
        wanted_px = float(np.exp(rng.uniform(low, high)))
        things = [thing for thing in labelled.objects if thing.category in categories]
        heights = [thing.box_xyxy[3] - thing.box_xyxy[1] for thing in things if not thing.ignored]
        if not heights:
            continue
        scale = min(1.0, wanted_px / float(np.median(heights)))
        size_hw = (round(labelled.image_hw[0] * scale), round(labelled.image_hw[1] * scale))
        if min(size_hw) < 16 or size_hw[0] > scene_hw[0] or size_hw[1] > scene_hw[1]:
            continue
        place = scene.place_for(size_hw)
        if place is None:
            yield scene.finished()
            scene = _Canvas(scene_hw)
            place = scene.place_for(size_hw)
        if place is None:
            continue
        boxes = clipped(np.array([thing.box_xyxy for thing in things], np.float64), labelled.image_hw)
        unclear = np.array([thing.ignored for thing in things])
        scene.draw(read_labelled(labelled).rgb(size_hw), place, boxes * scale, unclear)
    if not scene.is_empty:
        yield scene.finished()


class _Canvas:
    """A scene in the making: rows of pictures from the top left corner on."""

    def __init__(self, scene_hw: tuple[int, int]) -> None:
        self._rgb = np.empty((*scene_hw, 3), np.uint8)
        self._rgb[:] = FILL_RGB
        self._boxes: list[NDArray[np.float64]] = []
        self._ignored: list[NDArray[np.bool_]] = []
        self._x = self._y = self._row_height = 0

    @property
    def is_empty(self) -> bool:
        return not self._boxes

    def place_for(self, size_hw: tuple[int, int]) -> tuple[int, int] | None:
        """Left and top of the next free place of ``size_hw``, which is then taken; None: it is full."""
        height, width = self._rgb.shape[:2]
        if self._x + size_hw[1] > width:
            self._x, self._y, self._row_height = 0, self._y + self._row_height + _GAP_PX, 0
        if self._y + size_hw[0] > height or size_hw[1] > width:
            return None
        place = self._x, self._y
        self._x += size_hw[1] + _GAP_PX
        self._row_height = max(self._row_height, size_hw[0])
        return place

    def draw(
        self,
        rgb: NDArray[np.uint8],
        place: tuple[int, int],
        boxes: NDArray[np.float64],
        ignored: NDArray[np.bool_],
    ) -> None:
        left, top = place
        self._rgb[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
        self._boxes.append(boxes + np.array([left, top, left, top]))
        self._ignored.append(ignored | (boxes[:, 3] - boxes[:, 1] < LEAST_HEAD_PX))

    def finished(self) -> FarScene:
        return FarScene(ArrayPicture(self._rgb), np.concatenate(self._boxes), np.concatenate(self._ignored))
