"""What is no face, or none that can be told: backs of heads, what detectors take for faces, background.

Gathered from COCO files with boxes of heads (``heads``, ``hard_hats``) and from what a face detector finds there;
see ``mask_state_examples``.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from models.data.annotated import AnnotatedPicture, Box
from models.data.readers import read_coco
from models.mask_state.network import NOT_VISIBLE
from models.training.mask_state_examples import FaceExample, LocatedFaces, box_of, located_key

_SMALLEST_HEAD_PX: Final = 22.0
#: Lower scores are scattered over every texture.
_TRACE_SCORE: Final = 0.04

_HEADS: Final = frozenset({"head", "bare_head", "hard_hat"})


def faceless_heads(
    data: Path,
    folder: str,
    located: LocatedFaces,
    *,
    sources: Iterable[str],
    min_head_px: float = _SMALLEST_HEAD_PX,
) -> list[FaceExample]:
    """Head boxes of at least ``min_head_px`` in which the detector saw no trace of a face: backs and tops
    of heads."""
    wanted = set(sources)
    examples = []
    for picture in read_coco(data / folder / "train.json"):
        key = located_key(data, picture)
        if picture.source not in wanted or key not in located:
            continue
        faces = [box_of(row) for row in located[key] if row[4] >= _TRACE_SCORE]
        for thing in picture.objects:
            x1, y1, x2, y2 = thing.box_xyxy
            if thing.category not in _HEADS or min(x2 - x1, y2 - y1) < min_head_px:
                continue
            # boxes of hard hats often end at the brim, above the face
            reach = y2 - y1 if thing.category == "hard_hat" else 0.0
            if not any(_touches(face, (x1, y1, x2, y2 + reach)) for face in faces):
                examples.append(FaceExample(picture.path, thing.box_xyxy, NOT_VISIBLE, f"{folder}/faceless"))
    return examples


def found_on_heads(
    data: Path, folder: str, located: LocatedFaces, *, sources: Iterable[str]
) -> list[tuple[FaceExample, FaceExample]]:
    """Pairs of a labelled head and the box of the best face that the detector found on it, even a doubtful
    one.

    Both are ``not_visible`` if the head is turned away, which nobody has labelled: an earlier classifier must
    tell it from the head, so that the later one learns it from the detector's box, often on a neck or an ear.
    """
    pairs = []
    for picture, heads in _heads_by_picture(data, folder, sources):
        file, rows = picture.path, located.get(located_key(data, picture), ())
        for head in heads:
            on_head = [row for row in rows if row[4] >= _TRACE_SCORE and _touches(box_of(row), head)]
            if on_head and min(head[2] - head[0], head[3] - head[1]) >= _SMALLEST_HEAD_PX:
                best = max(on_head, key=lambda row: row[4])
                source = f"{folder}/turned"
                pairs.append(
                    (
                        FaceExample(file, head, NOT_VISIBLE, source),
                        FaceExample(file, box_of(best), NOT_VISIBLE, source),
                    )
                )
    return pairs


def false_alarms(
    data: Path,
    folder: str,
    located: LocatedFaces,
    *,
    sources: Iterable[str],
    scores: tuple[float, float],
) -> list[FaceExample]:
    """Faces of a score in ``scores`` that the detector found away from every labelled head: machines,
    letters, hands. Where small heads are unlabelled, a low upper limit keeps them out.
    """
    examples = []
    for picture, heads in _heads_by_picture(data, folder, sources):
        for row in located.get(located_key(data, picture), ()):
            # a hat's box ends above the face
            near = [(x1, y1, x2, y2 + (y2 - y1)) for x1, y1, x2, y2 in heads]
            if scores[0] <= row[4] <= scores[1] and not any(_overlaps(box_of(row), head) for head in near):
                examples.append(FaceExample(picture.path, box_of(row), NOT_VISIBLE, f"{folder}/false_alarm"))
    return examples


def backgrounds(
    data: Path, folder: str, *, per_image: int, seed: int, sources: Iterable[str]
) -> list[FaceExample]:
    """Random squares that touch no labelled box; ``seed`` chooses them."""
    rng = np.random.default_rng(seed)
    wanted = set(sources)
    examples = []
    for picture in read_coco(data / folder / "train.json"):
        if picture.source not in wanted:
            continue
        height, width = picture.image_hw
        for _ in range(per_image):
            side = float(np.exp(rng.uniform(np.log(14), np.log(min(width, height) / 2.5))))
            x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
            square = (x, y, x + side, y + side)
            if not any(_overlaps(square, thing.box_xyxy) for thing in picture.objects):
                examples.append(FaceExample(picture.path, square, NOT_VISIBLE, f"{folder}/background"))
    return examples


def _heads_by_picture(
    data: Path, folder: str, sources: Iterable[str]
) -> Iterator[tuple[AnnotatedPicture, list[Box]]]:
    wanted = set(sources)
    for picture in read_coco(data / folder / "train.json"):
        if picture.source in wanted:
            yield picture, [thing.box_xyxy for thing in picture.objects if thing.category != "person"]


def _touches(face: Box, head: Box) -> bool:
    """Whether the face's centre lies in the head's box, or the head's centre in the face's box."""
    x, y = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2
    head_x, head_y = (head[0] + head[2]) / 2, (head[1] + head[3]) / 2
    return (head[0] <= x <= head[2] and head[1] <= y <= head[3]) or (
        face[0] <= head_x <= face[2] and face[1] <= head_y <= face[3]
    )


def _overlaps(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
