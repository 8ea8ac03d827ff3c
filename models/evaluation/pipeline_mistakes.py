"""The worst mistakes of a face pipeline, as pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from models.evaluation.cut_outs import DETECTED_RGB, LABELLED_RGB, CutOut
from models.evaluation.face_labels import IOU_THRESHOLD
from models.evaluation.pages import Gallery, GalleryPicture
from models.evaluation.pipeline_faces import SeenPicture, matches_of
from models.structures import FACE_MASK_CLASSES

Kind = Literal["called wrong", "missed", "false"]

#: Pictures of each kind of mistake, and of one picture among them.
COUNT: Final = 18
_PER_PICTURE: Final = 2

_TEXTS: Final[dict[Kind, tuple[str, str]]] = {
    "called wrong": ("Called wrong", "Found faces whose state is most certain and wrong."),
    "missed": ("Missed", "The largest labelled faces that nothing found."),
    "false": ("Labelled nowhere", "The found faces of the highest scores that meet no label."),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Mistake:
    kind: Kind
    seen: SeenPicture
    weight: float
    text: str
    box_xyxy: tuple[float, ...]
    found: bool


def mistake_galleries(pictures: Sequence[SeenPicture], *, score_threshold: float) -> tuple[Gallery, ...]:
    """Galleries of what was called wrong, missed, and found for nothing. Raises ``PictureError`` when a picture is not
    there any more."""
    many = [one for seen in pictures for one in _mistakes(seen, score_threshold)]
    return tuple(
        Gallery(
            title,
            f"{note} Orange: found; green: labelled.",
            tuple(_drawn(one) for one in _worst([one for one in many if one.kind == kind])),
        )
        for kind, (title, note) in _TEXTS.items()
    )


def _mistakes(seen: SeenPicture, score_threshold: float) -> Iterator[_Mistake]:
    faces, matches = matches_of(seen, score_threshold=score_threshold)
    names = [category.label for category in FACE_MASK_CLASSES]
    for row in range(len(faces)):
        if matches.excused[row] or faces.face_mask_probs is None:
            continue
        label = int(matches.label_of[row])
        answer = int(faces.face_mask_probs[row].argmax())
        prob, score = float(faces.face_mask_probs[row, answer]), float(faces.scores[row])
        box = tuple(float(value) for value in faces.boxes_xyxy[row])
        if label < 0:
            near = f"IoU {matches.best_iou[row]:.2f}" if matches.best_iou[row] > 0 else "nothing near"
            twice = ", a second time" if matches.best_iou[row] >= IOU_THRESHOLD else ""
            yield _Mistake(
                "false", seen, score, f"face {score:.2f}, {names[answer]}; {near}{twice}", box, True
            )
        elif answer != seen.labels.states[label]:
            text = f"{names[answer]} {prob:.2f}, labelled {names[int(seen.labels.states[label])]}"
            yield _Mistake("called wrong", seen, prob, text, box, True)
    for label in np.flatnonzero(~seen.labels.ignored & (matches.found_by < 0)).tolist():
        box = tuple(float(value) for value in seen.labels.boxes_xyxy[label])
        height = box[3] - box[1]
        text = f"{names[int(seen.labels.states[label])]}, {height:.0f} px high; " + (
            f"nearest IoU {matches.nearest_iou[label]:.2f}"
            if matches.nearest_iou[label] > 0
            else "nothing near"
        )
        yield _Mistake("missed", seen, height, text, box, False)


def _worst(mistakes: Sequence[_Mistake]) -> list[_Mistake]:
    chosen: list[_Mistake] = []
    of_picture: Counter[object] = Counter()
    for mistake in sorted(mistakes, key=lambda one: -one.weight):
        path = mistake.seen.picture.path
        if of_picture[path] < _PER_PICTURE and len(chosen) < COUNT:
            of_picture[path] += 1
            chosen.append(mistake)
    return chosen


def _drawn(mistake: _Mistake) -> GalleryPicture:
    part = CutOut(mistake.seen.picture, mistake.box_xyxy)
    for box in mistake.seen.labels.boxes_xyxy:
        subject = not mistake.found and tuple(float(value) for value in box) == mistake.box_xyxy
        part.draw_box(box.tolist(), LABELLED_RGB, 2 if subject else 1)
    if mistake.found:
        part.draw_box(mistake.box_xyxy, DETECTED_RGB, 2)
    return GalleryPicture(part.canvas, mistake.text, mistake.seen.picture.path.name)
