"""What the initial weights see in the training pictures, once and for all.

The labels are boxes alone and not everywhere complete. The initial network, looking at each picture at
several sizes, supplies what they lack: landmarks of faces that are labelled (so that the landmark head is
kept, by distillation), and faces that a labeller skipped (so that they are not learned as background).
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from models.errors import PictureError
from models.evaluation.coco_faces import LabelledPicture
from models.letterbox import input_hw_for, letterbox_batch
from models.networks.suppression import suppress
from models.pictures import read_picture
from models.retinaface.detector import RetinaFaceDetector
from models.retinaface.faces import Faces
from models.weights import digest_of

#: Faces below this are nothing to the teacher.
LEAST_SCORE: Final = 0.05

#: Longest sides at which the teacher looks: small faces need the larger, very large ones the smaller.
LONGEST_SIDES_PX: Final = (640, 1280)

#: The same for close-ups of 80 x 80 pixels.
CLOSE_UP_SIDES_PX: Final = (128,)

#: The same for what the initial weights miss: one look is what they get from a camera, too.
MINING_SIDES_PX: Final = (640,)


def teacher_faces(
    pictures: Sequence[LabelledPicture],
    weights_path: Path,
    cache: Path,
    *,
    longest_sides_px: Sequence[int] = LONGEST_SIDES_PX,
) -> list[Faces]:
    """What the network of ``weights_path`` sees in each picture, of scores from 0.05; original pixels.

    It looks at each of ``longest_sides_px``. Kept in the folder ``cache``, since it takes minutes. Raises
    ``WeightsError``, ``PictureError``.
    """
    names = "\n".join(str(picture.path) for picture in pictures)
    key = hashlib.sha256(f"{names}\n{digest_of(weights_path)}\n{list(longest_sides_px)}".encode()).hexdigest()
    file = cache / f"teacher_{key[:16]}.npz"
    if not file.exists():
        detector = RetinaFaceDetector(weights_path, score_threshold=LEAST_SCORE)
        progress = tqdm(pictures, desc="teacher", unit="picture", mininterval=5)
        found = [_look(detector, picture, longest_sides_px) for picture in progress]
        cache.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".partial.npz")
        np.savez(
            temporary,
            counts=np.array([len(faces) for faces in found], np.int64),
            boxes=np.concatenate([faces.boxes_xyxy for faces in found]),
            scores=np.concatenate([faces.scores for faces in found]),
            landmarks=np.concatenate([faces.landmarks_xy for faces in found]),
        )
        temporary.replace(file)
    with np.load(file, allow_pickle=False) as stored:
        ends = np.cumsum(stored["counts"])[:-1]
        parts = (np.split(stored[name], ends) for name in ("boxes", "scores", "landmarks"))
        return [Faces(*row) for row in zip(*parts, strict=True)]


def _look(detector: RetinaFaceDetector, picture: LabelledPicture, longest_sides_px: Sequence[int]) -> Faces:
    pixels = read_picture(picture.path)
    if pixels.image_hw != picture.image_hw:
        raise PictureError(f"{picture.path}: is {pixels.image_hw}, its label file says {picture.image_hw}")
    looks = [
        detector.detect(letterbox_batch([pixels], input_hw_for(pixels.image_hw, longest)))[0]
        for longest in longest_sides_px
    ]
    boxes = np.concatenate([faces.boxes_xyxy for faces in looks])
    scores = np.concatenate([faces.scores for faces in looks])
    landmarks = np.concatenate([faces.landmarks_xy for faces in looks])
    kept = suppress(boxes, scores, iou_threshold=0.4, max_kept=1000)
    return Faces(boxes[kept], scores[kept], landmarks[kept])
