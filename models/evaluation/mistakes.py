"""The worst mistakes of a detector, and pictures of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.cut_outs import DETECTED_RGB, LABELLED_RGB, CutOut
from models.evaluation.instance_figures import MeasuredPicture
from models.evaluation.instances import WordMatches, clipped, detected_region
from models.evaluation.overlaps import box_overlaps
from models.structures import Category

MistakeKind = Literal["false", "loose", "missed"]

#: A picture full of mistakes shows this many of each kind, so that others have their turn.
_PER_PICTURE: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """One mistake.

    - ``kind``: ``false``: something detected that is not there; ``loose``: the right thing, badly placed;
      ``missed``: a thing that nothing found.
    - ``weight``: the larger, the worse, within its kind. ``text``: what happened, in words.
    - ``box_xyxy``: of the detection, or of the missed thing. ``row``: of the detection, or None.
    """

    kind: MistakeKind
    measured: MeasuredPicture
    word: str
    weight: float
    text: str
    box_xyxy: tuple[float, float, float, float]
    row: int | None = None


def worst_mistakes(
    measured: Sequence[MeasuredPicture], *, score_threshold: float, count: int
) -> dict[MistakeKind, list[Mistake]]:
    """Up to ``count`` of each kind: false detections of the highest scores, loose ones of the lowest overlaps, and the
    largest missed things. Detections below ``score_threshold`` neither find nor err.
    """
    found: dict[MistakeKind, list[Mistake]] = {"false": [], "loose": [], "missed": []}
    for one in measured:
        for words in one.words:
            if words.kind == "box":
                for mistake in _mistakes(one, words, score_threshold):
                    found[mistake.kind].append(mistake)
    return {kind: _chosen(mistakes, count) for kind, mistakes in found.items()}


def draw_mistake(mistake: Mistake) -> NDArray[np.uint8]:
    """The surroundings as RGB, uint8 (H, W, 3), their longest side 280; labels green, the detection and its pixels
    orange.

    Raises ``PictureError`` when the picture is not there any more.
    """
    picture, detections = mistake.measured.picture, mistake.measured.detections
    part = CutOut(picture, mistake.box_xyxy)
    for thing in picture.objects:
        subject = mistake.kind == "missed" and thing.box_xyxy == mistake.box_xyxy
        part.draw_box(thing.box_xyxy, LABELLED_RGB, 2 if subject else 1)
    if mistake.row is not None:
        part.draw_box(mistake.box_xyxy, DETECTED_RGB, 2)
        if detections.seg_masks is not None:
            region = detected_region(detections, mistake.row)
            outlines, _ = cv2.findContours(
                region.pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            # the middle of the pixels
            offset = np.array([region.left + 0.5, region.top + 0.5])
            part.draw_outlines([outline + offset for outline in outlines], DETECTED_RGB)
    return part.canvas


def _mistakes(one: MeasuredPicture, words: WordMatches, score_threshold: float) -> Iterator[Mistake]:
    detections, matches = one.detections, words.matches
    found: set[int] = set()
    weak: dict[int, float] = {}
    for place, row_of_word in enumerate(matches.order):
        row, label = int(words.rows[row_of_word]), int(matches.label_of[0, 0, place])
        score = float(matches.scores[place])
        if score < score_threshold:
            weak.setdefault(label, score)
            continue
        found.add(label)
        if matches.ignored[0, 0, place]:
            continue
        name = Category(int(detections.class_ids[row])).label
        box = _as_box(words.boxes_xyxy[row_of_word])
        if label < 0:
            text = f"{name} {score:.2f}, {_what_is_there(one, words, box)}"
            yield Mistake("false", one, words.word, score, text, box, row)
        else:
            overlap = float(words.overlaps[row_of_word, label])
            text = f"{name} {score:.2f}, IoU {overlap:.2f}"
            yield Mistake("loose", one, words.word, 1 - overlap, text, box, row)
    for missed in set(np.flatnonzero(~matches.gt_ignored[0]).tolist()) - found:
        x1, y1, x2, y2 = box = one.picture.objects[words.objects[missed]].box_xyxy
        seen = f", seen with {weak[missed]:.2f}" if missed in weak else ""
        text = f"{words.word} of {x2 - x1:.0f} x {y2 - y1:.0f} px{seen}"
        yield Mistake("missed", one, words.word, (x2 - x1) * (y2 - y1), text, box)


def _what_is_there(one: MeasuredPicture, words: WordMatches, box: Sequence[float]) -> str:
    """The label that a false detection overlaps most."""
    things = one.picture.objects
    gt_boxes = clipped(np.array([thing.box_xyxy for thing in things], np.float64), one.picture.image_hw)
    boxes = clipped(np.array([box], np.float64), one.picture.image_hw)
    overlaps = box_overlaps(boxes, gt_boxes, np.zeros(len(things), np.bool_))[0]
    if not len(things) or overlaps.max() < 0.1:
        return "nothing labelled"
    best = int(overlaps.argmax())
    taken = " (already found)" if things[best].category == words.word and overlaps[best] >= 0.5 else ""
    return f"labelled {things[best].category}, IoU {overlaps[best]:.2f}{taken}"


def _chosen(mistakes: Sequence[Mistake], count: int) -> list[Mistake]:
    chosen: list[Mistake] = []
    of_picture: Counter[object] = Counter()
    for mistake in sorted(mistakes, key=lambda one: -one.weight):
        path = mistake.measured.picture.path
        if of_picture[path] < _PER_PICTURE and len(chosen) < count:
            of_picture[path] += 1
            chosen.append(mistake)
    return chosen


def _as_box(values: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2
