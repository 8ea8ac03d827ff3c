"""Count faces in footage: ``python -m models.evaluation.clip_faces WEIGHTS CLIP [--out FOLDER]``.

Footage without labels still tells how many faces per frame a detector sees; the annotated frames are for
the eye that judges whether they are faces.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, PictureError
from models.letterbox import input_hw_for, letterbox_batch
from models.pictures import ArrayPicture
from models.retinaface.faces import Faces


def frames_of(clip: Path, every: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Index and RGB of every ``every``-th frame. Raises ``PictureError`` when the file is no video."""
    reader = cv2.VideoCapture(str(clip))
    if not reader.isOpened():
        raise PictureError(f"{clip}: is no video that can be decoded")
    index = 0
    try:
        while reader.grab():
            if index % every == 0:
                decoded, bgr = reader.retrieve()
                if decoded:
                    yield index, np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            index += 1
    finally:
        reader.release()


def annotated(rgb: NDArray[np.uint8], faces: Faces) -> NDArray[np.uint8]:
    """A BGR copy with boxes, scores and landmarks drawn."""
    canvas = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    for box, score, points in zip(faces.boxes_xyxy, faces.scores, faces.landmarks_xy, strict=True):
        x1, y1, x2, y2 = (round(float(value)) for value in box)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), (0, 255, 0), 2)
        cv2.putText(canvas, f"{score:.2f}", (x1, y1 - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 255, 255), 1)
        for x, y in points:
            cv2.circle(canvas, (round(float(x)), round(float(y))), 1, (0, 0, 255), -1)
    return np.asarray(canvas, np.uint8)


def count_faces(
    finder: Any, clip: Path, *, longest_side_px: int, every: int, out: Path | None = None
) -> dict[str, float | int | str]:
    """Faces per frame, their median height in original pixels, and frames without any."""
    counts: list[int] = []
    heights: list[float] = []
    for index, rgb in frames_of(clip, every):
        picture = ArrayPicture(rgb)
        faces = finder.detect(letterbox_batch([picture], input_hw_for(picture.image_hw, longest_side_px)))[0]
        counts.append(len(faces))
        heights += (faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]).tolist()
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(out / f"{clip.stem}_{longest_side_px}_{index:05d}.png"), annotated(rgb, faces))
    return {
        "clip": clip.name,
        "longest_side_px": longest_side_px,
        "frames": len(counts),
        "faces_per_frame": round(float(np.mean(counts)), 2) if counts else 0.0,
        "frames_without": sum(count == 0 for count in counts),
        "median_height_px": round(float(np.median(heights)), 1) if heights else 0.0,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON line per clip and input size."""
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415 - loads TensorFlow

    parser = argparse.ArgumentParser(prog="python -m models.evaluation.clip_faces", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--longest-side", type=int, nargs="+", default=[640, 1280], metavar="PX")
    parser.add_argument("--every", type=int, default=15, help="look at every n-th frame")
    parser.add_argument("--score-threshold", type=float, default=0.5)
    parser.add_argument("--out", type=Path, help="folder for annotated frames")
    options = parser.parse_args(arguments)
    try:
        finder = RetinaFaceDetector(options.weights, score_threshold=options.score_threshold)
        for clip in options.clips:
            for longest_side_px in options.longest_side:
                row = count_faces(
                    finder, clip, longest_side_px=longest_side_px, every=options.every, out=options.out
                )
                print(json.dumps(row), flush=True)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
