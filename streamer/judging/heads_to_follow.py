"""At whose heads to look again."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from models.structures import FACE_CATEGORIES, Category, Detections
from rules import Track
from rules.proportions import head_from_body, head_from_face
from rules.track import TrackState
from streamer.followed import Box

#: What there may be more of than was followed in one look is told in this number: the surest.
_MOST_DOUBTFUL: Final = 64


def heads_to_follow(tracks: Iterable[Track], detections: Detections | None = None) -> dict[int, Box]:
    """The heads of those of whom a rule asks something where they are, or who are not confirmed yet, by track id.

    Where the head was not seen it is taken from the body: that is where a closer look is worth most. Static things are
    nobody. Behind them, by numbers from 0 downwards, what may be somebody's head in ``detections``, the look that the
    tracks are of: the surest first, without those that some track has already.
    """
    heads: dict[int, Box] = {}
    taken: list[Box] = []
    for track in tracks:
        observation = track.observation
        head = observation.head_xyxy or head_from_body(observation.box_xyxy)
        taken.append(head)
        if not track.is_static and (track.is_relevant or track.state is TrackState.TENTATIVE):
            heads[track.track_id] = head
    if detections is not None:
        doubtful = 0
        for head in _heads_in(detections):
            if doubtful == _MOST_DOUBTFUL:
                break
            if not any(_is_on(head, other) for other in taken):
                taken.append(head)
                heads[-doubtful] = head
                doubtful += 1
    return heads


def _heads_in(detections: Detections) -> Iterator[Box]:
    """Where each thing that is seen says that a head is, the surest first."""
    for row in np.argsort(-detections.scores, kind="stable").tolist():
        category = Category(int(detections.class_ids[row]))
        x1, y1, x2, y2 = map(float, detections.boxes_xyxy[row])
        if x2 <= x1 or y2 <= y1 or category is Category.FACE_MASK:
            continue
        if category in FACE_CATEGORIES:
            yield head_from_face((x1, y1, x2, y2))
        elif category is Category.PERSON:
            yield head_from_body((x1, y1, x2, y2))
        else:
            yield x1, y1, x2, y2


def _is_on(head: Box, other: Box) -> bool:
    """Whether the middle of one lies in the other."""
    return _holds(head, other) or _holds(other, head)


def _holds(box: Box, other: Box) -> bool:
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]
