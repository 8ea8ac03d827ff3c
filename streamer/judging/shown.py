"""What a frame shows of people and of what they wear, for pictures that leave the site."""

from typing import Final

from models.structures import FACE_CATEGORIES, Category, Detections
from rules.proportions import head_under_hat
from streamer.alerts.snapshot import Shape
from streamer.drawing import BLUE, GREY
from streamer.outlines import outlines_of

Box = tuple[float, float, float, float]

#: Hats and masks below this score are not drawn.
_LEAST_SCORE: Final = 0.5
_COLORS: Final = {Category.HARD_HAT: BLUE, Category.FACE_MASK: BLUE, Category.HAT: GREY}


def heads_shown(detections: Detections) -> list[Box]:
    """A box for every row that shows a head, whatever its score, large enough for the face in it.

    A hat has a face below it, a mask one around it, whether somebody wears them or not: privacy comes first.
    """
    found = []
    for index, class_id in enumerate(detections.class_ids):
        box, category = _box(detections, index), Category(int(class_id))
        if category in FACE_CATEGORIES or category is Category.BARE_HEAD:
            found.append(box)
        elif category in (Category.HARD_HAT, Category.HAT):
            found.append(_around(box, head_under_hat(box)))
        elif category is Category.FACE_MASK:
            height, width = box[3] - box[1], box[2] - box[0]
            found.append((box[0] - width / 8, box[1] - height, box[2] + width / 8, box[3]))
    return found


def bodies_shown(detections: Detections) -> list[Box]:
    """The box of every person, whatever its score."""
    return [
        _box(detections, index)
        for index, class_id in enumerate(detections.class_ids)
        if int(class_id) == Category.PERSON
    ]


def shapes_shown(detections: Detections) -> list[Shape]:
    """The pixels of hats and masks."""
    return [
        Shape(tuple(tuple(polygon) for polygon in polygons), _COLORS[category])
        for index, class_id in enumerate(detections.class_ids)
        if (category := Category(int(class_id))) in _COLORS
        and detections.scores[index] >= _LEAST_SCORE
        and (polygons := outlines_of(detections, index))
    ]


def _box(detections: Detections, index: int) -> Box:
    x1, y1, x2, y2 = (float(value) for value in detections.boxes_xyxy[index])
    return x1, y1, x2, y2


def _around(box: Box, other: Box) -> Box:
    return min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3])
