"""Which sets a RetinaFace learns from, and the endless stream of batches made from them.

Shapes: B images; S side of the canvases; A anchors.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.data.face_landmarks import read_landmarks
from models.errors import DataSetError, TrainingError
from models.evaluation.coco_faces import LabelledPicture, read_faces
from models.retinaface.anchors import anchors_for
from models.retinaface.faces import Faces
from models.training.part import is_in_part
from models.training.picture_cache import PictureCache
from models.training.retinaface_augmentation import draw_canvas
from models.training.retinaface_examples import (
    FaceExample,
    face_example,
    head_example,
    landmark_example,
    no_faces,
)
from models.training.retinaface_mining import mined
from models.training.retinaface_targets import Matching, Targets, targets_for
from models.training.retinaface_teacher import (
    CLOSE_UP_SIDES_PX,
    LONGEST_SIDES_PX,
    MINING_SIDES_PX,
    teacher_faces,
)

_AHEAD: Final = 4

#: Of the groups of near duplicates, this share is held out.
HELD_OUT_ONE_IN: Final = 10


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """One COCO file, or some of its sources, and what its labels mean.

    - ``coco_file``: its path. ``share``: how often it is drawn, relative to the other sets.
    - ``sources``: of the file, only these; empty: all.
    - ``labels``: ``faces``: the boxes are faces; ``heads``: boxes of ``head_categories`` are heads from any
      side, and a teacher tells where their faces are; ``landmarks``: close-ups of one face with five points
      each, drawn on canvases of their own.
    - ``exhaustive_sources``: sources in which every face is labelled; elsewhere faces that the teacher sees
      besides are ignored.
    - ``box_weight``: how much the boxes teach where faces end. Labellers differ by a fifth of a face: those
      whose habit is not to be learned still teach where faces are with a weight of 0.
    - ``teacher_weight``: how much the teacher's landmarks teach, and on ``heads`` and ``landmarks``, by
      ``box_weight``, its boxes.
    - ``held_out``: keep one group of pictures in ten (``faces``: of the exhaustive sources) for choosing the
      best round.
    - ``trusted_sources``: sources in which a head on which the teacher sees nothing is seen from behind.
    - ``mining``: how much more often a picture is drawn for each face that the initial weights miss in it,
      and for each false one: see ``retinaface_mining``.
    """

    coco_file: Path
    share: float
    sources: tuple[str, ...] = ()
    labels: Literal["faces", "heads", "landmarks"] = "faces"
    exhaustive_sources: tuple[str, ...] = ()
    head_categories: tuple[str, ...] = ()
    trusted_sources: tuple[str, ...] = ()
    box_weight: float = 1.0
    teacher_weight: float = 1.0
    held_out: bool = False
    mining: float = 0.0

    def __post_init__(self) -> None:
        if self.labels not in {"faces", "heads", "landmarks"}:
            raise ValueError(f"labels: faces, heads or landmarks, not {self.labels!r}")
        if self.share <= 0 or min(self.box_weight, self.teacher_weight, self.mining) < 0:
            raise ValueError("share must be above 0, and weights and mining not below")


@dataclass(frozen=True, slots=True, eq=False)
class LoadedSet:
    """The examples of a set. ``close_ups``: they get canvases of their own."""

    share: float
    examples: tuple[FaceExample, ...]
    close_ups: bool = False


def is_held_out(training_set: TrainingSet, picture: LabelledPicture) -> bool:
    """Whether a picture of the set serves the choice of the best round, and is not learned from."""
    return (
        training_set.held_out
        and (training_set.labels != "faces" or picture.source in training_set.exhaustive_sources)
        and int(hashlib.sha256(picture.group.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0
    )


def held_out_pictures(sets: Sequence[TrainingSet]) -> list[LabelledPicture]:
    """The pictures of faces that choose the best round. Raises ``DataSetError`` when there are none."""
    pictures = [
        picture
        for training_set in sets
        if training_set.held_out and training_set.labels == "faces"
        for picture in _pictures(training_set, read_faces(training_set.coco_file))
        if is_held_out(training_set, picture)
    ]
    if not pictures:
        raise DataSetError("no set holds pictures out, by which the best round could be chosen")
    return pictures


def held_out_close_ups(sets: Sequence[TrainingSet]) -> list[tuple[Path, NDArray[np.float32]]]:
    """The close-ups with their points (5, 2) that are held out; none is no error."""
    found = []
    for training_set in sets:
        if training_set.held_out and training_set.labels == "landmarks":
            points = dict(read_landmarks(training_set.coco_file))
            pictures = _pictures(training_set, read_faces(training_set.coco_file))
            found += [(one.path, points[one.path]) for one in pictures if is_held_out(training_set, one)]
    return found


def load_set(
    training_set: TrainingSet, *, teacher: Path | None, miner: Path | None, cache: Path, part: float = 1.0
) -> LoadedSet:
    """The set's pictures, completed by the ``teacher`` (weights file), if any; hard ones by ``miner``.

    Their answers are kept in ``cache``. ``part``: learn from this part of the groups of pictures. Pictures
    without anything to choose a crop by are left out. Raises ``DataSetError``, ``WeightsError``,
    ``PictureError``, and ``TrainingError`` when something is missing that the set needs.
    """
    close_ups = training_set.labels == "landmarks"
    if training_set.labels == "heads" and teacher is None:
        raise TrainingError(f"{training_set.coco_file}: heads need a teacher, who tells where faces are")
    if training_set.mining and miner is None:
        raise TrainingError(f"{training_set.coco_file}: mining needs initial weights that find faces")
    pictures = read_faces(training_set.coco_file)
    sides = CLOSE_UP_SIDES_PX if close_ups else LONGEST_SIDES_PX
    seen = _seen(pictures, teacher, cache, sides)
    found = _seen(pictures, miner if training_set.mining else None, cache, MINING_SIDES_PX)
    points = dict(read_landmarks(training_set.coco_file)) if close_ups else {}
    wanted = {picture.path for picture in _pictures(training_set, pictures)}
    examples = []
    for picture, faces, miner_faces in zip(pictures, seen, found, strict=True):
        if picture.path not in wanted or not is_in_part(picture.group, part):
            continue
        if not is_held_out(training_set, picture):
            example = _example(training_set, picture, faces, points.get(picture.path))
            if training_set.mining:
                example = mined(example, miner_faces, gain=training_set.mining)
            if len(example.subjects_xyxy):
                examples.append(example)
    if not examples:
        raise DataSetError(f"{training_set.coco_file}: holds nothing to learn from")
    return LoadedSet(training_set.share, tuple(examples), close_ups)


def _pictures(training_set: TrainingSet, pictures: Sequence[LabelledPicture]) -> list[LabelledPicture]:
    wanted = training_set.sources
    return [picture for picture in pictures if not wanted or picture.source in wanted]


def _seen(
    pictures: Sequence[LabelledPicture], weights: Path | None, cache: Path, sides_px: Sequence[int]
) -> list[Faces]:
    if weights is None:
        return [no_faces()] * len(pictures)
    return teacher_faces(pictures, weights, cache, longest_sides_px=sides_px)


def _example(
    training_set: TrainingSet,
    picture: LabelledPicture,
    faces: Faces,
    points_xy: NDArray[np.float32] | None,
) -> FaceExample:
    if points_xy is not None:
        return landmark_example(picture, points_xy, faces, box_weight=training_set.box_weight)
    if training_set.labels == "heads":
        return head_example(
            picture,
            faces,
            head_categories=training_set.head_categories,
            trust_teacher=picture.source in training_set.trusted_sources,
            box_weight=training_set.box_weight,
            teacher_weight=training_set.teacher_weight,
        )
    return face_example(
        picture,
        faces,
        exhaustive=picture.source in training_set.exhaustive_sources,
        box_weight=training_set.box_weight,
        teacher_weight=training_set.teacher_weight,
    )


class _Draw:
    """Draws sets by their shares and examples by their weights."""

    def __init__(self, sets: Sequence[LoadedSet]) -> None:
        self._sets = [one for one in sets if not one.close_ups]
        self._close_ups = [one for one in sets if one.close_ups]
        shares = sum(one.share for one in sets)
        self.close_up_chance = sum(one.share for one in self._close_ups) / shares
        self._chances = {id(one): _summed([example.draw_weight for example in one.examples]) for one in sets}

    def example(self, rng: np.random.Generator, *, close_up: bool) -> FaceExample:
        sets = self._close_ups if close_up else self._sets
        one = sets[_drawn(_summed([one.share for one in sets]), rng)]
        return one.examples[_drawn(self._chances[id(one)], rng)]


def _summed(weights: Sequence[float]) -> NDArray[np.float64]:
    return np.cumsum(np.array(weights, np.float64)) / sum(weights)


def _drawn(chances: NDArray[np.float64], rng: np.random.Generator) -> int:
    return min(int(np.searchsorted(chances, rng.random(), side="right")), len(chances) - 1)


def batches(
    sets: Sequence[LoadedSet],
    *,
    batch_size: int,
    side_px: int,
    seed: int,
    first_step: int,
    workers: int,
    matching: Matching | None = None,
    pictures: PictureCache | None = None,
) -> Iterator[tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]]:
    """Endless batches from step ``first_step`` on: float32 (B, S, S, 3) and the fields of ``Targets`` with
    axis B.

    A batch depends on ``seed`` and its step alone: a resumed run sees what an unbroken one would have seen.
    ``workers`` threads make batches ahead.
    """
    draw = _Draw(sets)
    anchors = anchors_for((side_px, side_px))
    chosen = matching or Matching()
    kept = pictures or PictureCache(longest_side_px=1280)

    def make(step: int) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        rng = np.random.default_rng((seed, step))
        canvases = []
        for _ in range(batch_size):
            close_ups = bool(rng.random() < draw.close_up_chance)
            canvases.append(
                draw_canvas(
                    partial(draw.example, rng, close_up=close_ups),
                    rng,
                    side_px,
                    close_ups=close_ups,
                    read=kept.read,
                )
            )
        pixels = np.stack([canvas.pixels for canvas in canvases]).astype(np.float32)
        return pixels, _stacked([targets_for(canvas, anchors, chosen) for canvas in canvases])

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
        field.name: np.stack([getattr(target, field.name) for target in targets]) for field in fields(Targets)
    }
