"""Labels that nobody drew: what a detector sees on pictures whose source does not label it.

Only for training, and only to fill gaps: what the source labels wins. The file keeps everything seen; which
of it becomes a thing, and which an ignored region, is decided when it is read, by ``PseudoLabelRule``.

    python -m models.training.mask_rcnn.pseudo_labels --data DATA --coco heads/train.json \\
        --detector person --weights FILE --out runs/pseudo/person.json
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.data.readers.coco import read_coco
from models.detector import Detector
from models.errors import DataSetError
from models.networks.boxes import box_coverage, box_iou
from models.networks.suppression import suppress
from models.pictures import ArrayPicture, read_picture
from models.structures import Category
from models.training.mask_rcnn.labels import Example

#: What is seen with less is not kept.
LEAST_SCORE: Final = 0.1

#: Tiles along each side of a picture at which the detector looks besides the whole: small things need them.
TILINGS: Final = (1, 2)

#: Tiles overlap by this part of their sides.
_OVERLAP: Final = 0.25

#: What ends this close to a border that only the tile has, by the tile's side, is cut there.
_CUT: Final = 0.015

_SAME_IOU: Final = 0.5

#: A thing seen is one that the source labels if they overlap by this much.
_LABELLED_IOU: Final = 0.35

#: So much of a thing lies in another that it is inside.
_INSIDE: Final = 0.7

#: Categories of which a head is at most one.
_HEADS: Final = frozenset({"hard_hat", "bare_head", "hat"})


@dataclass(frozen=True, slots=True)
class PseudoLabel:
    """A thing seen: pixels of the picture; ``score`` 0 to 1."""

    category: str
    score: float
    box_xyxy: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PseudoLabelRule:
    """What is made of the things of one category in a file of pseudo-labels.

    - ``file``: what ``main`` wrote. ``category``: of it, only this.
    - ``thing_score``: from here on it is a thing; above 1: never. ``ignored_score``: from here on an ignored
      region.
    - ``sources``: only on pictures of these; empty: all.
    - ``inside``: a thing it can only be where it mostly lies in a thing of this category, of the source or of
      an earlier rule; an ignored region elsewhere. Empty: anywhere.
    """

    file: str
    category: str
    thing_score: float = 0.6
    ignored_score: float = 0.2
    sources: tuple[str, ...] = ()
    inside: str = ""


def look(detector: Detector, pixels: NDArray[np.uint8], input_hw: tuple[int, int]) -> list[PseudoLabel]:
    """What the detector sees on uint8 (H, W, 3) as a whole and on its overlapping tiles, best first."""
    height, width = pixels.shape[:2]
    boxes: list[NDArray[np.float32]] = [np.zeros((0, 4), np.float32)]
    scores: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    class_ids: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    for x1, y1, x2, y2 in _tiles(height, width):
        tile = np.ascontiguousarray(pixels[y1:y2, x1:x2])
        found = detector.detect([ArrayPicture(tile)], input_hw)[0]
        moved = found.boxes_xyxy + np.array([x1, y1, x1, y1], np.float32)
        margin = _CUT * np.array([x2 - x1, y2 - y1])
        cut = (moved[:, :2] < np.array([x1, y1]) + margin) & (np.array([x1, y1]) > 0)
        cut |= (moved[:, 2:] > np.array([x2, y2]) - margin) & (np.array([x2, y2]) < (width, height))
        kept = ~cut.any(axis=1) & (found.scores >= LEAST_SCORE)
        boxes.append(np.clip(moved[kept], 0, (width, height, width, height)).astype(np.float32))
        scores.append(found.scores[kept])
        class_ids.append(found.class_ids[kept])
    all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
    all_ids = np.concatenate(class_ids)
    labels: list[PseudoLabel] = []
    for class_id in np.unique(all_ids).tolist():
        rows = np.flatnonzero(all_ids == class_id)
        rows = rows[suppress(all_boxes[rows], all_scores[rows], iou_threshold=_SAME_IOU, max_kept=300)]
        for row in rows.tolist():
            left, top, right, bottom = np.round(all_boxes[row].astype(float), 1).tolist()
            if right > left and bottom > top:
                score = round(float(all_scores[row]), 3)
                labels.append(PseudoLabel(Category(class_id).label, score, (left, top, right, bottom)))
    return sorted(labels, key=lambda label: -label.score)


def write_pseudo_labels(
    path: Path, labels: Mapping[str, Sequence[PseudoLabel]], digests: Mapping[str, str]
) -> None:
    """Write things by picture (its path relative to the data folder), and what saw them."""
    rows = {
        name: [[label.category, label.score, *label.box_xyxy] for label in seen]
        for name, seen in labels.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps({"seen_by": dict(digests), "pictures": rows}), encoding="utf-8")
    temporary.replace(path)


def read_pseudo_labels(path: Path) -> dict[str, list[PseudoLabel]]:
    """Read what ``write_pseudo_labels`` wrote. Raises ``DataSetError``."""
    try:
        pictures = json.loads(path.read_text(encoding="utf-8"))["pictures"]
        return {
            str(name): [
                PseudoLabel(str(category), float(score), (float(x1), float(y1), float(x2), float(y2)))
                for category, score, x1, y1, x2, y2 in rows
            ]
            for name, rows in pictures.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataSetError(f"{path}: is no file of pseudo-labels: {error}") from error


def completed(
    example: Example, seen: Iterable[PseudoLabel], rule: PseudoLabelRule, categories: Sequence[str]
) -> Example:
    """The example with the things and ignored regions that ``rule`` makes of what was ``seen`` on it.

    Nothing is added of a category that is labelled exhaustively there, nor where the source labels a thing
    of that category, or another head where a head was seen.
    """
    if rule.category not in categories:
        return example
    place = categories.index(rule.category)
    if example.labelled[place] or (rule.sources and example.source not in rule.sources):
        return example
    rivals = [name == rule.category or {name, rule.category} <= _HEADS for name in categories]
    labelled = example.boxes_xyxy[(example.admissible & np.array(rivals)).any(axis=1)]
    around = example.boxes_xyxy[
        example.admissible[:, [name == rule.inside for name in categories]].any(axis=1)
    ]
    things: list[NDArray[np.float32]] = []
    ignored: list[NDArray[np.float32]] = []
    for label in seen:
        box = np.array([label.box_xyxy], np.float32)
        if label.category != rule.category or label.score < min(rule.ignored_score, rule.thing_score):
            continue
        if len(labelled) and float(box_iou(labelled, box).max()) >= _LABELLED_IOU:
            continue
        fits = not rule.inside or bool((box_coverage(box, around) >= _INSIDE).any())
        if fits and label.score >= rule.thing_score:
            things.append(box)
        elif label.score >= rule.ignored_score:
            ignored.append(box)
    return replace(
        example,
        boxes_xyxy=np.concatenate([example.boxes_xyxy, *things]),
        admissible=np.concatenate(
            [example.admissible, np.tile(np.arange(len(categories)) == place, (len(things), 1))]
        ),
        polygons=(*example.polygons, *(() for _ in things)),
        ignored_xyxy=np.concatenate([example.ignored_xyxy, *ignored]),
    )


def _tiles(height: int, width: int) -> list[tuple[int, int, int, int]]:
    tiles = []
    for count in TILINGS:
        # so long that `count` of them, overlapping, reach from end to end
        part = 1 / (count - (count - 1) * _OVERLAP)
        tile_h, tile_w = round(height * part), round(width * part)
        for row in range(count):
            for column in range(count):
                top = round((height - tile_h) * row / max(1, count - 1))
                left = round((width - tile_w) * column / max(1, count - 1))
                tiles.append((left, top, left + tile_w, top + tile_h))
    return tiles


def _detector(kind: str, weights: Path) -> Detector:
    if kind == "maskrcnn":
        from models.mask_rcnn.detector import MaskRcnnDetector  # noqa: PLC0415 - loads TensorFlow

        return MaskRcnnDetector(weights, score_threshold=LEAST_SCORE)
    from models.evaluation.peers.yolox import KINDS, YoloxDetector  # noqa: PLC0415 - onnxruntime is an extra

    return YoloxDetector(weights, KINDS[kind], score_threshold=LEAST_SCORE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Look at the pictures of COCO files and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--coco", action="append", required=True, help="relative to --data; several times")
    parser.add_argument("--detector", choices=("helmet", "maskrcnn", "person"), required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    detector = _detector(given.detector, given.weights)
    pictures = [picture for name in given.coco for picture in read_coco(given.data / name)]
    labels: dict[str, list[PseudoLabel]] = {}
    for picture in tqdm(pictures, unit="picture", mininterval=5):
        name = picture.path.relative_to(given.data).as_posix()
        labels[name] = look(detector, read_picture(picture.path).rgb(), (640, 640))
    write_pseudo_labels(given.out, labels, detector.digests)


if __name__ == "__main__":
    main()
