"""Which sets a RetinaFace learns from, and the endless stream of batches made from them.

Shapes: B images; S side of the canvases; A anchors.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import DataSetError
from models.evaluation.coco_faces import LabelledPicture, read_faces
from models.evaluation.landmarks import read_landmarks
from models.retinaface.anchors import anchors_for
from models.retinaface.faces import Faces
from models.training.retinaface_augmentation import draw_canvas
from models.training.retinaface_examples import (
    FaceExample,
    face_example,
    head_example,
    landmark_example,
)
from models.training.retinaface_targets import Targets, targets_for
from models.training.retinaface_teacher import CLOSE_UP_SIDES_PX, LONGEST_SIDES_PX, teacher_faces

_AHEAD: Final = 4

#: Of the groups of near duplicates, this share is held out.
HELD_OUT_ONE_IN: Final = 10


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """One COCO file and what its labels mean.

    - ``coco_file``: its path. ``share``: how often it is drawn, relative to the other sets.
    - ``labels``: ``faces``: the boxes are faces; ``heads``: boxes of ``head_categories`` are heads from any
      side; ``landmarks``: close-ups of one face with five points each.
    - ``exhaustive_sources``: sources in which every face is labelled; elsewhere faces that the teacher sees
      besides are ignored.
    - ``held_out``: keep one group of pictures in ten of the exhaustive sources for choosing the best round.
    - ``trusted_sources``: sources in which a head on which the teacher sees nothing is seen from behind.
    """

    coco_file: Path
    share: float
    labels: Literal["faces", "heads", "landmarks"] = "faces"
    exhaustive_sources: tuple[str, ...] = ()
    head_categories: tuple[str, ...] = ()
    trusted_sources: tuple[str, ...] = ()
    held_out: bool = False


def is_held_out(training_set: TrainingSet, picture: LabelledPicture) -> bool:
    """Whether a picture of the set serves the choice of the best round, and is not learned from."""
    return (
        training_set.held_out
        and picture.source in training_set.exhaustive_sources
        and int(hashlib.sha256(picture.group.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0
    )


def held_out_pictures(sets: Sequence[TrainingSet]) -> list[LabelledPicture]:
    """The pictures that choose the best round. Raises ``DataSetError`` when there are none."""
    pictures = [
        picture
        for training_set in sets
        if training_set.held_out
        for picture in read_faces(training_set.coco_file)
        if is_held_out(training_set, picture)
    ]
    if not pictures:
        raise DataSetError("no set holds pictures out, by which the best round could be chosen")
    return pictures


def load_examples(training_set: TrainingSet, *, teacher: Path, cache: Path) -> list[FaceExample]:
    """The set's pictures, completed by the teacher (weights file), whose answers are kept in ``cache``.

    Pictures without anything to choose a crop by are left out. Raises ``DataSetError``, ``WeightsError``,
    ``PictureError``.
    """
    pictures = read_faces(training_set.coco_file)
    close_ups = training_set.labels == "landmarks"
    sides = CLOSE_UP_SIDES_PX if close_ups else LONGEST_SIDES_PX
    seen = teacher_faces(pictures, teacher, cache, longest_sides_px=sides)
    points = dict(read_landmarks(training_set.coco_file)) if close_ups else {}

    def example(picture: LabelledPicture, faces: Faces) -> FaceExample:
        if training_set.labels == "faces":
            return face_example(picture, faces, exhaustive=picture.source in training_set.exhaustive_sources)
        if training_set.labels == "heads":
            return head_example(
                picture,
                faces,
                head_categories=training_set.head_categories,
                trust_teacher=picture.source in training_set.trusted_sources,
            )
        return landmark_example(picture, points[picture.path], faces)

    examples = [
        example(picture, faces)
        for picture, faces in zip(pictures, seen, strict=True)
        if not is_held_out(training_set, picture)
    ]
    examples = [made for made in examples if len(made.subjects_xyxy)]
    if not examples:
        raise DataSetError(f"{training_set.coco_file}: holds nothing to learn from")
    return examples


def batches(
    examples: Sequence[Sequence[FaceExample]],
    shares: Sequence[float],
    *,
    batch_size: int,
    side_px: int,
    seed: int,
    first_step: int,
    workers: int,
) -> Iterator[tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]]:
    """Endless batches from step ``first_step`` on: float32 (B, S, S, 3) and the fields of ``Targets`` with
    axis B.

    A batch depends on ``seed`` and its step alone: a resumed run sees what an unbroken one would have seen.
    ``workers`` threads make batches ahead.
    """
    chances = np.array(shares, np.float64) / sum(shares)

    def make(step: int) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        rng = np.random.default_rng((seed, step))

        def draw_example() -> FaceExample:
            members = examples[int(rng.choice(len(examples), p=chances))]
            return members[int(rng.integers(len(members)))]

        anchors = anchors_for((side_px, side_px))
        canvases = [draw_canvas(draw_example, rng, side_px) for _ in range(batch_size)]
        pixels = np.stack([canvas.pixels for canvas in canvases]).astype(np.float32)
        return pixels, _stacked([targets_for(canvas, anchors) for canvas in canvases])

    with ThreadPoolExecutor(workers, thread_name_prefix="canvas") as pool:
        waiting: list[Future[Any]] = [pool.submit(make, first_step + ahead) for ahead in range(_AHEAD)]
        step = first_step
        try:
            while True:
                ready = waiting.pop(0)
                waiting.append(pool.submit(make, step + _AHEAD))
                step += 1
                yield ready.result()
        finally:
            for future in waiting:
                future.cancel()


def _stacked(targets: Sequence[Targets]) -> dict[str, NDArray[np.float32]]:
    return {
        name: np.stack([getattr(target, name) for target in targets])
        for name in ("labels", "box_deltas", "landmark_deltas", "landmark_weights")
    }
