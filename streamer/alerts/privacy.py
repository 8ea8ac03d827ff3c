"""Makes people and places unrecognisable in pixels, before anything is drawn, stored or sent.

Static polygons become black. A head is reduced to three cells across and interpolated: what is left of a face
are some twelve mean colours, from which it can be neither sharpened nor rebuilt. Deterministic, like
everything on a snapshot.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Polygon = Sequence[tuple[float, float]]

#: Cells across the shorter side of a blurred head.
_CELLS: Final = 3
#: Drawn around polygons, so that no pixel shows what lies partly inside.
_BORDER_PX: Final = 3
#: The blurred region is larger than the box by this share of its sides, on each side: hair, ears and chin.
_MARGIN: Final = 0.25
#: Of a person whose head was not seen, this share of the height from the top is taken for it.
_HEAD_SHARE: Final = 0.25


class Blur(StrEnum):
    """Whose faces are made unrecognisable: nobody's, all but the violator's, or everyone's."""

    NONE = "none"
    BYSTANDERS = "bystanders"
    EVERYONE = "everyone"


def made_private(
    rgb: NDArray[np.uint8], *, heads_xyxy: Sequence[Box], polygons: Sequence[Polygon]
) -> NDArray[np.uint8]:
    """A copy of a frame (H, W, 3) that may be encoded: polygons black, heads unrecognisable. Every picture of a camera
    that leaves the process comes from here.
    """
    picture = rgb.copy()
    black_out(picture, polygons)
    blur_heads(picture, heads_xyxy)
    return picture


def black_out(image: NDArray[np.uint8], polygons: Sequence[Polygon]) -> None:
    """Fill polygons, corners relative to the picture (0 to 1), with black, in place; pixels that they touch too."""
    height, width = image.shape[:2]
    for polygon in polygons:
        corners = (
            np.rint(np.asarray(polygon, np.float64) * (width, height)).astype(np.int32).reshape(-1, 1, 2)
        )
        cv2.fillPoly(image, [corners], (0, 0, 0))
        cv2.polylines(image, [corners], True, (0, 0, 0), thickness=_BORDER_PX)


def blur_heads(image: NDArray[np.uint8], heads_xyxy: Sequence[Box]) -> None:
    """Make what lies in the boxes, enlarged by a quarter, unrecognisable, in place. RGB uint8 (H, W, 3)."""
    for x1, y1, x2, y2 in heads_xyxy:
        dx, dy = (x2 - x1) * _MARGIN, (y2 - y1) * _MARGIN
        left, top = math.floor(x1 - dx), math.floor(y1 - dy)
        right, bottom = math.ceil(x2 + dx), math.ceil(y2 + dy)
        part = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        part_h, part_w = part.shape[:2]
        if part_h == 0 or part_w == 0:
            continue
        # of the whole head, also where the picture's border cuts it: the part that is left shows no finer cells
        cell = max(1.0, min(bottom - top, right - left) / _CELLS)
        cells = (max(1, round(part_w / cell)), max(1, round(part_h / cell)))
        coarse = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
        part[:] = cv2.resize(coarse, (part_w, part_h), interpolation=cv2.INTER_LINEAR)


def heads_to_blur(
    policy: Blur,
    *,
    faces_xyxy: Sequence[Box],
    violator_xyxy: Box | None,
    violator_head_xyxy: Box | None,
    others_xyxy: Sequence[Box],
    bodies_xyxy: Sequence[Box] = (),
) -> list[Box]:
    """The heads that the policy makes unrecognisable.

    ``faces_xyxy`` holds every face and head that was seen, also those of the violator and of people who are
    not tracked. ``others_xyxy`` are the boxes of tracked people; where no face lies in the upper part of one,
    that part is taken instead, for a face that was not found may still be seen. ``bodies_xyxy`` are those of all
    people who were seen, the violator's own among them, and are treated alike.
    """
    if policy is Blur.NONE:
        return []
    own = violator_head_xyxy or (None if violator_xyxy is None else _upper_part(violator_xyxy))
    chosen = list(faces_xyxy)
    if policy is Blur.BYSTANDERS and own is not None:
        chosen = [face for face in chosen if not _same_head(face, own)]
    elif own is not None and not any(_same_head(face, own) for face in chosen):
        chosen.append(own)
    strangers = [
        body for body in bodies_xyxy if violator_xyxy is None or not _is_body_of(body, violator_xyxy, own)
    ]
    for person in (*others_xyxy, *strangers):
        head = _upper_part(person)
        if not any(_share_inside(face, head) > 0.5 for face in chosen):
            chosen.append(head)
    return chosen


def _upper_part(person: Box) -> Box:
    x1, y1, x2, y2 = person
    # a head is about as wide as it is high, and in the middle of an upright person
    side = (y2 - y1) * _HEAD_SHARE
    middle, half = (x1 + x2) / 2, min(x2 - x1, max(side, (x2 - x1) * 0.6)) / 2
    return (middle - half, y1, middle + half, y1 + side)


def _is_body_of(body: Box, violator: Box, head: Box | None) -> bool:
    """Whether a body is the violator's: their boxes cover each other, or the violator's head is on top of it."""
    common = _overlap_area(body, violator)
    if common >= 0.6 * (_area(body) + _area(violator) - common):
        return True
    if head is None:
        return False
    width, height = head[2] - head[0], head[3] - head[1]
    aside = abs((body[0] + body[2]) - (head[0] + head[2])) / 2
    return aside <= 0.5 * width and abs(body[1] - head[1]) <= 0.75 * height


def _same_head(face: Box, head: Box) -> bool:
    """Whether a face is that of the head: they cover each other, or the face is a fair part of the head."""
    common = _overlap_area(face, head)
    face_area, head_area = _area(face), _area(head)
    if common <= 0:
        return False
    iou = common / (face_area + head_area - common)
    inside = common / min(face_area, head_area)
    return iou >= 0.4 or (inside >= 0.7 and face_area >= 0.15 * head_area)


def _share_inside(inner: Box, outer: Box) -> float:
    area = _area(inner)
    return _overlap_area(inner, outer) / area if area > 0 else 0.0


def _overlap_area(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
