"""Measure a RetinaFace on labelled pictures: ``python -m models.evaluation.faces WEIGHTS COCO_FILE``.

Faces are faces here, with a mask or without. A picture's longest side is scaled to each asked-for length,
as a camera's frame is.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.errors import ModelError
from models.evaluation.coco_faces import LabelledPicture, read_faces
from models.evaluation.matching import average_precision, match
from models.letterbox import input_hw_for, letterbox_batch
from models.pictures import read_picture
from models.retinaface.faces import Faces
from models.structures import ImageBatch

#: Bounds of the size classes: height of the labelled face in pixels of the network's input.
SIZE_BOUNDS_PX: Final = (0.0, 16.0, 32.0, 64.0, float("inf"))

#: Two labellings of the same photos agree on a median IoU of 0.64: above that, one measures the labeller.
IOU_THRESHOLD: Final = 0.5

#: A detection that overlaps every label by less than this is a false face, not a badly placed one.
FALSE_BELOW_IOU: Final = 0.3


class FaceFinder(Protocol):
    """What is measured: ``RetinaFaceDetector``, or whatever finds faces like it."""

    def detect(self, batch: ImageBatch) -> list[Faces]:
        """Faces of each picture of the batch in pixels of the originals."""
        ...


@dataclass(frozen=True, slots=True)
class FaceFigures:
    """How good a detector is at one input size.

    - ``ap50``: average precision at IoU 0.5 over all scores.
    - ``recall``: share of labelled faces that are found at IoU 0.5 with at least ``score_threshold``;
      ``recall_by`` splits it by class of wear and by height at the input.
    - ``false_per_image``: detections of at least ``score_threshold`` that overlap no label by 0.3 or more.
    """

    longest_side_px: int
    images: int
    faces: int
    score_threshold: float
    ap50: float
    recall: float
    false_per_image: float
    recall_by: dict[str, float]


def evaluate_faces(
    finder: FaceFinder,
    pictures: Iterable[LabelledPicture],
    *,
    longest_side_px: int,
    score_threshold: float = 0.5,
) -> FaceFigures:
    """Measure ``finder``, which must report faces of low scores too (0.02 and above) for ``ap50`` to mean
    anything."""
    scores: list[NDArray[np.float32]] = []
    right: list[NDArray[np.bool_]] = []
    found_labels: list[NDArray[np.bool_]] = []
    kinds: list[list[str]] = []
    images = false_faces = 0
    for picture in pictures:
        images += 1
        batch = letterbox_batch([read_picture(picture.path)], input_hw_for(picture.image_hw, longest_side_px))
        faces = finder.detect(batch)[0]
        matches = match(faces.boxes_xyxy, faces.scores, picture.boxes_xyxy, iou_threshold=IOU_THRESHOLD)
        scores.append(matches.scores)
        right.append(matches.label_of >= 0)
        certain = matches.scores >= score_threshold
        false_faces += int((certain & (matches.best_iou < FALSE_BELOW_IOU)).sum())
        found = np.zeros(len(picture.boxes_xyxy), np.bool_)
        found[matches.label_of[certain & (matches.label_of >= 0)]] = True
        found_labels.append(found)
        kinds += _kinds(picture, float(batch.scales[0]))
    found_all = np.concatenate(found_labels) if found_labels else np.zeros(0, np.bool_)
    return FaceFigures(
        longest_side_px=longest_side_px,
        images=images,
        faces=len(found_all),
        score_threshold=score_threshold,
        ap50=average_precision(
            np.concatenate([np.zeros(0, np.float32), *scores]),
            np.concatenate([np.zeros(0, np.bool_), *right]),
            len(found_all),
        ),
        recall=float(found_all.mean()) if len(found_all) else 0.0,
        false_per_image=false_faces / max(1, images),
        recall_by=_shares(kinds, found_all),
    )


def _kinds(picture: LabelledPicture, scale: float) -> list[list[str]]:
    heights = (picture.boxes_xyxy[:, 3] - picture.boxes_xyxy[:, 1]) * scale
    size_class = np.digitize(heights, SIZE_BOUNDS_PX[1:-1])
    return [
        [category, f"{SIZE_BOUNDS_PX[index]:.0f} to {SIZE_BOUNDS_PX[index + 1]:.0f} px"]
        for category, index in zip(picture.categories, size_class, strict=True)
    ]


def _shares(kinds: Sequence[Sequence[str]], found: NDArray[np.bool_]) -> dict[str, float]:
    names = sorted({name for row in kinds for name in row})
    return {
        name: float(np.mean([hit for row, hit in zip(kinds, found, strict=True) if name in row]))
        for name in names
    }


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m models.evaluation.faces",
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Print the figures of one weights file as JSON lines. TensorFlow is loaded inside of ``loading``."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("coco_file", type=Path)
    parser.add_argument("--longest-side", type=int, nargs="+", default=[640, 1280], metavar="PX")
    parser.add_argument("--score-threshold", type=float, default=0.5)
    options = parser.parse_args(arguments)
    try:
        pictures = read_faces(options.coco_file)
        with loading():
            from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415 - loads TensorFlow

            finder = RetinaFaceDetector(options.weights, score_threshold=0.02)
        for longest_side_px in options.longest_side:
            figures = evaluate_faces(
                finder,
                # None: shown where standard error is a terminal
                tqdm(pictures, desc=f"{longest_side_px} px", unit="picture", leave=False, disable=None),
                longest_side_px=longest_side_px,
                score_threshold=options.score_threshold,
            )
            print(json.dumps(asdict(figures)), flush=True)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
