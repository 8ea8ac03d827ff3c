"""Count faces where nobody's head is: ``python -m models.evaluation.false_faces WEIGHTS COCO_FILE``.

For pictures in which every head is labelled, from any side: a face away from all heads is certainly false.
A face on a head may be one or not; heads turned away are not told apart.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.errors import ModelError
from models.evaluation.coco_faces import LabelledPicture, read_faces
from models.evaluation.face_finder import FaceFinder
from models.letterbox import input_hw_for, letterbox_batch
from models.networks.boxes import box_coverage
from models.pictures import read_picture

HEAD_CATEGORIES: Final = ("hard_hat", "bare_head", "unclear_head", "head")

#: Some label the helmet alone: the face below it still belongs to that head.
_ROOM_BELOW: Final = 0.7


@dataclass(frozen=True, slots=True)
class FalseFaceFigures:
    """``false_per_image``: faces that touch no head. ``faces_per_head``: share of heads with a face on
    them."""

    longest_side_px: int
    images: int
    heads: int
    score_threshold: float
    false_per_image: float
    faces_per_head: float


def count_false_faces(
    finder: FaceFinder, pictures: Iterable[LabelledPicture], *, longest_side_px: int, score_threshold: float
) -> FalseFaceFigures:
    """Measure ``finder`` on pictures whose heads are all labelled."""
    images = head_count = false_faces = with_face = 0
    for picture in pictures:
        is_head = np.array([category in HEAD_CATEGORIES for category in picture.categories], np.bool_)
        heads = picture.boxes_xyxy[is_head].copy()
        heads[:, 3] += _ROOM_BELOW * (heads[:, 3] - heads[:, 1])
        batch = letterbox_batch([read_picture(picture.path)], input_hw_for(picture.image_hw, longest_side_px))
        faces = finder.detect(batch)[0]
        certain = faces.boxes_xyxy[faces.scores >= score_threshold]
        touched = box_coverage(certain, heads)
        images += 1
        head_count += len(heads)
        false_faces += int((touched.max(axis=1, initial=0.0) == 0).sum())
        with_face += int((touched >= 0.4).any(axis=0).sum())
    return FalseFaceFigures(
        longest_side_px=longest_side_px,
        images=images,
        heads=head_count,
        score_threshold=score_threshold,
        false_per_image=false_faces / max(1, images),
        faces_per_head=with_face / max(1, head_count),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of one weights file as JSON lines, for each score threshold."""
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415 - loads TensorFlow

    parser = argparse.ArgumentParser(prog="python -m models.evaluation.false_faces", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("coco_file", type=Path)
    parser.add_argument("--longest-side", type=int, default=640, metavar="PX")
    parser.add_argument("--score-threshold", type=float, nargs="+", default=[0.5, 0.6, 0.7, 0.8])
    options = parser.parse_args(arguments)
    try:
        pictures = read_faces(options.coco_file)
        for threshold in options.score_threshold:
            finder = RetinaFaceDetector(options.weights, score_threshold=threshold)
            figures = count_false_faces(
                finder, pictures, longest_side_px=options.longest_side, score_threshold=threshold
            )
            print(json.dumps(asdict(figures)), flush=True)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
